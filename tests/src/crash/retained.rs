use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long a retained message may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for the retained message of each publisher: it must not be older than the last one that was acknowledged.
///
/// # Errors
/// It is older, or missing.
pub(super) fn check(port: u16, acknowledged: &BTreeMap<&'static str, u64>) -> Result<(), String> {
    for (publisher, acknowledged) in acknowledged.iter().filter(|(_, number)| **number > 0) {
        let found = retained(port, &format!("crash/{publisher}")).map_err(|error| error.to_string())?;
        if found < *acknowledged {
            return Err(format!(
                "message {acknowledged} of {publisher} was acknowledged, and the retained one is {found}"
            ));
        }
    }
    Ok(())
}

/// The number of the retained message of a topic, 0 if there is none.
fn retained(port: u16, topic: &str) -> std::io::Result<u64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"\x10\x0C\0\x04MQTT\x04\x02\0\0\0\0")?;
    let mut subscribe = vec![0x82, topic.len() as u8 + 5, 0, 1, 0, topic.len() as u8];
    subscribe.extend_from_slice(topic.as_bytes());
    subscribe.push(0);
    stream.write_all(&subscribe)?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let (first, body) = match packet(&mut stream) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            packet => packet?,
        };
        // PUBLISH with RETAIN set: newer ones that come meanwhile do not have it.
        if first & 0xF1 == 0x31 {
            let payload = body.get(2 + topic.len()..).unwrap_or_default();
            let number = payload.split(|byte| *byte == b' ').next().unwrap_or_default();
            return Ok(String::from_utf8_lossy(number).parse().unwrap_or(0));
        }
    }
    Ok(0)
}

fn packet(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let first = byte[0];
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        stream.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7F) << shift;
        if byte[0] < 0x80 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((first, body))
}
