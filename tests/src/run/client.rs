//! What the runner knows about one client of a script.

use std::collections::VecDeque;

use super::rules::ConnectionRules;
use crate::wire::{DecodedPacket, Level, PacketKind, decode, frame_length};

/// Where a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing was opened, or the script has dropped it.
    Away,
    /// Open, without a positive CONNACK so far.
    Open,
    /// The broker has accepted it.
    Connected,
    /// The client has said DISCONNECT.
    Leaving,
    /// The broker has closed it.
    Closed,
}

/// One client and its present connection.
pub(super) struct Client {
    pub(super) level: Level,
    pub(super) stage: Stage,
    /// Bytes that go out with the next packet.
    pub(super) held: Vec<u8>,
    /// Packets that have come and that the script has not looked at.
    pub(super) packets: VecDeque<DecodedPacket>,
    /// PINGREQs of the script without their PINGRESP.
    pub(super) pings: usize,
    pub(super) rules: ConnectionRules,
    /// Whether something was sent that the broker may not have handled yet.
    pub(super) unsettled: bool,
    buffer: Vec<u8>,
}

impl Client {
    pub(super) fn new(level: Level) -> Self {
        Self {
            level,
            stage: Stage::Away,
            held: Vec::new(),
            packets: VecDeque::new(),
            pings: 0,
            rules: ConnectionRules::default(),
            unsettled: false,
            buffer: Vec::new(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Connected | Stage::Leaving)
    }

    /// A new connection of the same client.
    pub(super) fn reopen(&mut self) {
        *self = Self { stage: Stage::Open, held: std::mem::take(&mut self.held), ..Self::new(self.level) };
    }

    /// Takes bytes of the broker apart.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.buffer.extend(bytes);
        while let Some(length) = frame_length(&self.buffer)? {
            let rest = self.buffer.split_off(length);
            let frame = std::mem::replace(&mut self.buffer, rest);
            let mut packet = decode(&frame, self.level)?;
            self.rules.receive(&mut packet, self.level)?;
            match packet.kind {
                PacketKind::Connack if packet.number("reason") == Some(0) && self.stage == Stage::Open => {
                    self.stage = Stage::Connected;
                }
                PacketKind::Pingresp => self.pings = self.pings.saturating_sub(1),
                _ => {}
            }
            self.packets.push_back(packet);
        }
        Ok(())
    }

    /// Removes the PINGRESP that came last.
    pub(super) fn forget_pingresp(&mut self) {
        let last = self.packets.iter().rposition(|packet| packet.kind == PacketKind::Pingresp);
        if let Some(at) = last {
            self.packets.remove(at);
        }
    }
}
