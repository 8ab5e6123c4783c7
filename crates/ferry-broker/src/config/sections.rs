//! The small sections: `[server]`, `[log]`, `[sys]`.

use std::num::NonZeroU16;

use super::option::{Field, choices, section};
use super::value::{Kind, Setting};

impl Field for NonZeroU16 {
    fn from_setting(setting: Setting) -> Option<Self> {
        u16::from_setting(setting).and_then(Self::new)
    }

    fn to_setting(&self) -> Setting {
        self.get().to_setting()
    }
}

choices! {
    /// How much is logged.
    pub enum LogLevel {
        /// Only what an operator must act on.
        Error = "error",
        /// And what an operator should know.
        Warn = "warn",
        /// And starts, stops, reloads.
        Info = "info",
        /// And each connection and what it did wrong.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

section! {
    /// The broker as a whole.
    pub struct Server = "server" {
        /// A name for this broker, shown at start and in the log.
        name: String = "ferry".to_owned(), Kind::Text, Restart;

        /// Another server that clients are pointed to (Server Reference) when this one shuts down; empty: none.
        reference: Option<String> = None, Kind::Or("", &Kind::Text), Live;

        /// The user that `ferry serve` becomes when it is started by root, as soon as its ports are bound. `"auto"`: the user
        /// `ferry`, if `/etc/passwd` has it. `"root"`: it stays root. Started by anybody else, it stays who it is.
        user: Option<String> = None, Kind::Or("auto", &Kind::Text), Restart;

        /// Threads that serve clients. `"auto"`: one on up to 2 cores, else one for each core.
        shards: Option<NonZeroU16> = None, Kind::Or("auto", &Kind::Count { min: 1, max: 1_024 }), Restart;

        /// How long before its end a certificate or a revocation list of a listener is warned of: at start, on reload, once a day
        /// and by `ferry check`. Of one that holds for less than three times as long, a third of its time; 0: never.
        certificate_expiry_warning_seconds: u32 = 21 * 86_400, Kind::Seconds { min: 0, max: 366 * 86_400 }, Live;

        /// Time that a shutdown gives to clients to take what is already written to them.
        shutdown_timeout_seconds: u32 = 5, Kind::Seconds { min: 0, max: 3_600 }, Live;
    }
}

section! {
    /// The log, written to standard error.
    pub struct Log = "log" {
        /// How much is logged. Of clients that are refused or disconnected `info` shows one in a minute for each reason,
        /// with what is wrong; `debug` shows all.
        level: LogLevel = LogLevel::Info, Kind::Choice(LogLevel::NAMES), Live;
    }
}

section! {
    /// The broker's figures under `$SYS/broker/`.
    pub struct Sys = "sys" {
        /// Time between two updates, of which there are none while nothing happens and nobody subscribes to them;
        /// 0: never.
        interval_seconds: u32 = 10, Kind::Seconds { min: 0, max: 86_400 }, Live;

        /// Whether it is published when a client connects or is connected no more, as JSON to
        /// `$SYS/clients/<client identifier>/connected` and `disconnected`. It tells who is there and from where: without
        /// rules of access everybody who asks is told, so it is off unless it is wanted.
        presence: bool = false, Kind::Flag, Live;
    }
}
