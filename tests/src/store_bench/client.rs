use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use super::packets::{connect, publish, subscribe, topic};

/// What all clients of a run have seen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) acknowledged: Cell<u64>,
    pub(super) delivered: Cell<u64>,
    /// From sending a message to its PUBACK, in microseconds; only while measuring.
    pub(super) latencies: RefCell<Vec<u32>>,
    pub(super) is_measuring: Cell<bool>,
    pub(super) is_over: Cell<bool>,
}

pub(super) fn on_runtime<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    LocalSet::new().block_on(&runtime.map_err(|error| error.to_string())?, work)
}

pub(super) async fn log_in(
    address: SocketAddr,
    client_id: &str,
    clean_session: bool,
) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&connect(client_id, clean_session)).await?;
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).await?;
    if connack[0] == 0x20 && connack[3] == 0 { Ok(stream) } else { Err(unexpected(&connack)) }
}

/// A session that outlives its connection and wants its topic.
pub(super) async fn subscriber(address: SocketAddr, session: usize) -> io::Result<TcpStream> {
    let mut stream = log_in(address, &format!("session-{session:06}"), false).await?;
    stream.write_all(&subscribe(&topic(session))).await?;
    let mut suback = [0; 5];
    stream.read_exact(&mut suback).await?;
    if suback[0] == 0x90 { Ok(stream) } else { Err(unexpected(&suback)) }
}

/// Publishes with a window until it is over, or `count` messages are acknowledged.
pub(super) async fn publisher(
    mut stream: TcpStream,
    topic: &str,
    window: usize,
    count: u64,
    seen: &Seen,
) -> io::Result<()> {
    let (packet, id_at) = publish(topic, false);
    let mut packet_id: u16 = 0;
    let mut sent_at = VecDeque::new();
    let (mut sent, mut acknowledged) = (0, 0);
    let mut bytes = Vec::new();
    let mut answers = vec![0; 64 * 1024];
    let mut kept = 0;
    while acknowledged < count && !seen.is_over.get() {
        bytes.clear();
        let now = Instant::now();
        while sent_at.len() < window && sent < count {
            let start = bytes.len();
            packet_id = packet_id.checked_add(1).unwrap_or(1);
            bytes.extend_from_slice(&packet);
            bytes[start + id_at..start + id_at + 2].copy_from_slice(&packet_id.to_be_bytes());
            sent_at.push_back(now);
            sent += 1;
        }
        stream.write_all(&bytes).await?;
        let read = stream.read(&mut answers[kept..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let filled = kept + read;
        let pubacks = filled / 4;
        for puback in answers[..pubacks * 4].chunks_exact(4) {
            if puback[0] != 0x40 {
                return Err(unexpected(puback));
            }
            let Some(sent_at) = sent_at.pop_front() else { return Err(unexpected(puback)) };
            if seen.is_measuring.get() {
                let latency = u32::try_from(sent_at.elapsed().as_micros()).unwrap_or(u32::MAX);
                seen.latencies.borrow_mut().push(latency);
            }
        }
        answers.copy_within(pubacks * 4..filled, 0);
        kept = filled - pubacks * 4;
        acknowledged += pubacks as u64;
        seen.acknowledged.set(seen.acknowledged.get() + pubacks as u64);
    }
    Ok(())
}

/// Takes and acknowledges what comes.
pub(super) async fn receive(mut stream: TcpStream, topic: &str, seen: &Seen) -> io::Result<()> {
    let (packet, id_at) = publish(topic, false);
    let mut buffer = vec![0; 64 * 1024];
    let mut kept = 0;
    let mut pubacks = Vec::new();
    loop {
        let read = stream.read(&mut buffer[kept..]).await?;
        if read == 0 {
            return Ok(());
        }
        let filled = kept + read;
        let frames = filled / packet.len();
        for frame in buffer[..frames * packet.len()].chunks_exact(packet.len()) {
            if frame[0] & 0xF0 != 0x30 {
                return Err(unexpected(&frame[..2]));
            }
            pubacks.extend_from_slice(&[0x40, 2, frame[id_at], frame[id_at + 1]]);
        }
        buffer.copy_within(frames * packet.len()..filled, 0);
        kept = filled - frames * packet.len();
        stream.write_all(&pubacks).await?;
        pubacks.clear();
        seen.delivered.set(seen.delivered.get() + frames as u64);
    }
}

/// Publishes retained messages to so many topics, and waits for all acknowledgements.
pub(super) async fn retain(address: SocketAddr, topics: usize) -> io::Result<()> {
    let mut stream = log_in(address, "retainer", true).await?;
    const WINDOW: usize = 500;
    let mut answers = vec![0; 4 * WINDOW];
    let mut begun = 0;
    while begun < topics {
        let count = WINDOW.min(topics - begun);
        let mut bytes = Vec::new();
        for index in 0..count {
            let (packet, id_at) =
                publish(&format!("retained/{:03}/{:07}", (begun + index) % 1000, begun + index), true);
            let start = bytes.len();
            bytes.extend_from_slice(&packet);
            bytes[start + id_at..start + id_at + 2].copy_from_slice(&(index as u16 + 1).to_be_bytes());
        }
        stream.write_all(&bytes).await?;
        stream.read_exact(&mut answers[..4 * count]).await?;
        begun += count;
    }
    Ok(())
}

/// Ends a connection in order.
pub(super) async fn leave(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(&[0xE0, 0]).await?;
    let mut rest = [0; 64];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// Waits until something has been seen.
pub(super) async fn until(is_seen: impl Fn() -> bool, patience: Duration) -> Result<(), String> {
    let deadline = Instant::now() + patience;
    while !is_seen() {
        if Instant::now() > deadline {
            return Err("what should come does not".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

fn unexpected(found: &[u8]) -> io::Error {
    io::Error::other(format!("unexpected answer {found:x?}"))
}
