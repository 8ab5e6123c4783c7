//! A connection that sends whatever it likes and looks closely at what it gets.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use ferry_tests::ferry::{Ferry, Transport};
use ferry_tests::wire::{DecodedPacket, PacketKind, decode, frame_length};

use crate::link::Link;
use crate::packet;

/// A client, by the bytes.
pub(crate) struct Attacker {
    link: Link,
    level: u8,
    unread: Vec<u8>,
}

impl Attacker {
    /// A connection on which nothing has been said.
    pub(crate) fn open(ferry: &Ferry, transport: Transport) -> Self {
        Self { link: Link::raw(ferry, transport), level: 5, unread: Vec::new() }
    }

    /// As [`Attacker::open`], with TLS where the listener has it.
    pub(crate) fn open_secured(ferry: &Ferry, transport: Transport) -> Self {
        Self { link: Link::open(ferry, transport), level: 5, unread: Vec::new() }
    }

    /// A client that is connected over TCP.
    pub(crate) fn online(ferry: &Ferry, level: u8, client_id: &str) -> Self {
        Self::online_with(ferry, Transport::Tcp, level, &packet::connect(level, client_id))
    }

    /// A client that has sent this CONNECT and has been accepted.
    pub(crate) fn online_with(ferry: &Ferry, transport: Transport, level: u8, connect: &[u8]) -> Self {
        let mut attacker = Self { level, ..Self::open(ferry, transport) };
        attacker.send(connect);
        let connack = attacker.expect(PacketKind::Connack);
        assert_eq!(connack.number("reason"), Some(0), "{connack}");
        attacker
    }

    /// Sends bytes. That the broker has closed shows when reading, not here.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        match self.link.write_all(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("the broker does not read"),
            _ => {}
        }
    }

    /// Sends the same bytes a number of times, or until the broker reads no more.
    pub(crate) fn send_while_taken(&mut self, bytes: &[u8], times: usize) {
        self.link.set_write_patience(Duration::from_millis(500));
        for _ in 0..times {
            if self.link.write_all(bytes).is_err() {
                break;
            }
        }
    }

    /// The next packet.
    pub(crate) fn next(&mut self) -> DecodedPacket {
        self.next_or_panic_with("a packet is awaited")
    }

    /// The next packet; a panic says what it was awaited for.
    pub(crate) fn next_or_panic_with(&mut self, story: &str) -> DecodedPacket {
        self.next_or_end(story).unwrap_or_else(|| panic!("the broker has closed the connection; {story}"))
    }

    /// The next packet, which is of this kind.
    pub(crate) fn expect(&mut self, kind: PacketKind) -> DecodedPacket {
        let packet = self.next_or_panic_with(&format!("{} is awaited", kind.name()));
        assert_eq!(packet.kind, kind, "{packet}");
        packet
    }

    /// The next packet, which is of this kind and carries this reason code.
    pub(crate) fn expect_reason(&mut self, kind: PacketKind, reason_code: u8) {
        let packet = self.expect(kind);
        assert_eq!(packet.number("reason"), Some(reason_code.into()), "{packet}");
    }

    /// The broker ends the connection: with DISCONNECT and this code in MQTT 5.0, without a word before.
    pub(crate) fn is_disconnected(&mut self, reason_code: u8) {
        if self.level == 5 {
            self.expect_reason(PacketKind::Disconnect, reason_code);
        }
        self.is_closed();
    }

    /// The broker ends the connection and says nothing more.
    pub(crate) fn is_closed(&mut self) {
        if let Some(packet) = self.next_or_end("the end is awaited") {
            panic!("instead of the end comes {packet}");
        }
    }

    /// Whether CONNACK comes and not the end.
    pub(crate) fn is_accepted(&mut self) -> bool {
        self.next_or_end("CONNACK is awaited").is_some_and(|packet| packet.number("reason") == Some(0))
    }

    /// All bytes up to these, which are the last ones taken.
    pub(crate) fn bytes_until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|window| window == end) {
                return self.unread.drain(..at + end.len()).collect();
            }
            assert!(self.read("more is awaited"), "the end comes after {:02x?}", self.unread);
        }
    }

    /// All bytes until the broker ends the connection.
    pub(crate) fn bytes_until_closed(&mut self) -> Vec<u8> {
        while self.read("the end is awaited") {}
        std::mem::take(&mut self.unread)
    }

    /// Sends a byte each time that the broker has been silent for a while, until it has had enough.
    pub(crate) fn trickle_until_closed(&mut self, byte: u8, interval: Duration, limit: Duration) -> Vec<u8> {
        let deadline = Instant::now() + limit;
        self.link.set_patience(interval);
        loop {
            assert!(Instant::now() < deadline, "the broker has waited for {limit:?}");
            match self.try_read() {
                Ok(0) => break,
                Ok(_) => {}
                Err(ErrorKind::WouldBlock | ErrorKind::TimedOut) => self.send(&[byte]),
                Err(_) => break,
            }
        }
        self.link.restore_patience();
        std::mem::take(&mut self.unread)
    }

    /// Says that nothing more will be sent, and waits until the broker ends the connection too.
    pub(crate) fn leave(mut self) {
        self.link.end();
        self.bytes_until_closed();
    }

    /// Ends the connection without waiting for the broker, which sees a reset.
    pub(crate) fn reset(self) {
        self.link.reset();
    }

    fn next_or_end(&mut self, story: &str) -> Option<DecodedPacket> {
        loop {
            if let Some(length) = frame_length(&self.unread).expect("the broker's packets are well formed") {
                let packet: Vec<u8> = self.unread.drain(..length).collect();
                return Some(
                    decode(&packet, self.level).unwrap_or_else(|error| panic!("{error}: {packet:?}")),
                );
            }
            if !self.read(story) {
                assert!(self.unread.is_empty(), "the connection ends inside a packet: {:?}", self.unread);
                return None;
            }
        }
    }

    /// Reads something; false at the end.
    fn read(&mut self, story: &str) -> bool {
        match self.try_read() {
            Ok(length) => length > 0,
            Err(ErrorKind::WouldBlock | ErrorKind::TimedOut) => panic!("nothing comes; {story}"),
            // A reset is an end too.
            Err(_) => false,
        }
    }

    fn try_read(&mut self) -> Result<usize, ErrorKind> {
        let mut buffer = [0; 16 * 1024];
        let length = self.link.read(&mut buffer).map_err(|error| error.kind())?;
        self.unread.extend_from_slice(&buffer[..length]);
        Ok(length)
    }
}
