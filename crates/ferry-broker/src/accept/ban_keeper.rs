//! Bans outlive the process: a file in the data directory has those that the configuration does not.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use ferry_session::Timestamp;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::ban_list::{BanList, BanOrigin};
use crate::config::Ban;
use crate::driver::Clock;
use crate::managed_file::ManagedFile;
use crate::start_error::StartError;

/// The file's name in the data directory.
pub(crate) const BANS_FILE: &str = "bans.jsonl";

/// Version of the form of the file, in its first line.
const VERSION: u64 = 1;

/// What became of the bans: they are on the disk, or words for why not.
pub(crate) type Kept = Result<(), String>;

/// Writes the bans whenever they have changed, by a thread of its own, for shards change them too and must not wait for a
/// disk. What changes while it writes is written together. The thread starts with the first change.
pub(crate) struct BanKeeper {
    file: ManagedFile,
    bans: Arc<BanList>,
    clock: Clock,
    writer: Mutex<Option<Writer>>,
}

struct Writer {
    wanted: Sender<oneshot::Sender<Kept>>,
    thread: JoinHandle<()>,
}

impl BanKeeper {
    /// Adds the bans of the file to `bans`, and keeps those there from now on.
    ///
    /// # Errors
    /// The file cannot be read, or is not one of ours: without it somebody might connect who must not.
    pub(crate) fn open(file: ManagedFile, bans: Arc<BanList>, clock: Clock) -> Result<Self, StartError> {
        let wrong = |message: String| StartError::Managed { file: file.path().to_owned(), message };
        let now = clock.now();
        for (ban, origin) in read_bans(&file).map_err(wrong)?.unwrap_or_default() {
            if !ban.has_ended(now) {
                bans.add(now, ban, origin).map_err(|full| wrong(full.to_string()))?;
            }
        }
        Ok(Self { file, bans, clock, writer: Mutex::new(None) })
    }

    /// Has the bans written as they are now, or later; tells when they are.
    pub(crate) fn keep(&self) -> oneshot::Receiver<Kept> {
        let (answer, answered) = oneshot::channel();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.is_none() {
            match self.start() {
                Ok(started) => *writer = Some(started),
                Err(error) => {
                    let _ = answer.send(Err(format!("the system gives no thread: {error}")));
                    return answered;
                }
            }
        }
        if let Some(writer) = &*writer {
            // It ends after its sender only.
            let _ = writer.wanted.send(answer);
        }
        answered
    }

    fn start(&self) -> std::io::Result<Writer> {
        let (wanted, wants) = mpsc::channel();
        let (file, bans, clock) = (self.file.clone(), Arc::clone(&self.bans), self.clock);
        let thread = thread::Builder::new().name("ferry-bans".to_owned());
        let thread = thread.spawn(move || write_all(&file, &bans, clock, &wants))?;
        Ok(Writer { wanted, thread })
    }
}

impl Drop for BanKeeper {
    /// What has changed last is written before the end.
    fn drop(&mut self) {
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Writer { wanted, thread }) = writer else { return };
        drop(wanted);
        if thread.join().is_err() {
            tracing::error!("the thread that keeps bans has failed");
        }
    }
}

fn write_all(file: &ManagedFile, bans: &BanList, clock: Clock, wants: &Receiver<oneshot::Sender<Kept>>) {
    let write = || {
        let kept = file.replace(&bans_text(&bans.all(clock.now())));
        kept.map_err(|error| format!("{}: {error}", file.path().display()))
    };
    let mut kept = Ok(());
    while let Ok(first) = wants.recv() {
        let asked: Vec<_> = std::iter::once(first).chain(wants.try_iter()).collect();
        kept = write();
        if let Err(words) = &kept {
            tracing::error!("bans are in force, but not after a restart: {words}");
        }
        for answer in asked {
            // Shards do not wait for it.
            let _ = answer.send(kept.clone());
        }
    }
    // By now there may be room for them.
    if kept.is_err()
        && let Err(words) = write()
    {
        tracing::error!("bans are forgotten: {words}");
    }
}

/// The bans of a file; `None` if there is no file.
///
/// # Errors
/// Words for why it cannot be read, or what is wrong with it.
pub(crate) fn read_bans(file: &ManagedFile) -> Result<Option<Vec<(Ban, BanOrigin)>>, String> {
    let text = file.read().map_err(|error| error.to_string())?;
    text.as_deref().map(parse).transpose()
}

/// One line for each that is not configured, after one that says what this is.
pub(crate) fn bans_text(bans: &[(Ban, BanOrigin)]) -> String {
    let mut text = format!("{}\n", json!({ "ferry_bans": VERSION }));
    for (ban, origin) in bans.iter().filter(|(_, origin)| *origin != BanOrigin::Configuration) {
        text.push_str(&ban_json(ban, *origin).to_string());
        text.push('\n');
    }
    text
}

/// A ban as a line of JSON.
pub(crate) fn ban_json(ban: &Ban, origin: BanOrigin) -> Value {
    json!({
        "address": ban.network.map(|network| network.to_string()),
        "user": ban.user_name,
        "client_id": ban.client_id,
        "until_milliseconds": ban.until.map(|until| until.0),
        "reason": ban.reason,
        "automatic": origin == BanOrigin::Automatic,
    })
}

fn parse(text: &str) -> Result<Vec<(Ban, BanOrigin)>, String> {
    let mut lines = text.lines().zip(1..);
    let Some((first, _)) = lines.next() else { return Ok(Vec::new()) };
    let version = serde_json::from_str::<Value>(first).ok().and_then(|line| line["ferry_bans"].as_u64());
    if version != Some(VERSION) {
        return Err(format!("line 1: not bans of version {VERSION}"));
    }
    let parsed = lines.map(|(line, number)| {
        let json = serde_json::from_str(line).map_err(|error| error.to_string());
        json.and_then(|json| ban_of(&json)).map_err(|wrong| format!("line {number}: {wrong}"))
    });
    parsed.collect()
}

/// The ban of a line of JSON.
///
/// # Errors
/// What is wrong with it: without one member it would be about others.
pub(crate) fn ban_of(line: &Value) -> Result<(Ban, BanOrigin), String> {
    let text = |name: &str| match &line[name] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(format!("{name} is no text")),
    };
    let until = match &line["until_milliseconds"] {
        Value::Null => None,
        until => Some(Timestamp(until.as_u64().ok_or("until_milliseconds is no whole number")?)),
    };
    let address = text("address")?.map(|text| text.parse()).transpose();
    let ban = Ban {
        network: address.map_err(|wrong: &str| format!("address: {wrong}"))?,
        user_name: text("user")?,
        client_id: text("client_id")?,
        until,
        reason: text("reason")?.unwrap_or_default(),
    };
    if ban.is_about_same(&Ban::default()) {
        return Err("neither address nor user nor client_id is named".to_owned());
    }
    let is_automatic = line["automatic"] == true;
    Ok((ban, if is_automatic { BanOrigin::Automatic } else { BanOrigin::Operator }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bans_come_back_from_their_lines_whatever_is_in_them() {
        let ban = |text: &str| text.parse::<Ban>().expect("a ban");
        let odd = Ban { client_id: Some("a\nb\"\u{1b}; c=d".to_owned()), ..Ban::default() };
        let kept = vec![
            (ban("address=2001:db8::/32; user=x; until=2999-12-31; reason=it floods"), BanOrigin::Operator),
            (odd, BanOrigin::Automatic),
        ];
        let mut all = kept.clone();
        all.push((ban("user=y"), BanOrigin::Configuration));
        assert_eq!(parse(&bans_text(&all)).expect("bans"), kept);
        assert_eq!(parse("").expect("none"), Vec::new());
        let first = "{\"ferry_bans\":1}\n";
        for wrong in ["user=x", "{\"ferry_bans\":2}\n", "{}"] {
            assert!(parse(wrong).expect_err("wrong").starts_with("line 1: "), "{wrong}");
        }
        let other_types = ["{\"address\":1,\"user\":\"x\"}", "{\"user\":\"x\",\"until_milliseconds\":\"1\"}"];
        for wrong in ["{}", "x", "{\"address\":\"x\"}"].into_iter().chain(other_types) {
            let error = parse(&format!("{first}{wrong}\n")).expect_err("wrong");
            assert!(error.starts_with("line 2: "), "{error}");
        }
    }
}
