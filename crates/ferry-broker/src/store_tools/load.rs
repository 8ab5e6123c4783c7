use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, BufRead, Read};
use std::path::Path;

use ferry_core::persistence::{EntrySink, Space};
use ferry_store::{Batch, Disk, FileDisk, Log, LogOptions};
use serde_json::Value as Json;

use super::managed::{self, ManagedLoad};
use super::message_json::Fields;
use super::value_json::{Entry, entry_of};
use super::{DUMP_VERSION, DUMP_VERSION_MIN, StoreToolError};
use crate::storage::BatchSink;

/// Bytes that are written together.
const BATCH_BYTES: usize = 1024 * 1024;

/// Bytes of the first line: whatever else is given for a dump is not read to its end.
const HEADER_BYTES_MAX: u64 = 4096;

/// For a line that is not as it was written.
const WRONG_LINE: &str = "nothing was loaded; correct the line, or take another copy of the dump";

/// For a dump of which something is missing, or with something behind its end.
const NOT_WHOLE: &str =
    "nothing was loaded; take another copy of the dump, or make it again with `ferry store dump`";

/// Makes a data directory of a dump; `progress` is told the lines read. Returns how many entries there are. After an
/// error the directory is as empty as before. If the process ends in the middle, nobody opens what is there, but for
/// loading again, which begins anew.
///
/// # Errors
/// The directory is not empty or cannot be written; or the dump is none, is not whole, or cannot be read.
pub fn load(
    directory: &Path,
    input: &mut dyn BufRead,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, StoreToolError> {
    let disk = FileDisk::open_to_load(directory)?;
    if disk.is_half_loaded().map_err(StoreToolError::Store)? {
        clear(&disk).map_err(StoreToolError::Store)?;
    }
    if managed::is_any(directory) || !disk.list().map_err(StoreToolError::Store)?.is_empty() {
        return Err(StoreToolError::NotEmpty);
    }
    let loaded = load_all(disk, input, progress);
    if loaded.is_err()
        && let Ok(disk) = FileDisk::open_to_load(directory)
        && disk.is_half_loaded().unwrap_or_default()
    {
        // What is left is named by whoever opens it.
        let _cleared = clear(&disk);
    }
    loaded
}

fn load_all(
    disk: FileDisk,
    input: &mut dyn BufRead,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, StoreToolError> {
    let directory = disk.directory().to_owned();
    disk.begin_load().map_err(StoreToolError::Store)?;
    let options = LogOptions { salt: RandomState::new().hash_one(&directory), ..LogOptions::default() };
    let (log, _) = Log::open(disk, options)?;
    let mut load = Load {
        log,
        managed: ManagedLoad::new(),
        batch: Batch::new(),
        pending_body: None,
        line: 0,
        entries: 0,
    };
    load.lines(input, progress)?;
    let Load { log, managed, entries, .. } = load;
    managed.write(&directory).map_err(StoreToolError::Store)?;
    let disk = log.close().map_err(StoreToolError::Store)?;
    disk.end_load().map_err(StoreToolError::Store)?;
    Ok(entries)
}

/// Takes out all that a load has put there, at the end the sign of it.
fn clear(disk: &FileDisk) -> io::Result<()> {
    for name in disk.list()? {
        disk.remove(&name)?;
    }
    managed::remove(disk.directory())?;
    disk.sync_directory()?;
    disk.end_load()
}

struct Load {
    log: Log<FileDisk>,
    managed: ManagedLoad,
    batch: Batch,
    /// It is written together with the first entry that refers to it.
    pending_body: Option<Entry>,
    line: u64,
    entries: u64,
}

impl Load {
    fn lines(
        &mut self,
        mut input: &mut dyn BufRead,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), StoreToolError> {
        let mut text = Vec::new();
        let first = (&mut input).take(HEADER_BYTES_MAX).read_until(b'\n', &mut text);
        first.map_err(StoreToolError::Io)?;
        self.line = 1;
        self.check_header(&text)?;
        loop {
            text.clear();
            if input.read_until(b'\n', &mut text).map_err(StoreToolError::Io)? == 0 {
                return Err(self.not_whole("the dump ends before its end"));
            }
            self.line += 1;
            progress(self.line);
            let json: Json = serde_json::from_slice(&text).map_err(|error| self.not_json(&error))?;
            let Json::Object(line) = &json else { return Err(self.wrong("not an object")) };
            if line.get("kind").is_some_and(|kind| kind == "end") {
                self.end(&Fields(line))?;
                return match input.fill_buf().map_err(StoreToolError::Io)? {
                    [] => Ok(()),
                    _ => Err(self.not_whole("there is more behind the end of the dump")),
                };
            }
            self.entries += 1;
            if !self.managed.take(line).map_err(|wrong| self.wrong(&wrong))? {
                let entry = entry_of(line).map_err(|wrong| self.wrong(&wrong))?;
                self.entry(entry)?;
            }
        }
    }

    fn check_header(&self, line: &[u8]) -> Result<(), StoreToolError> {
        let wrong = |message: String, remedy| Err(StoreToolError::Dump { line: self.line, message, remedy });
        let header = serde_json::from_slice::<Json>(line).ok();
        match header.and_then(|header| header["ferry_dump"].as_u64()) {
            Some(DUMP_VERSION_MIN..=DUMP_VERSION) => Ok(()),
            Some(version) => wrong(
                format!("dumps of version {version} are not known, only up to {DUMP_VERSION}"),
                "nothing was loaded; use the version of ferry that has made it, or a newer one",
            ),
            None => wrong(
                "not a dump of ferry".to_owned(),
                "nothing was loaded; give a file that `ferry store dump` has made, and that is not compressed",
            ),
        }
    }

    fn entry(&mut self, entry: Entry) -> Result<(), StoreToolError> {
        if entry.key.space == Space::Body as u8 {
            if self.pending_body.replace(entry).is_some() {
                return Err(self.wrong("a message that nothing refers to comes before this one"));
            }
            return Ok(());
        }
        let mut sink = BatchSink(&mut self.batch);
        let Entry { key, value, body } = entry;
        match body {
            None => sink.put(key, |out| value.write(out)),
            Some(body) => {
                let is_new = self.pending_body.as_ref().is_some_and(|pending| pending.key == body);
                if is_new && let Some(pending) = self.pending_body.take() {
                    sink.put_shared(body, |out| pending.value.write(out));
                }
                sink.put_referring(key, body, |out| value.write(out));
            }
        }
        if self.pending_body.is_some() {
            return Err(self.wrong("the message before this line is not the one that it refers to"));
        }
        if self.batch.bytes() >= BATCH_BYTES { self.write() } else { Ok(()) }
    }

    fn end(&mut self, fields: &Fields<'_>) -> Result<(), StoreToolError> {
        let entries = fields.number("entries").map_err(|wrong| self.wrong(&wrong))?;
        if entries != self.entries || self.pending_body.is_some() {
            let message = format!("there should be {entries} entries, and there are {}", self.entries);
            return Err(self.not_whole(&message));
        }
        self.write()
    }

    fn write(&mut self) -> Result<(), StoreToolError> {
        self.log.append(std::slice::from_ref(&self.batch)).map_err(StoreToolError::Store)?;
        self.batch.clear();
        Ok(())
    }

    fn wrong(&self, message: &str) -> StoreToolError {
        StoreToolError::Dump { line: self.line, message: message.to_owned(), remedy: WRONG_LINE }
    }

    fn not_json(&self, error: &serde_json::Error) -> StoreToolError {
        match error.is_eof() {
            true => self.not_whole("it ends in the middle"),
            false => self.wrong(&format!("this is not JSON in column {}", error.column())),
        }
    }

    fn not_whole(&self, message: &str) -> StoreToolError {
        StoreToolError::Dump { line: self.line, message: message.to_owned(), remedy: NOT_WHOLE }
    }
}
