use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Disk, DiskFile};

/// Bytes that are written whole or not at all when the power fails.
const SECTOR_BYTES: usize = 512;

/// A disk in memory that loses, tears and reorders what was not synced when the power fails, that can be full, and
/// that fails when told to. The same seed and the same calls give the same disk. Clones are the same disk.
///
/// Operations that change something are counted; see [`Operation`].
#[derive(Clone, Debug)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

/// What happens at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power fails while it is under way. Nothing works until [`SimulatedDisk::restart`].
    PowerFails,
    /// It fails. Part of a write may be done; of what a sync should have made durable, some is and some never will
    /// be, though reading still shows it.
    Fails,
    /// There is no room: a write writes nothing. Other operations succeed.
    Full,
}

/// What is counted: everything that a loss of power can undo, or leave half done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// [`Disk::create`]
    Create,
    /// [`Disk::remove`]
    Remove,
    /// [`Disk::rename`]
    Rename,
    /// [`Disk::sync_directory`]
    SyncDirectory,
    /// [`DiskFile::write_at`]
    Write,
    /// [`DiskFile::preallocate`]
    Preallocate,
    /// [`DiskFile::truncate`]
    Truncate,
    /// [`DiskFile::sync_data`]
    SyncData,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Create,
        Self::Remove,
        Self::Rename,
        Self::SyncDirectory,
        Self::Write,
        Self::Preallocate,
        Self::Truncate,
        Self::SyncData,
    ];
}

#[derive(Debug)]
struct State {
    random: u64,
    /// Which file has a name, as reading shows it, and as it is after a loss of power.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
    files: Vec<Content>,
    /// Counted up when handles become useless.
    generation: u64,
    is_off: bool,
    is_read_only: bool,
    operations: u64,
    counts: [u64; Operation::ALL.len()],
    faults: BTreeMap<u64, Fault>,
    capacity_bytes: u64,
}

#[derive(Debug)]
enum NameChange {
    Create(String, usize),
    Remove(String),
    Rename(String, String),
}

#[derive(Debug, Default)]
struct Content {
    /// As reading shows it.
    current: Vec<u8>,
    /// As it is after a loss of power, but for what is pending.
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write {
        offset: usize,
        bytes: Vec<u8>,
    },
    /// Cut, or made longer with zeros.
    SetLength(usize),
}

impl SimulatedDisk {
    /// An empty disk of a tebibyte.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            random: seed,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            files: Vec::new(),
            generation: 0,
            is_off: false,
            is_read_only: false,
            operations: 0,
            counts: [0; Operation::ALL.len()],
            faults: BTreeMap::new(),
            capacity_bytes: 1 << 40,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Number of operations so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Number of operations of one kind so far.
    #[must_use]
    pub fn count(&self, operation: Operation) -> u64 {
        self.state().counts[operation as usize]
    }

    /// Lets something happen at operation number `operation`; the next one has the number
    /// [`SimulatedDisk::operations`].
    pub fn plan(&self, operation: u64, fault: Fault) {
        self.state().faults.insert(operation, fault);
    }

    /// Lets nothing planned happen any more.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// Room for all files together.
    pub fn set_capacity_bytes(&self, capacity_bytes: u64) {
        self.state().capacity_bytes = capacity_bytes;
    }

    /// Lets every operation fail, or not.
    pub fn set_read_only(&self, is_read_only: bool) {
        self.state().is_read_only = is_read_only;
    }

    /// Whether the power has failed.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.state().is_off
    }

    /// The power fails, and comes again: of what was not synced, some is there, some is not, and some is torn. Open
    /// files are of no use any more.
    pub fn restart(&self) {
        self.state().restart();
    }

    /// The process ends, and another one comes: all that was written is there. Open files are of no use any more.
    pub fn end_process(&self) {
        let mut state = self.state();
        state.generation += 1;
        state.is_off = false;
    }

    /// Names of all files.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    /// What is in a file, if it is there.
    #[must_use]
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(name).map(|id| state.files[*id].current.clone())
    }

    /// Puts a file there, or replaces one, durably.
    pub fn plant(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.state();
        let id = state.files.len();
        state.files.push(Content { current: bytes.clone(), durable: bytes, pending: Vec::new() });
        state.settle_names();
        state.names.insert(name.to_owned(), id);
        state.durable_names.insert(name.to_owned(), id);
    }

    /// Takes a file away, durably.
    pub fn destroy(&self, name: &str) {
        let mut state = self.state();
        state.settle_names();
        state.names.remove(name);
        state.durable_names.remove(name);
    }

    /// Flips one bit of a file, durably, even under those who have it open; nothing happens if there is no such
    /// place.
    pub fn flip_bit(&self, name: &str, offset: usize, bit: u8) {
        let mut state = self.state();
        let Some(id) = state.names.get(name).copied() else { return };
        let content = &mut state.files[id];
        for bytes in [&mut content.current, &mut content.durable] {
            if let Some(byte) = bytes.get_mut(offset) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    /// Cuts a file, durably.
    pub fn cut(&self, name: &str, length: usize) {
        if let Some(mut bytes) = self.content(name) {
            bytes.truncate(length);
            self.plant(name, bytes);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts an operation; returns what happens to it.
    fn operate(&mut self, operation: Operation) -> io::Result<Option<Fault>> {
        self.check_on()?;
        if self.is_read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let fault = self.faults.remove(&self.operations);
        self.operations += 1;
        self.counts[operation as usize] += 1;
        self.is_off |= fault == Some(Fault::PowerFails);
        Ok(fault)
    }

    fn check_on(&self) -> io::Result<()> {
        if self.is_off { Err(io::Error::other("the power has failed")) } else { Ok(()) }
    }

    /// As [`State::operate`], for an operation that is done wholly or not at all: `true` if it is.
    fn operate_whole(&mut self, operation: Operation) -> io::Result<bool> {
        match self.operate(operation)? {
            None | Some(Fault::Full) => Ok(true),
            // It may have been done before the power failed.
            Some(Fault::PowerFails) => Ok(self.chance(2)),
            Some(Fault::Fails) => Err(input_output_error()),
        }
    }

    fn used_bytes(&self) -> u64 {
        self.names.values().map(|id| self.files[*id].current.len() as u64).sum()
    }

    fn change(&mut self, id: usize, change: Change) {
        let content = &mut self.files[id];
        change.apply(&mut content.current, None);
        content.pending.push(change);
    }

    /// The result of an operation: an error if the power failed meanwhile.
    fn done<T>(&self, value: T) -> io::Result<T> {
        self.check_on().map(|()| value)
    }

    fn restart(&mut self) {
        for id in 0..self.files.len() {
            self.settle(id);
            self.files[id].current = self.files[id].durable.clone();
        }
        for change in std::mem::take(&mut self.pending_names) {
            if self.chance(2) {
                change.apply(&mut self.durable_names);
            }
        }
        self.names = self.durable_names.clone();
        self.generation += 1;
        self.is_off = false;
    }

    /// Lets chance decide what of the pending changes of a file is durable.
    fn settle(&mut self, id: usize) {
        for change in std::mem::take(&mut self.files[id].pending) {
            let random = self.random();
            match random % 3 {
                0 => {}
                1 => change.apply(&mut self.files[id].durable, None),
                _ => change.apply(&mut self.files[id].durable, Some(random)),
            }
        }
    }

    fn settle_names(&mut self) {
        self.pending_names.clear();
        self.durable_names = self.names.clone();
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.random().is_multiple_of(one_in)
    }

    fn random(&mut self) -> u64 {
        next_random(&mut self.random)
    }
}

/// SplitMix64.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn input_output_error() -> io::Error {
    // EIO has no kind of its own.
    io::Error::other("the disk has failed")
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Create(name, id) => drop(names.insert(name.clone(), *id)),
            Self::Remove(name) => drop(names.remove(name)),
            // What was to be renamed may never have been made.
            Self::Rename(from, to) => {
                if let Some(id) = names.remove(from) {
                    names.insert(to.clone(), id);
                }
            }
        }
    }
}

impl Change {
    /// Changes a file's content. With `torn`, only some of the sectors.
    fn apply(&self, content: &mut Vec<u8>, torn: Option<u64>) {
        match self {
            Self::SetLength(length) => content.resize(*length, 0),
            Self::Write { offset, bytes } => {
                let mut random = torn;
                let (mut at, end) = (*offset, offset + bytes.len());
                while at < end {
                    let sector_end = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
                    let next = sector_end.min(end);
                    let is_kept = random.as_mut().is_none_or(|state| next_random(state).is_multiple_of(2));
                    if is_kept {
                        if content.len() < next {
                            content.resize(next, 0);
                        }
                        content[at..next].copy_from_slice(&bytes[at - offset..next - offset]);
                    }
                    at = next;
                }
            }
        }
    }
}

impl Disk for SimulatedDisk {
    type File = SimulatedFile;

    fn list(&self) -> io::Result<Vec<String>> {
        let state = self.state();
        state.check_on()?;
        Ok(state.names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<SimulatedFile> {
        let mut state = self.state();
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = state.files.len();
        state.files.push(Content::default());
        if state.operate_whole(Operation::Create)? {
            state.change_name(NameChange::Create(name.to_owned(), id));
        }
        let generation = state.generation;
        state.done(SimulatedFile { disk: self.clone(), id, generation })
    }

    fn open(&self, name: &str) -> io::Result<SimulatedFile> {
        let state = self.state();
        state.check_on()?;
        let id = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(SimulatedFile { disk: self.clone(), id, generation: state.generation })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        if !state.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if state.operate_whole(Operation::Remove)? {
            state.change_name(NameChange::Remove(name.to_owned()));
        }
        state.done(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        if !state.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if state.operate_whole(Operation::Rename)? {
            state.change_name(NameChange::Rename(from.to_owned(), to.to_owned()));
        }
        state.done(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.state();
        match state.operate(Operation::SyncDirectory)? {
            None | Some(Fault::Full) => {
                state.settle_names();
                Ok(())
            }
            Some(Fault::PowerFails) => state.done(()),
            Some(Fault::Fails) => Err(input_output_error()),
        }
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = self.state();
        state.check_on()?;
        Ok(state.capacity_bytes.saturating_sub(state.used_bytes()))
    }
}

/// A file of a [`SimulatedDisk`].
#[derive(Debug)]
pub struct SimulatedFile {
    disk: SimulatedDisk,
    id: usize,
    generation: u64,
}

impl SimulatedFile {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        state.check_on()?;
        if self.generation != state.generation {
            return Err(io::Error::other("the file was opened before a restart"));
        }
        Ok(state)
    }
}

impl DiskFile for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.state()?.files[self.id].current.len() as u64)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let state = self.state()?;
        let content = &state.files[self.id].current;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        let length = bytes.len().min(content.len() - from);
        bytes[..length].copy_from_slice(&content[from..from + length]);
        Ok(length)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state()?;
        let offset = offset as usize;
        let fault = state.operate(Operation::Write)?;
        let length = state.files[self.id].current.len();
        let free = state.capacity_bytes.saturating_sub(state.used_bytes()) as usize;
        let mut writable = bytes.len().min((length + free).saturating_sub(offset));
        match fault {
            Some(Fault::Full) => writable = 0,
            Some(Fault::Fails) => writable = (state.random() % (writable as u64 + 1)) as usize,
            _ => {}
        }
        let written = bytes[..writable].to_vec();
        if writable > 0 {
            state.change(self.id, Change::Write { offset, bytes: written });
        }
        match fault {
            Some(Fault::Fails) => Err(input_output_error()),
            _ if writable == 0 && !bytes.is_empty() => Err(io::ErrorKind::StorageFull.into()),
            _ => state.done(writable),
        }
    }

    fn preallocate(&self, length: u64) -> io::Result<()> {
        let mut state = self.state()?;
        let fault = state.operate(Operation::Preallocate)?;
        let longer = (length as usize).saturating_sub(state.files[self.id].current.len());
        let free = state.capacity_bytes.saturating_sub(state.used_bytes());
        if fault == Some(Fault::Full) || longer as u64 > free {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if fault == Some(Fault::Fails) {
            return Err(input_output_error());
        }
        if longer > 0 {
            state.change(self.id, Change::SetLength(length as usize));
        }
        state.done(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.state()?;
        if state.operate_whole(Operation::Truncate)? {
            state.change(self.id, Change::SetLength(length as usize));
        }
        state.done(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state()?;
        match state.operate(Operation::SyncData)? {
            None | Some(Fault::Full) => {
                let content = &mut state.files[self.id];
                for change in content.pending.drain(..) {
                    change.apply(&mut content.durable, None);
                }
                Ok(())
            }
            Some(Fault::PowerFails) => state.done(()),
            Some(Fault::Fails) => {
                // What is durable now stays so, the rest is never written: the system believes that it was.
                let id = self.id;
                state.settle(id);
                Err(input_output_error())
            }
        }
    }
}
