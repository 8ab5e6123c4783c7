//! Scripts: packets in and out as text. The language is described in `tests/scripts/README.md`.

mod attribute;
mod collection;
mod expansion;
mod header;
mod parse;
mod pattern;
mod token;

use std::time::Duration;

pub use attribute::{Shape, attribute};
pub use collection::all_scripts;
pub use header::Header;
pub use parse::parse;
pub use pattern::{FieldPattern, PacketPattern, Pattern};

/// A script file.
#[derive(Debug, Clone)]
pub struct Script {
    /// Relative to `tests/scripts`, without the extension.
    pub name: String,
    /// What its leading comments say.
    pub header: Header,
    /// What it does.
    pub steps: Vec<Step>,
}

/// One line of a script.
#[derive(Debug, Clone)]
pub struct Step {
    /// In the file, from 1.
    pub line: usize,
    /// As written.
    pub text: String,
    /// Who acts; empty for time.
    pub client: String,
    /// What happens.
    pub action: Action,
}

/// What a line does or expects.
#[derive(Debug, Clone)]
pub enum Action {
    /// `c1> CONNECT`; `c1>> CONNECT` is held back and sent together with the next packet; `c1~> CONNECT` goes byte by byte.
    Send {
        /// The packet.
        packet: PacketPattern,
        /// When it goes out.
        how: SendHow,
    },
    /// `c1> hex 10 0c`
    SendBytes(Vec<u8>, SendHow),
    /// `c1< PUBACK 7`; `c1<* PUBACK 7` may come in any order among its neighbours with a star.
    Expect {
        /// The packet.
        packet: PacketPattern,
        /// Whether the order among neighbours with a star is free.
        any_order: bool,
    },
    /// `c1 silent`: nothing has come.
    Silent,
    /// `c1 closed`: the broker has closed; with codes (`c1 closed 0x8D`), after a DISCONNECT with one of them.
    Closed(Vec<u8>),
    /// `c1 drop`: the network fails.
    Drop,
    /// `c1 open`: a connection without a packet.
    Open,
    /// `deny receive t/#`: a new rule of access.
    Deny(String),
    /// `+30s`
    Advance(Duration),
}

/// When the bytes of a packet go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendHow {
    /// At once, in one write.
    AtOnce,
    /// In one write with the next packet.
    WithNext,
    /// One byte in each write.
    ByteByByte,
}

impl Script {
    /// All the time that the script lets pass.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let advances = self.steps.iter().map(|step| match step.action {
            Action::Advance(duration) => duration,
            _ => Duration::ZERO,
        });
        advances.sum()
    }
}
