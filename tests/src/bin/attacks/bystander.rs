//! The other client: whatever the attackers do, its messages have to come, and soon.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ferry_codec::{
    DecodeLimits, Direction, Packet, PacketId, ProtocolVersion, Publish, QoS, decode, encode, frame_length,
};

use crate::packets::{connect, subscribe};

/// Between two messages, whether or not those before have come.
const INTERVAL: Duration = Duration::from_millis(50);

/// How long a message may be on its way before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(120);

/// A client that sends itself messages of QoS 1 at even intervals.
pub(crate) struct Bystander {
    is_over: Arc<AtomicBool>,
    sending: JoinHandle<Result<u64, String>>,
    receiving: JoinHandle<Vec<Duration>>,
    socket: TcpStream,
}

/// How it fared.
pub(crate) struct Waits {
    pub(crate) sorted: Vec<Duration>,
    pub(crate) lost: u64,
}

impl Waits {
    /// The wait that so many hundredths of the messages did not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let last = self.sorted.len().saturating_sub(1);
        self.sorted.get(last * percent / 100).copied().unwrap_or_default()
    }
}

impl Bystander {
    /// Connects, subscribes and begins.
    ///
    /// # Errors
    /// The broker does not serve it.
    pub(crate) fn start(broker: SocketAddr) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("the bystander: {error}");
        let mut socket = TcpStream::connect(broker).map_err(failed)?;
        socket.set_nodelay(true).map_err(failed)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let greeting = [connect("bystander", None, None), subscribe("bystander", 1)].concat();
        socket.write_all(&greeting).map_err(failed)?;
        let mut incoming = Incoming { socket: socket.try_clone().map_err(failed)?, bytes: Vec::new() };
        if incoming.next().is_none() || incoming.next().is_none() {
            return Err("the bystander is not served".to_owned());
        }
        let (is_over, began_at) = (Arc::<AtomicBool>::default(), Instant::now());
        let receiving = thread::spawn(move || receive(incoming, began_at));
        let (mut out, over) = (socket.try_clone().map_err(failed)?, Arc::clone(&is_over));
        let sending = thread::spawn(move || send(&mut out, &over, began_at));
        Ok(Self { is_over, sending, receiving, socket })
    }

    /// Ends it, after all its messages have come or time is up.
    ///
    /// # Errors
    /// It could not send.
    pub(crate) fn stop(mut self) -> Result<Waits, String> {
        self.is_over.store(true, Ordering::Relaxed);
        let sent = self.sending.join().expect("no panic")?;
        // What comes after the answer to this is lost.
        let mut bytes = Vec::new();
        encode(&Packet::Pingreq, ProtocolVersion::V311, &mut bytes);
        self.socket.write_all(&bytes).map_err(|error| format!("the bystander: {error}"))?;
        let mut sorted = self.receiving.join().expect("no panic");
        sorted.sort();
        Ok(Waits { lost: sent.saturating_sub(sorted.len() as u64), sorted })
    }
}

/// One message after the other, each with the time when it was due; returns how many.
fn send(socket: &mut TcpStream, is_over: &AtomicBool, began_at: Instant) -> Result<u64, String> {
    let mut sent = 0;
    while !is_over.load(Ordering::Relaxed) {
        let due = INTERVAL * u32::try_from(sent).unwrap_or(u32::MAX);
        thread::sleep(due.saturating_sub(began_at.elapsed()));
        let payload = u64::try_from(due.as_nanos()).unwrap_or(u64::MAX).to_be_bytes();
        let packet_id = PacketId::new((sent % 60_000) as u16 + 1);
        let publish = Publish {
            topic: "bystander",
            payload: &payload,
            qos: QoS::AtLeastOnce,
            packet_id,
            ..Publish::default()
        };
        let mut bytes = Vec::new();
        encode(&Packet::Publish(publish), ProtocolVersion::V311, &mut bytes);
        socket.write_all(&bytes).map_err(|error| format!("the bystander cannot send: {error}"))?;
        sent += 1;
    }
    Ok(sent)
}

/// How long each message took from the time when it was due, until PINGRESP or the end.
fn receive(mut incoming: Incoming, began_at: Instant) -> Vec<Duration> {
    let mut waits = Vec::new();
    while let Some(frame) = incoming.next() {
        match decode(&frame, ProtocolVersion::V311, Direction::FromServer, &DecodeLimits::UNLIMITED) {
            Ok(Packet::Publish(publish)) => {
                let due = publish.payload.try_into().map_or(0, u64::from_be_bytes);
                waits.push(began_at.elapsed().saturating_sub(Duration::from_nanos(due)));
                incoming.acknowledge(publish.packet_id);
            }
            Ok(Packet::Pingresp) => break,
            _ => {}
        }
    }
    waits
}

struct Incoming {
    socket: TcpStream,
    bytes: Vec<u8>,
}

impl Incoming {
    /// The next packet; `None` at the end, or when none comes for too long.
    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let length = frame_length(&self.bytes, &DecodeLimits::UNLIMITED).ok()?;
            if let Some(length) = length.filter(|length| *length <= self.bytes.len()) {
                return Some(self.bytes.drain(..length).collect());
            }
            let mut buffer = [0; 16 * 1024];
            let read = self.socket.read(&mut buffer).ok().filter(|read| *read > 0)?;
            self.bytes.extend_from_slice(&buffer[..read]);
        }
    }

    fn acknowledge(&mut self, packet_id: Option<PacketId>) {
        let Some(packet_id) = packet_id else { return };
        let mut bytes = Vec::new();
        let puback = ferry_codec::Ack::new(packet_id, ferry_codec::ReasonCode::SUCCESS);
        encode(&Packet::Puback(puback), ProtocolVersion::V311, &mut bytes);
        // Whether the connection still works shows when reading.
        let _ = self.socket.write_all(&bytes);
    }
}
