use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Disk, DiskFile};
use crate::OpenError;

const LOCK_NAME: &str = "LOCK";

/// A file that is there from the beginning of a load to its end. What a load has left behind that was stopped could not be
/// told from all of it otherwise.
const LOADING_NAME: &str = "LOADING";

/// A directory of the machine's own, which belongs to this process as long as it is open: one of the same process,
/// or of another one, cannot open it meanwhile.
#[derive(Debug)]
pub struct FileDisk {
    directory: PathBuf,
    is_read_only: bool,
    lock: Option<File>,
}

impl FileDisk {
    /// Takes a data directory into use; makes it if there is none, for the owner's eyes only.
    ///
    /// # Errors
    /// [`OpenError::Locked`] if it is in use, [`OpenError::HalfLoaded`] if not all is in it,
    /// [`OpenError::ReadOnly`] if it cannot be written to.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, OpenError> {
        Self::open_to_load(directory)?.if_whole()
    }

    /// As [`open`](Self::open), also if a load has left part of a dump in it.
    ///
    /// # Errors
    /// [`OpenError::Locked`] if it is in use, [`OpenError::ReadOnly`] if it cannot be written to.
    pub fn open_to_load(directory: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let directory = directory.into();
        let refused = |action, file: &Path, error: io::Error| match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                OpenError::ReadOnly { directory: directory.clone() }
            }
            _ => OpenError::Io { action, file: file.display().to_string(), error },
        };
        let log = directory.join("log");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&log)
            .map_err(|error| refused("create", &log, error))?;
        let path = directory.join(LOCK_NAME);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| refused("open", &path, error))?;
        take_lock(lock.try_lock(), &mut lock, &directory, &path)?;
        // Only to be told to others; the lock is what counts. There may be no room for it, and a full disk is no
        // reason not to start.
        let _told =
            lock.set_len(0).and_then(|()| lock.write_all(format!("{}\n", std::process::id()).as_bytes()));
        Ok(Self { directory, is_read_only: false, lock: Some(lock) })
    }

    /// Takes a data directory to look at. Nothing in it can be changed.
    ///
    /// # Errors
    /// [`OpenError::Locked`] if a process uses it to write; [`OpenError::HalfLoaded`] if not all is in it;
    /// [`OpenError::Io`] if there is none.
    pub fn open_read_only(directory: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let directory = directory.into();
        let path = directory.join(LOCK_NAME);
        let lock = match File::open(&path) {
            Ok(mut lock) => {
                take_lock(lock.try_lock_shared(), &mut lock, &directory, &path)?;
                Some(lock)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                let file = path.display().to_string();
                return Err(OpenError::Io { action: "open", file, error });
            }
        };
        Self { directory, is_read_only: true, lock }.if_whole()
    }

    /// Whether a load has begun that has not ended.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn is_half_loaded(&self) -> io::Result<bool> {
        self.path(LOADING_NAME).try_exists()
    }

    /// Until [`end_load`](Self::end_load) nobody opens the directory, but to load anew. When this returns that is on the disk.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn begin_load(&self) -> io::Result<()> {
        self.create(LOADING_NAME)?.sync_data()?;
        self.sync_directory()
    }

    /// All is in the directory. When this returns that is on the disk.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn end_load(&self) -> io::Result<()> {
        self.remove(LOADING_NAME)?;
        self.sync_directory()
    }

    fn if_whole(self) -> Result<Self, OpenError> {
        match self.is_half_loaded() {
            Ok(false) => Ok(self),
            Ok(true) => Err(OpenError::HalfLoaded { directory: self.directory.clone() }),
            Err(error) => {
                let file = self.path(LOADING_NAME).display().to_string();
                Err(OpenError::Io { action: "look for", file, error })
            }
        }
    }

    /// The data directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.is_read_only { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(()) }
    }
}

impl Drop for FileDisk {
    fn drop(&mut self) {
        // To close the file does not release it while a child process that is about to execute its program has it open too.
        if let Some(lock) = &self.lock {
            let _released_when_closed = lock.unlock();
        }
    }
}

fn take_lock(
    taken: Result<(), TryLockError>,
    lock: &mut File,
    directory: &Path,
    path: &Path,
) -> Result<(), OpenError> {
    match taken {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Who holds it may not have said who it is.
            let _ = lock.take(32).read_to_string(&mut text);
            let process_id = text.trim().parse().ok();
            Err(OpenError::Locked { directory: directory.to_owned(), process_id })
        }
        Err(TryLockError::Error(error)) => {
            Err(OpenError::Io { action: "lock", file: path.display().to_string(), error })
        }
    }
}

impl Disk for FileDisk {
    type File = RealFile;

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        if self.path("FORMAT").try_exists()? {
            names.push("FORMAT".to_owned());
        }
        let entries = match fs::read_dir(self.path("log")) {
            Err(error) if self.is_read_only && error.kind() == io::ErrorKind::NotFound => return Ok(names),
            entries => entries?,
        };
        for entry in entries {
            names.push(format!("log/{}", entry?.file_name().to_string_lossy()));
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<RealFile> {
        self.check_writable()?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600).open(self.path(name)).map(RealFile)
    }

    fn open(&self, name: &str) -> io::Result<RealFile> {
        OpenOptions::new().read(true).write(!self.is_read_only).open(self.path(name)).map(RealFile)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.check_writable()?;
        fs::remove_file(self.path(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.check_writable()?;
        fs::rename(self.path(from), self.path(to))
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(self.path("log"))?.sync_all()?;
        File::open(&self.directory)?.sync_all()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let figures = rustix::fs::statvfs(&self.directory)?;
        Ok(figures.f_bavail.saturating_mul(figures.f_frsize))
    }
}

/// A file of a [`FileDisk`].
#[derive(Debug)]
pub struct RealFile(File);

impl DiskFile for RealFile {
    fn length(&self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(bytes, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }

    #[cfg(target_os = "linux")]
    fn preallocate(&self, length: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;

        let from = self.length()?;
        if length <= from {
            return Ok(());
        }
        match fallocate(&self.0, FallocateFlags::empty(), from, length - from) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            result => Ok(result?),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn preallocate(&self, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As between `fork` and `exec`, in whatever thread of the process.
    #[test]
    fn a_copy_of_the_lock_in_a_child_process_does_not_keep_it() {
        let name = format!("ferry-store-lock-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let disk = FileDisk::open(&directory).unwrap();
        let copy = disk.lock.as_ref().unwrap().try_clone().unwrap();
        assert!(matches!(FileDisk::open(&directory), Err(OpenError::Locked { .. })));
        drop(disk);
        FileDisk::open(&directory).unwrap();
        drop(copy);
        fs::remove_dir_all(directory).unwrap();
    }
}
