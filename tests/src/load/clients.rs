//! What each client of a load does.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::packets::{
    ACK_BYTES, CONNACK, FILTERS_MAX, Message, PUBACK, PUBCOMP, PUBREC, PUBREL, ack, connect, subscribe,
};

/// What is on its way from one publisher.
#[derive(Default)]
pub(super) struct Window {
    outstanding: Cell<usize>,
    room: Notify,
}

impl Window {
    /// So many messages have arrived.
    pub(super) fn arrived(&self, count: usize) {
        self.outstanding.set(self.outstanding.get().saturating_sub(count));
        self.room.notify_one();
    }
}

/// What subscribers have got.
#[derive(Clone, Default)]
pub(super) struct Delivered(Rc<Cell<u64>>);

impl Delivered {
    pub(super) fn get(&self) -> u64 {
        self.0.get()
    }
}

pub(super) async fn log_in(address: SocketAddr, client_id: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&connect(client_id)).await?;
    expect(&mut stream, &CONNACK).await?;
    Ok(stream)
}

pub(super) async fn subscribe_to(stream: &mut TcpStream, filters: &[String], qos: u8) -> io::Result<()> {
    for filters in filters.chunks(FILTERS_MAX) {
        let (subscribe, suback) = subscribe(filters, qos);
        stream.write_all(&subscribe).await?;
        expect(stream, &suback).await?;
    }
    Ok(())
}

async fn expect(stream: &mut TcpStream, answer: &[u8]) -> io::Result<()> {
    let mut found = vec![0; answer.len()];
    stream.read_exact(&mut found).await?;
    if found == answer { Ok(()) } else { Err(io::Error::other(format!("unexpected answer {found:x?}"))) }
}

/// Publishes whenever there is room for a good part of what may be on its way. Each message counts for `copies`.
pub(super) async fn publish_saturated(
    output: Rc<tokio::sync::Mutex<OwnedWriteHalf>>,
    window: Rc<Window>,
    window_max: usize,
    copies: usize,
    publisher: usize,
    mut message: Message,
) -> io::Result<()> {
    let mut number = 0;
    let mut bytes = Vec::new();
    loop {
        let room = window_max - window.outstanding.get().div_ceil(copies).min(window_max);
        if room < (window_max / 4).max(1) {
            window.room.notified().await;
            continue;
        }
        bytes.clear();
        for _ in 0..room {
            message.set_number(publisher, number);
            number += 1;
            bytes.extend_from_slice(&message.bytes);
        }
        window.outstanding.set(window.outstanding.get() + room * copies);
        output.lock().await.write_all(&bytes).await?;
    }
}

/// Publishes at a steady pace, whatever comes of it.
pub(super) async fn publish_paced(
    output: Rc<tokio::sync::Mutex<OwnedWriteHalf>>,
    first: Duration,
    pace: Duration,
    mut message: Message,
) -> io::Result<()> {
    let mut ticks = interval_at(Instant::now() + first, pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0.. {
        ticks.tick().await;
        message.set_number(0, number);
        output.lock().await.write_all(&message.bytes).await?;
    }
    Ok(())
}

/// Takes the acknowledgements of what was published. They say nothing of how far subscribers are.
pub(super) async fn acknowledged(
    mut input: OwnedReadHalf,
    output: Rc<tokio::sync::Mutex<OwnedWriteHalf>>,
) -> io::Result<()> {
    let mut buffer = Buffer::new();
    let mut answers = Vec::new();
    loop {
        let filled = buffer.fill(&mut input).await?;
        answers.clear();
        for packet in filled.chunks_exact(ACK_BYTES) {
            match packet[0] {
                PUBREC => answers.extend_from_slice(&ack(PUBREL, &packet[2..])),
                PUBACK | PUBCOMP => {}
                other => return Err(io::Error::other(format!("an unexpected packet {other:x}"))),
            }
        }
        let used = filled.len() / ACK_BYTES * ACK_BYTES;
        buffer.used(used);
        if !answers.is_empty() {
            output.lock().await.write_all(&answers).await?;
        }
    }
}

/// Takes messages and acknowledges them; they make room in the `windows` of their publishers. With `all` of the
/// messages of one publisher, none may be missing, doubled or in the wrong place.
pub(super) async fn receive(
    mut stream: TcpStream,
    windows: Rc<[Rc<Window>]>,
    all: bool,
    delivered: Delivered,
    message: Message,
) -> io::Result<()> {
    let mut buffer = Buffer::new();
    let mut answers = Vec::new();
    let mut next_number = 0;
    loop {
        let filled = buffer.fill(&mut stream).await?;
        answers.clear();
        let mut used = 0;
        let mut messages = 0;
        while let Some(packet) = next_packet(&filled[used..], &message) {
            used += packet.len();
            if packet[0] == PUBREL {
                answers.extend_from_slice(&ack(PUBCOMP, &packet[2..]));
                continue;
            }
            messages += 1;
            let (publisher, number) = message.number(packet);
            if all {
                assert_eq!(number, next_number, "messages come once and in order");
                next_number += 1;
            }
            windows[publisher].arrived(1);
            if let Some(at) = message.id_at {
                let first = if message.bytes[0] & 0x06 == 0x02 { PUBACK } else { PUBREC };
                answers.extend_from_slice(&ack(first, &packet[at..]));
            }
        }
        buffer.used(used);
        if !answers.is_empty() {
            stream.write_all(&answers).await?;
        }
        delivered.0.set(delivered.0.get() + messages);
    }
}

/// A whole PUBLISH like `message`, or a PUBREL.
fn next_packet<'a>(bytes: &'a [u8], message: &Message) -> Option<&'a [u8]> {
    let first = *bytes.first()?;
    let length = if first == PUBREL { ACK_BYTES } else { message.bytes.len() };
    let packet = bytes.get(..length)?;
    assert!(first == PUBREL || packet[..2] == message.bytes[..2], "all messages are alike");
    Some(packet)
}

/// What has been read.
struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; 16 * 1024], filled: 0 }
    }

    /// Reads more, and returns all that is not used yet.
    async fn fill(&mut self, input: &mut (impl AsyncReadExt + Unpin)) -> io::Result<&[u8]> {
        let read = input.read(&mut self.bytes[self.filled..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.filled += read;
        Ok(&self.bytes[..self.filled])
    }

    fn used(&mut self, count: usize) {
        self.bytes.copy_within(count..self.filled, 0);
        self.filled -= count;
    }
}
