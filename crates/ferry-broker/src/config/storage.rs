//! `[storage]`: what an acknowledgement means, and where state is kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ferry_codec::{DecodeLimits, topic};
use rustix::fs::{Access, access};

use super::option::{Field, choices, section};
use super::quantity::{KIB, MIB};
use super::value::{Kind, Setting};

choices! {
    /// What an acknowledgement means.
    pub enum Durability {
        /// On the disk: survives the end of the process and a loss of power.
        Fsync = "fsync",
        /// Handed to the operating system: survives the end of the process, not a loss of power.
        Os = "os",
        /// In memory: ends with the process.
        Memory = "memory",
    }
}

section! {
    /// Where sessions, queues and retained messages are kept, and what an acknowledgement means.
    pub struct Storage = "storage" {
        /// The directory to keep them in; it is made if there is none, and belongs to one broker at a time. Empty: the
        /// one that systemd names (`StateDirectory=`), or `/var/lib/ferry` for root and for whoever may write there,
        /// or else `$XDG_DATA_HOME/ferry`, which is `~/.local/share/ferry` where nothing else is set.
        data_directory: Option<PathBuf> = None, Kind::Path, Restart;

        /// What has happened before a QoS 1 or 2 message, a subscription or a retained message is acknowledged:
        /// `"fsync"`: all that outlives a connection is on the disk, by one sync for everything that waited;
        /// `"os"`: it was handed to the operating system, so that it survives the end of the process but not a loss of
        /// power; `"memory"`: nothing is kept on disk, and everything ends with the process. MQTT 5.0 clients are told
        /// in the User Property `durability` of CONNACK.
        durability: Durability = Durability::Fsync, Kind::Choice(Durability::NAMES), Restart;

        /// Another durability for the messages of some topics: the first entry whose filter matches counts, such as
        /// `["orders/# = fsync", "telemetry/# = memory"]`. Queued and retained messages that are kept in memory end with
        /// the process; sessions and subscriptions are always kept as `durability` says. Without effect if that is
        /// `"memory"`.
        topic_durability: Vec<DurabilityRule> = Vec::new(), Kind::DurabilityRules, Live;

        /// Messages at the head of a session's queue that are kept in memory too. Those behind them are only on disk,
        /// and read when their turn comes.
        queue_messages_in_memory_max: u32 = 128, Kind::Count { min: 1, max: 100_000_000 }, Live;

        /// Bytes of the messages at the head of a session's queue that are kept in memory too.
        queue_bytes_in_memory_max: usize = (64 * KIB) as usize, Kind::Bytes { min: KIB, max: 1 << 44 }, Live;

        /// Size of the log's files, at which a new one is begun.
        segment_bytes: u32 = (32 * MIB) as u32, Kind::Bytes { min: MIB, max: 1 << 30 }, Restart;

        /// Space that is left free on the disk. With less, messages that would have to be kept are refused with 0x97
        /// (Quota exceeded), while all others go on, until there is space again.
        free_bytes_min: u64 = 64 * MIB, Kind::Bytes { min: 0, max: 1 << 44 }, Restart;
    }
}

/// The durability of the messages of some topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurabilityRule {
    /// A topic filter.
    pub filter: String,
    /// What holds for the topics that it matches.
    pub durability: Durability,
}

impl FromStr for DurabilityRule {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (filter, name) = text.rsplit_once('=').ok_or("no = between filter and durability")?;
        let (filter, name) = (filter.trim(), name.trim());
        topic::validate_topic_filter(filter, &DecodeLimits::UNLIMITED)
            .map_err(|_| "what stands before the = is not a topic filter")?;
        if filter.starts_with("$share/") {
            return Err("a message has a topic, not a shared subscription");
        }
        let durability = Durability::from_setting(Setting::Text(name.to_owned()));
        let durability =
            durability.ok_or("what stands after the = is not \"fsync\", \"os\" or \"memory\"")?;
        Ok(Self { filter: filter.to_owned(), durability })
    }
}

impl fmt::Display for DurabilityRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} = {}", self.filter, self.durability.name())
    }
}

impl Field for DurabilityRule {
    fn from_setting(setting: Setting) -> Option<Self> {
        String::from_setting(setting)?.parse().ok()
    }

    fn to_setting(&self) -> Setting {
        Setting::Text(self.to_string())
    }
}

impl Storage {
    /// Whether anything is kept on disk.
    #[must_use]
    pub fn is_on_disk(&self) -> bool {
        self.durability != Durability::Memory
    }

    /// The data directory; if none is named the usual one, by the environment of this process. `None` if nothing is
    /// kept on disk, or if there is no usual one.
    #[must_use]
    pub fn directory(&self) -> Option<PathBuf> {
        if !self.is_on_disk() {
            return None;
        }
        let variable = |name: &str| std::env::var(name).ok();
        self.data_directory.clone().or_else(|| usual_directory(&variable))
    }
}

/// Where people expect a program's data, by the variables of the environment.
pub(super) fn usual_directory(variable: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let path = |name: &str| variable(name).filter(|value| !value.is_empty());
    // Several directories of systemd are separated by colons; the first is the service's own.
    if let Some(directories) = path("STATE_DIRECTORY") {
        return directories.split(':').next().map(PathBuf::from);
    }
    let system = Path::new("/var/lib/ferry");
    let is_root = rustix::process::geteuid().is_root();
    if is_writable(system) || (is_root && !system.exists() && is_writable(Path::new("/var/lib"))) {
        return Some(system.to_owned());
    }
    let data_home = path("XDG_DATA_HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let data_home = data_home.or_else(|| path("HOME").map(|home| Path::new(&home).join(".local/share")));
    data_home.map(|home| home.join("ferry"))
}

fn is_writable(directory: &Path) -> bool {
    directory.is_dir() && access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_they_are_shown() {
        let rule: DurabilityRule = " a=b/# =os".parse().expect("a rule");
        assert_eq!((&*rule.filter, rule.durability), ("a=b/#", Durability::Os));
        assert_eq!(rule.to_string().parse(), Ok(rule));
        for (text, error) in [
            ("a/#", "no = between filter and durability"),
            ("a#=os", "what stands before the = is not a topic filter"),
            ("$share/g/a=os", "a message has a topic, not a shared subscription"),
            ("a=disk", "what stands after the = is not \"fsync\", \"os\" or \"memory\""),
        ] {
            assert_eq!(text.parse::<DurabilityRule>(), Err(error), "{text}");
        }
    }

    #[test]
    fn the_usual_directory_is_that_of_the_service_or_of_the_user() {
        let usual = |variables: &[(&str, &str)]| {
            usual_directory(&|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(usual(&[("STATE_DIRECTORY", "/s/a:/s/b"), ("HOME", "/h")]), Some("/s/a".into()));
        if is_writable(Path::new("/var/lib")) || is_writable(Path::new("/var/lib/ferry")) {
            assert_eq!(usual(&[("HOME", "/h")]), Some("/var/lib/ferry".into()));
            return;
        }
        assert_eq!(usual(&[]), None);
        assert_eq!(usual(&[("HOME", "/h")]), Some("/h/.local/share/ferry".into()));
        assert_eq!(usual(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d")]), Some("/d/ferry".into()));
        assert_eq!(usual(&[("HOME", "/h"), ("XDG_DATA_HOME", "d")]), Some("/h/.local/share/ferry".into()));
    }
}
