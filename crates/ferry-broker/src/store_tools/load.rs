use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::BufRead;
use std::path::Path;

use ferry_core::persistence::{EntrySink, Space};
use ferry_store::{Batch, Disk, FileDisk, Log, LogOptions};
use serde_json::Value as Json;

use super::message_json::Fields;
use super::value_json::{Entry, entry_of};
use super::{DUMP_VERSION, StoreToolError};
use crate::storage::BatchSink;

/// Bytes that are written together.
const BATCH_BYTES: usize = 1024 * 1024;

/// Makes a data directory of a dump; `progress` is told the lines read. Returns how many entries there are. After an
/// error the directory is as empty as before.
///
/// # Errors
/// The directory is not empty or cannot be written; or the dump is none, is not whole, or cannot be read.
pub fn load(
    directory: &Path,
    input: &mut dyn BufRead,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, StoreToolError> {
    let disk = FileDisk::open(directory)?;
    if disk.list().is_ok_and(|names| !names.is_empty()) {
        return Err(StoreToolError::NotEmpty);
    }
    let options = LogOptions { salt: RandomState::new().hash_one(directory), ..LogOptions::default() };
    let (log, _) = Log::open(disk, options)?;
    let mut load = Load { log, batch: Batch::new(), pending_body: None, line: 0, entries: 0 };
    let loaded = load.lines(input, progress);
    let Load { log, entries, .. } = load;
    match loaded {
        Ok(()) => log.close().map_err(StoreToolError::Store).map(|()| entries),
        Err(error) => {
            for name in log.disk().list().unwrap_or_default() {
                // What is left is named by the next attempt.
                let _removed = log.disk().remove(&name);
            }
            Err(error)
        }
    }
}

struct Load {
    log: Log<FileDisk>,
    batch: Batch,
    /// It is written together with the first entry that refers to it.
    pending_body: Option<Entry>,
    line: u64,
    entries: u64,
}

impl Load {
    fn lines(
        &mut self,
        input: &mut dyn BufRead,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), StoreToolError> {
        let mut text = String::new();
        loop {
            text.clear();
            if input.read_line(&mut text).map_err(StoreToolError::Io)? == 0 {
                return Err(self.wrong("the dump ends before its end"));
            }
            self.line += 1;
            progress(self.line);
            let json: Json = serde_json::from_str(&text).map_err(|error| self.wrong(&error.to_string()))?;
            let Json::Object(line) = &json else { return Err(self.wrong("not an object")) };
            let fields = Fields(line);
            if self.line == 1 {
                self.check_header(&fields)?;
            } else if line.get("kind").is_some_and(|kind| kind == "end") {
                return self.end(&fields);
            } else {
                let entry = entry_of(line).map_err(|wrong| self.wrong(&wrong))?;
                self.entry(entry)?;
            }
        }
    }

    fn check_header(&self, fields: &Fields<'_>) -> Result<(), StoreToolError> {
        match fields.some_number("ferry_dump") {
            Ok(Some(DUMP_VERSION)) => Ok(()),
            Ok(Some(version)) => {
                Err(self.wrong(&format!("dumps of version {version} are not known, only of {DUMP_VERSION}")))
            }
            _ => Err(self.wrong("not a dump of ferry")),
        }
    }

    fn entry(&mut self, entry: Entry) -> Result<(), StoreToolError> {
        self.entries += 1;
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
            return Err(
                self.wrong(&format!("there should be {entries} entries, and there are {}", self.entries))
            );
        }
        self.write()
    }

    fn write(&mut self) -> Result<(), StoreToolError> {
        self.log.append(std::slice::from_ref(&self.batch)).map_err(StoreToolError::Store)?;
        self.batch.clear();
        Ok(())
    }

    fn wrong(&self, message: &str) -> StoreToolError {
        StoreToolError::Dump { line: self.line, message: message.to_owned() }
    }
}
