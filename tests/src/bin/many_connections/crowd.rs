//! Clients that are connected, subscribed and idle.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use ferry_tests::wire::{Field, PacketKind, Value, encode};

/// Clients that connect at the same time.
const AT_ONCE: usize = 16;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// CONNACK and SUBACK of MQTT 3.1.1.
const ANSWERS: [u8; 9] = [0x20, 2, 0, 0, 0x90, 3, 0, 1, 0];
const PAYLOAD: &[u8] = b"one message";

/// The connections, by the number in their topic.
pub(crate) struct Crowd(Vec<TcpStream>);

impl Crowd {
    /// Connects and subscribes this many clients of MQTT 3.1.1.
    pub(crate) fn open(address: &str, count: usize) -> Result<Self, String> {
        let share = count.div_ceil(AT_ONCE);
        let parts = thread::scope(|scope| {
            let open = |part: usize| {
                move || open_part(address, (part * share).min(count)..((part + 1) * share).min(count))
            };
            let threads: Vec<_> = (0..AT_ONCE).map(|part| scope.spawn(open(part))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Result<Vec<_>, _>>()
        })?;
        Ok(Self(parts.into_iter().flatten().collect()))
    }

    /// As [`Crowd::open`], with the time it took.
    pub(crate) fn timed(address: &str, count: usize) -> Result<(Self, Duration), String> {
        let begin = Instant::now();
        let crowd = Self::open(address, count)?;
        Ok((crowd, begin.elapsed()))
    }

    /// Publishes one message for each client, and waits until each has it.
    pub(crate) fn deliver_to_each(&self, address: &str) -> Result<Duration, String> {
        let mut publisher = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
        converse(
            &mut publisher,
            &encode_fields(PacketKind::Connect, [("client_id", text(b"publisher"))])?,
            &ANSWERS[..4],
        )?;
        let messages = (0..self.0.len()).map(message).collect::<Result<Vec<_>, _>>()?;
        let burst = messages.concat();
        let begin = Instant::now();
        thread::scope(|scope| {
            let publishing = scope.spawn(move || send(&mut publisher, &burst));
            for (stream, message) in self.0.iter().zip(&messages) {
                expect(stream, message)?;
            }
            publishing.join().expect("no panic")
        })?;
        Ok(begin.elapsed())
    }
}

fn open_part(address: &str, numbers: std::ops::Range<usize>) -> Result<Vec<TcpStream>, String> {
    let open = |number| {
        let mut stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        let id = text(format!("many-{number}").as_bytes());
        let connect =
            encode_fields(PacketKind::Connect, [("client_id", id), ("keep_alive", Value::Number(3600))])?;
        let subscribe =
            encode_fields(PacketKind::Subscribe, [("id", Value::Number(1)), ("filter", topic(number))])?;
        converse(&mut stream, &[connect, subscribe].concat(), &ANSWERS)?;
        Ok(stream)
    };
    numbers.map(open).collect()
}

/// A PUBLISH for one of the clients; the broker sends it on as it is.
fn message(number: usize) -> Result<Vec<u8>, String> {
    encode_fields(PacketKind::Publish, [("topic", topic(number)), ("payload", text(PAYLOAD))])
}

fn topic(number: usize) -> Value {
    text(format!("many/connections/{number}").as_bytes())
}

fn text(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

fn encode_fields(
    kind: PacketKind,
    fields: impl IntoIterator<Item = (&'static str, Value)>,
) -> Result<Vec<u8>, String> {
    let fields: Vec<Field> = fields.into_iter().map(|(name, value)| Field { name, value }).collect();
    encode(kind, &fields, 4)
}

fn converse(stream: &mut TcpStream, bytes: &[u8], answer: &[u8]) -> Result<(), String> {
    send(stream, bytes)?;
    expect(stream, answer)
}

fn send(stream: &mut TcpStream, bytes: &[u8]) -> Result<(), String> {
    stream.write_all(bytes).map_err(|error| format!("sending: {error}"))
}

fn expect(mut stream: &TcpStream, expected: &[u8]) -> Result<(), String> {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).map_err(|error| format!("awaiting {expected:02x?}: {error}"))?;
    if bytes == expected { Ok(()) } else { Err(format!("{bytes:02x?} came instead of {expected:02x?}")) }
}
