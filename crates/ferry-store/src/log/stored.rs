use std::io;

use super::index::Location;
use super::segments::Segments;
use crate::{Disk, Key};

/// What [`Log::visit`](crate::Log::visit) shows of a key: its value is read only when asked for.
pub struct Stored<'a> {
    /// The key.
    pub key: Key,
    /// The key that it refers to.
    pub shared: Option<Key>,
    /// Bytes of its entry, its value and a few more.
    pub entry_bytes: usize,
    location: Location,
    shared_location: Option<Location>,
    reader: &'a mut dyn ReadValue,
}

impl<'a> Stored<'a> {
    pub(crate) fn new(
        key: Key,
        shared: Option<(Key, Option<Location>)>,
        location: Location,
        reader: &'a mut dyn ReadValue,
    ) -> Self {
        Self {
            key,
            shared: shared.map(|(key, _)| key),
            entry_bytes: location.length as usize,
            location,
            shared_location: shared.and_then(|(_, location)| location),
            reader,
        }
    }

    /// Appends the value to `out`.
    ///
    /// # Errors
    /// As [`Log::read`](crate::Log::read).
    pub fn read(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.reader.read_value(self.location, out)
    }

    /// Appends the value that it refers to to `out`; `false` if there is none.
    ///
    /// # Errors
    /// As [`Log::read`](crate::Log::read).
    pub fn read_shared(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        match self.shared_location {
            None => Ok(false),
            Some(location) => self.reader.read_value(location, out).map(|()| true),
        }
    }
}

/// Reads the value of the entry at a place, from whatever disk.
pub(crate) trait ReadValue {
    fn read_value(&mut self, location: Location, out: &mut Vec<u8>) -> io::Result<()>;
}

impl<D: Disk> ReadValue for Segments<D> {
    fn read_value(&mut self, location: Location, out: &mut Vec<u8>) -> io::Result<()> {
        Segments::read_value(self, location, out)
    }
}
