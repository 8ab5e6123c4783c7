//! What the engine needs of a machine: a directory of files.

mod file_disk;
mod simulated_disk;

use std::io;

pub use file_disk::{FileDisk, RealFile};
pub use simulated_disk::{Fault, Operation, SimulatedDisk, SimulatedFile};

/// A directory of files as the [`Log`](crate::Log) needs it: everything it asks of a machine goes through here, so
/// that the same engine runs on a simulated one. No call is asynchronous.
///
/// What is written is durable only after [`DiskFile::sync_data`]; that a file exists, or not, only after
/// [`Disk::sync_directory`].
pub trait Disk {
    /// An open file.
    type File: DiskFile;

    /// Names of all files in the directory, in any order.
    ///
    /// # Errors
    /// As the operating system says; so do all others here.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes a new, empty file.
    ///
    /// # Errors
    /// Also if there is one of that name.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Opens a file to read and write, or only to read if the disk is open read-only.
    ///
    /// # Errors
    /// Also if there is none of that name.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Takes a file's name away.
    ///
    /// # Errors
    /// Also if there is none of that name.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Gives a file another name, which no file has. Who has it open still has it open.
    ///
    /// # Errors
    /// Also if there is none of that name. A disk that cannot do this does not need to.
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let _ = (from, to);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes durable which files there are.
    ///
    /// # Errors
    /// As the operating system says.
    fn sync_directory(&self) -> io::Result<()>;

    /// Bytes that may still be allocated.
    ///
    /// # Errors
    /// As the operating system says.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// A file of a [`Disk`].
pub trait DiskFile {
    /// Bytes that the file has.
    ///
    /// # Errors
    /// As the operating system says; so do all others here.
    fn length(&self) -> io::Result<u64>;

    /// Reads into `bytes`, from `offset` on; 0 at the end of the file. May read less than asked for.
    ///
    /// # Errors
    /// As the operating system says.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize>;

    /// Writes at `offset`, making the file longer if need be. May write less than asked for.
    ///
    /// # Errors
    /// As the operating system says.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Makes the file at least `length` bytes long, with zeros that have their place on the disk. A file system
    /// that cannot do so does nothing.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`] if there is no room.
    fn preallocate(&self, length: u64) -> io::Result<()>;

    /// Cuts the file to `length` bytes.
    ///
    /// # Errors
    /// As the operating system says.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Makes the file's content and length durable.
    ///
    /// # Errors
    /// As the operating system says. After an error it is unknown what is durable, and asking again does not tell.
    fn sync_data(&self) -> io::Result<()>;
}
