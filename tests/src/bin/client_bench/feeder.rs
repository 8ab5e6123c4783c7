//! The publisher of what a measured subscriber gets.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::work::{PAYLOAD_BYTES, TOPIC, Work};

/// Written at once.
const BATCH: u64 = 1000;

/// Bytes of a PUBACK.
const PUBACK_BYTES: u64 = 4;

const CONNACK_BYTES: u64 = 4;

/// Publishes as fast as the broker takes it. With QoS 1 it waits for the acknowledgements of one batch before it sends the
/// next but one, so that no packet identifier is in use twice.
pub(crate) fn feed(work: &Work) -> Result<(), String> {
    let run = || {
        let mut broker = TcpStream::connect(("127.0.0.1", work.port))?;
        broker.set_nodelay(true)?;
        broker.write_all(b"\x10\x12\0\x04MQTT\x04\x02\0\0\0\x06feeder")?;
        skip(&mut broker, CONNACK_BYTES)?;
        let mut batch = Vec::new();
        let (mut published, mut unacknowledged) = (0, 0);
        while published < work.messages {
            let count = BATCH.min(work.messages - published);
            batch.clear();
            (published..published + count).for_each(|number| publish(work.qos, number, &mut batch));
            broker.write_all(&batch)?;
            if work.qos > 0 {
                skip(&mut broker, unacknowledged * PUBACK_BYTES)?;
                unacknowledged = count;
            }
            published += count;
        }
        skip(&mut broker, unacknowledged * PUBACK_BYTES)?;
        // DISCONNECT.
        broker.write_all(&[0xe0, 0])
    };
    run().map_err(|error| format!("the feeder: {error}"))
}

fn publish(qos: u8, number: u64, out: &mut Vec<u8>) {
    let id = ((number % 60_000 + 1) as u16).to_be_bytes();
    let id = if qos > 0 { &id[..] } else { &[] };
    let length = 2 + TOPIC.len() + id.len() + PAYLOAD_BYTES;
    assert!(length < 128, "one byte for the length");
    out.extend_from_slice(&[0x30 | qos << 1, length as u8, 0, TOPIC.len() as u8]);
    out.extend_from_slice(TOPIC.as_bytes());
    out.extend_from_slice(id);
    out.extend_from_slice(&[b'x'; PAYLOAD_BYTES]);
}

fn skip(broker: &mut TcpStream, bytes: u64) -> std::io::Result<()> {
    let read = std::io::copy(&mut Read::take(broker, bytes), &mut std::io::sink())?;
    if read == bytes { Ok(()) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}
