use std::io;
use std::time::{Duration, Instant};

use ferry_codec::QoS;
use mio::{Events, Poll, Token};

use crate::packets::{PUBLISH, connect, first_frame, received, subscribe};
use crate::plan::{Credentials, Plan, Protocol};
use crate::transport::{Addresses, Stream, TlsClient};

/// Where brokers say what they are.
const TOPIC: &str = "$SYS/broker/version";

/// How long the answer may take: many brokers have none.
const PATIENCE: Duration = Duration::from_millis(300);

/// Longer ones are not a version.
const BYTES_MAX: usize = 4_096;

/// What the broker says that it is; none if it does not, or cannot be reached.
pub(crate) fn broker_version(plan: &Plan, credentials: &Credentials) -> Option<String> {
    let mut poll = Poll::new().ok()?;
    let mut events = Events::with_capacity(8);
    let tls = plan.target.scheme.is_secure().then(|| TlsClient::new(&plan.target, credentials));
    let tls = tls.transpose().ok()?;
    let stream = match Addresses::of(plan).ok()?.broker() {
        Some(address) => Stream::tcp(address, None),
        None => Stream::unix(&plan.target.path),
    };
    let mut stream = stream.and_then(|stream| stream.layered(&plan.target, tls.as_ref(), 0)).ok()?;
    stream.register(poll.registry(), Token(0)).ok()?;
    let deadline = Instant::now() + PATIENCE;
    let (mut is_connected, mut has_asked) = (false, false);
    let mut input = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || input.len() > BYTES_MAX {
            return None;
        }
        poll.poll(&mut events, Some(left)).ok()?;
        if !is_connected {
            is_connected = events.iter().any(|event| event.is_writable());
            if !is_connected {
                continue;
            }
            stream.connected().ok()?;
        }
        if !has_asked && stream.handshake(&plan.target).ok()? {
            has_asked = true;
            let question = question(plan, credentials);
            stream.write(&question).ok().filter(|count| *count == question.len())?;
        }
        if has_asked {
            read(&mut stream, &mut input)?;
            if let Some(version) = answer(&input, plan.protocol == Protocol::V5) {
                return Some(version);
            }
        }
    }
}

/// CONNECT and SUBSCRIBE at once: a client need not wait for CONNACK (section 3.1.4).
fn question(plan: &Plan, credentials: &Credentials) -> Vec<u8> {
    let plan = Plan { persistent_sessions: false, ..plan.clone() };
    let mut bytes = Vec::new();
    connect(&plan, credentials, &format!("bench-{:08x}-version", plan.seed & 0xFFFF_FFFF), &mut bytes);
    subscribe(&[TOPIC.to_owned()], QoS::AtMostOnce, plan.protocol.version(), &mut bytes);
    bytes
}

fn read(stream: &mut Stream, input: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 1_024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(count) => input.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(()),
            Err(_) => return None,
        }
    }
}

fn answer(mut input: &[u8], is_v5: bool) -> Option<String> {
    while let Ok(Some(frame)) = first_frame(input) {
        if frame.first & 0xF0 == PUBLISH {
            let payload = received(frame, is_v5)?.payload;
            return Some(String::from_utf8_lossy(payload).into_owned());
        }
        input = &input[frame.length..];
    }
    None
}
