use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

use ferry_core::persistence::{EntryKey, Value};
use ferry_store::Stored;
use serde_json::json;

use super::managed::Managed;
use super::value_json::line_of;
use super::{DUMP_VERSION, Progress, StoreToolError, open};
use crate::storage::entry_key;

/// What is to be in a dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DumpOptions {
    /// Leave out the users who are managed at run time, with the hashes of their passwords.
    pub without_users: bool,
}

/// What became of a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DumpReport {
    /// Entries written.
    pub entries: u64,
    /// How many of them are users: with the hashes of their passwords.
    pub users: usize,
    /// Entries and files that could not be read, and are not in the dump: the first hundred.
    pub unreadable: Vec<String>,
    /// Number of these.
    pub unreadable_count: u64,
    /// Whether something of the log was lost already.
    pub is_damaged: bool,
}

/// Entries that are named.
const UNREADABLE_MAX: usize = 100;

struct Dump<'a> {
    out: &'a mut dyn Write,
    report: DumpReport,
    /// Bodies that are written: each comes right before the first entry that refers to it.
    bodies: HashSet<u64>,
    value: Vec<u8>,
}

/// Writes everything in a data directory as lines of JSON, and changes nothing.
///
/// # Errors
/// The directory is in use, cannot be read, or is of another version; or the dump cannot be written.
pub fn dump(
    directory: &Path,
    options: DumpOptions,
    out: &mut dyn Write,
    progress: &mut Progress<'_>,
) -> Result<DumpReport, StoreToolError> {
    let (mut log, recovery) = open(directory, progress)?;
    let live_records = log.figures().live_records;
    let report = DumpReport { is_damaged: recovery.is_damaged(), ..DumpReport::default() };
    let mut dump = Dump { out, report, bodies: HashSet::new(), value: Vec::new() };
    dump.line(&json!({ "ferry_dump": DUMP_VERSION, "written_by": env!("CARGO_PKG_VERSION") }))?;
    dump.managed(&Managed::read(directory, !options.without_users))?;
    let mut visited = 0;
    log.visit::<StoreToolError>(&mut |stored| {
        visited += 1;
        progress(visited, live_records);
        dump.entry(stored)
    })?;
    let entries = dump.report.entries;
    dump.line(&json!({ "kind": "end", "entries": entries }))?;
    dump.out.flush().map_err(StoreToolError::Io)?;
    Ok(dump.report)
}

impl Dump<'_> {
    fn managed(&mut self, managed: &Managed) -> Result<(), StoreToolError> {
        let report = managed.report();
        self.report.users = report.users;
        report.problems.into_iter().for_each(|problem| self.unreadable(problem));
        for line in managed.lines() {
            self.line(&line)?;
            self.report.entries += 1;
        }
        Ok(())
    }

    fn entry(&mut self, stored: &mut Stored<'_>) -> Result<(), StoreToolError> {
        let key = entry_key(stored.key);
        if is_body(key) {
            return Ok(());
        }
        let body = stored.shared.map(entry_key);
        if let Some(body) = body
            && !self.bodies.contains(&body.item)
        {
            self.value.clear();
            let is_read = stored.read_shared(&mut self.value).is_ok_and(|found| found);
            if !is_read || !self.value(body, None)? {
                self.unreadable_entry(body);
                self.unreadable_entry(key);
                return Ok(());
            }
            self.bodies.insert(body.item);
        }
        self.value.clear();
        if stored.read(&mut self.value).is_err() || !self.value(key, body)? {
            self.unreadable_entry(key);
        }
        Ok(())
    }

    /// Writes the entry that has been read; `false` if it is not one.
    fn value(&mut self, key: EntryKey, body: Option<EntryKey>) -> Result<bool, StoreToolError> {
        let Some(value) = Value::read(key, &self.value) else { return Ok(false) };
        let Some(line) = line_of(key, &value, body) else { return Ok(false) };
        self.line(&line)?;
        self.report.entries += 1;
        Ok(true)
    }

    fn line(&mut self, line: &serde_json::Value) -> Result<(), StoreToolError> {
        writeln!(self.out, "{line}").map_err(StoreToolError::Io)
    }

    fn unreadable_entry(&mut self, key: EntryKey) {
        self.unreadable(crate::storage::store_key(key).to_string());
    }

    fn unreadable(&mut self, what: String) {
        self.report.unreadable_count += 1;
        if self.report.unreadable.len() < UNREADABLE_MAX {
            self.report.unreadable.push(what);
        }
    }
}

fn is_body(key: EntryKey) -> bool {
    (key.group, key.space) == (0, ferry_core::persistence::Space::Body as u8)
}
