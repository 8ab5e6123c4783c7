use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ferry_store::{Disk, DiskFile};

/// A disk that keeps in memory what is not synced: killing the process loses it, as a loss of power does. What is
/// synced is handed to the operating system, which lives on.
#[derive(Debug)]
pub struct LosingDisk<D> {
    disk: D,
    /// What is not synced, by file.
    unsynced: Mutex<HashMap<String, Arc<Unsynced>>>,
}

/// A file of a [`LosingDisk`].
#[derive(Debug)]
pub struct LosingFile<F> {
    file: F,
    unsynced: Arc<Unsynced>,
}

/// Writes in their order: where, and what.
#[derive(Debug, Default)]
struct Unsynced(Mutex<Vec<(u64, Vec<u8>)>>);

impl Unsynced {
    fn writes(&self) -> MutexGuard<'_, Vec<(u64, Vec<u8>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Disk> LosingDisk<D> {
    /// Loses what `disk` would keep.
    #[must_use]
    pub fn new(disk: D) -> Self {
        Self { disk, unsynced: Mutex::default() }
    }

    fn file(&self, name: &str, file: D::File) -> LosingFile<D::File> {
        let mut files = self.unsynced.lock().unwrap_or_else(PoisonError::into_inner);
        LosingFile { file, unsynced: Arc::clone(files.entry(name.to_owned()).or_default()) }
    }
}

impl<D: Disk> Disk for LosingDisk<D> {
    type File = LosingFile<D::File>;

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str) -> io::Result<Self::File> {
        self.disk.create(name).map(|file| self.file(name, file))
    }

    fn open(&self, name: &str) -> io::Result<Self::File> {
        self.disk.open(name).map(|file| self.file(name, file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        self.disk.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
}

impl<F: DiskFile> DiskFile for LosingFile<F> {
    fn length(&self) -> io::Result<u64> {
        let end = |(offset, bytes): &(u64, Vec<u8>)| offset + bytes.len() as u64;
        let unsynced = self.unsynced.writes().iter().map(end).max().unwrap_or(0);
        Ok(self.file.length()?.max(unsynced))
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.length()?.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = length.min(bytes.len());
        let bytes = &mut bytes[..wanted];
        bytes.fill(0);
        let mut read = 0;
        while read < bytes.len() {
            match self.file.read_at(offset + read as u64, &mut bytes[read..])? {
                0 => break,
                more => read += more,
            }
        }
        for (start, written) in self.unsynced.writes().iter() {
            let (from, to) = (offset.max(*start), (offset + wanted as u64).min(start + written.len() as u64));
            if from < to {
                let source = &written[(from - start) as usize..(to - start) as usize];
                bytes[(from - offset) as usize..(to - offset) as usize].copy_from_slice(source);
            }
        }
        Ok(wanted)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.unsynced.writes().push((offset, bytes.to_vec()));
        Ok(bytes.len())
    }

    fn preallocate(&self, length: u64) -> io::Result<()> {
        self.file.preallocate(length)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut writes = self.unsynced.writes();
        writes.retain(|(offset, _)| *offset < length);
        for (offset, bytes) in writes.iter_mut() {
            bytes.truncate(usize::try_from(length - *offset).unwrap_or(usize::MAX));
        }
        self.file.truncate(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut writes = self.unsynced.writes();
        for (offset, bytes) in writes.drain(..) {
            let mut written = 0;
            while written < bytes.len() {
                written += self.file.write_at(offset + written as u64, &bytes[written..])?;
            }
        }
        Ok(())
    }
}
