use std::path::PathBuf;

use crate::broker::ferry_binary;

/// A broker to be measured.
#[derive(Clone, Debug)]
pub struct Contender {
    /// In the table.
    pub name: String,
    /// Its program.
    pub program: PathBuf,
    /// How it is told what to do.
    pub(super) kind: Kind,
}

/// Whose command line and configuration a program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// This broker.
    Ferry,
    /// The one that Debian has.
    Mosquitto,
}

impl Contender {
    /// This broker, built from this source, with everything in memory and one shard.
    #[must_use]
    pub fn ferry() -> Self {
        Self { name: "Ferry".to_owned(), program: ferry_binary().to_owned(), kind: Kind::Ferry }
    }

    /// Mosquitto, if it is installed.
    #[must_use]
    pub fn mosquitto() -> Option<Self> {
        let places = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"].map(PathBuf::from);
        let program = places.into_iter().find(|path| path.exists())?;
        Some(Self { name: "Mosquitto".to_owned(), program, kind: Kind::Mosquitto })
    }

    /// A configuration under which it can do its best: nothing is dropped, nothing waits.
    pub(super) fn configuration(&self, port: u16) -> String {
        match self.kind {
            Kind::Ferry => format!(
                "[[listener]]\naddress = \"tcp://127.0.0.1:{port}\"\n[limits]\nconnects_per_second_max = 1_000_000\n"
            ),
            Kind::Mosquitto => format!(
                "listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n\
                 max_inflight_messages 0\nmax_queued_messages 0\n"
            ),
        }
    }
}
