//! The attacks. Each attacker does what one client may do; there are only too many of them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::Target;
use crate::crowd::{is_closed_by, online, open, reset};
use crate::packets::{connect, ping, publish, subscribe};

/// Bytes of each message.
const PAYLOAD: [u8; 1_000] = [b'x'; 1_000];

/// Messages sent to all, and retained messages asked for by all.
const MESSAGES: usize = 100;

/// Attackers that come at the same time.
const AT_ONCE: usize = 16;

/// How long an attack goes on that could go on for ever.
const SPAN: Duration = Duration::from_secs(12);

/// How long the broker may take to end connections.
const END_MAX: Duration = Duration::from_secs(60);

/// One of them.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// Lines of `ferry.toml`.
    pub(crate) configuration: &'static str,
    /// Returns what is still connected.
    pub(crate) carry_out: fn(&Target) -> Result<Vec<TcpStream>, String>,
}

/// All of them.
pub(crate) const ALL: [Attack; 8] = [
    Attack { name: "subscribe to `#`", configuration: SMALL_BUFFERS, carry_out: subscription_bomb },
    Attack { name: "a storm of wills", configuration: "", carry_out: will_storm },
    Attack { name: "a flood of connects and refused logins", configuration: "", carry_out: login_flood },
    Attack { name: "ask for retained messages", configuration: SMALL_BUFFERS, carry_out: retained_bomb },
    Attack { name: "send CONNECT byte by byte", configuration: "", carry_out: slow_loris },
    Attack { name: "take over each other", configuration: "", carry_out: duels },
    Attack { name: "garbage", configuration: "", carry_out: garbage },
    Attack { name: "garbage in TLS handshakes", configuration: "", carry_out: tls_garbage },
];

/// With the default of 2 MiB for each that does not read, this machine would have to have 20 GiB.
const SMALL_BUFFERS: &str = "[limits]\nwrite_buffer_bytes_max = \"64 KiB\"";

/// Does something for each number, so many at the same time.
fn crowd<T: Send>(count: usize, each: impl Fn(usize) -> Result<T, String> + Sync) -> Result<Vec<T>, String> {
    let (share, each) = (count.div_ceil(AT_ONCE), &each);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|part| {
                let numbers = (part * share).min(count)..((part + 1) * share).min(count);
                scope.spawn(move || numbers.map(each).collect::<Result<Vec<T>, String>>())
            })
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().expect("no panic")?);
        }
        Ok(all)
    })
}

/// Everything goes to clients that take nothing.
fn subscription_bomb(target: &Target) -> Result<Vec<TcpStream>, String> {
    let subscribed = crowd(target.clients, |number| ask_for(target.tcp, number, "#"))?;
    flood(target.tcp, false)?;
    Ok(subscribed)
}

/// Retained messages for clients that take nothing.
fn retained_bomb(target: &Target) -> Result<Vec<TcpStream>, String> {
    flood(target.tcp, true)?;
    crowd(target.clients, |number| ask_for(target.tcp, number, "flood/#"))
}

fn ask_for(broker: SocketAddr, number: usize, filter: &str) -> Result<TcpStream, String> {
    let mut socket = online(broker, number, &connect(&format!("attacker{number}"), None, None))?;
    send(&mut socket, &subscribe(filter, 0))?;
    Ok(socket)
}

/// Some messages to as many topics, and the answer to a ping behind each.
fn flood(broker: SocketAddr, retain: bool) -> Result<(), String> {
    let mut socket = online(broker, 0, &connect("flooder", None, None))?;
    for number in 0..MESSAGES {
        send(&mut socket, &[publish(&format!("flood/{number}"), &PAYLOAD, retain), ping()].concat())?;
        socket.read_exact(&mut [0; 2]).map_err(|error| format!("the flooder: {error}"))?;
    }
    Ok(())
}

/// All vanish at the same moment, each with a will.
fn will_storm(target: &Target) -> Result<Vec<TcpStream>, String> {
    let doomed = crowd(target.clients, |number| {
        online(target.tcp, number, &connect(&format!("attacker{number}"), Some(&PAYLOAD), None))
    })?;
    doomed.into_iter().for_each(reset);
    // The last of it is over when somebody new is served.
    online(target.tcp, 0, &connect("newcomer", None, None)).map(|socket| vec![socket])
}

/// Each comes once, with a client identifier that is refused.
fn login_flood(target: &Target) -> Result<Vec<TcpStream>, String> {
    let refused = connect(&"x".repeat(2_000), None, None);
    let deadline = Instant::now() + END_MAX;
    crowd(target.clients, |number| {
        let mut socket = open(target.tcp, number)?;
        // Those that are closed at the door cannot send.
        let _ = socket.write_all(&refused);
        is_closed_by(&socket, deadline);
        Ok(())
    })?;
    Ok(Vec::new())
}

/// A byte of CONNECT in each second.
fn slow_loris(target: &Target) -> Result<Vec<TcpStream>, String> {
    let mut slow = crowd(target.clients, |number| open(target.tcp, number))?;
    let packet = connect("a client that takes its time", None, None);
    let begin = Instant::now();
    for (second, byte) in (1..).zip(packet) {
        if begin.elapsed() > SPAN {
            break;
        }
        slow.retain_mut(|socket| socket.write_all(&[byte]).is_ok());
        thread::sleep(Duration::from_secs(second).saturating_sub(begin.elapsed()));
    }
    Ok(slow)
}

/// Four clients for each client identifier.
fn duels(target: &Target) -> Result<Vec<TcpStream>, String> {
    let identifiers = (target.clients / 4).max(1);
    crowd(target.clients, |number| {
        online(target.tcp, number, &connect(&format!("twin{}", number % identifiers), None, None))
    })
}

/// Bytes that are no packet.
fn garbage(target: &Target) -> Result<Vec<TcpStream>, String> {
    // No CONNECT begins like that.
    end_badly(target, target.tcp, &[0xA5; 1_000])
}

/// A handshake that begins well.
fn tls_garbage(target: &Target) -> Result<Vec<TcpStream>, String> {
    let hello =
        [&[0x16, 0x03, 0x01, 0x01, 0x00, 0x01, 0x00, 0x00, 0xFC, 0x03, 0x03][..], &[0xFF; 250]].concat();
    end_badly(target, target.tls, &hello)
}

fn end_badly(target: &Target, broker: SocketAddr, bytes: &[u8]) -> Result<Vec<TcpStream>, String> {
    let rude = crowd(target.clients, |number| {
        let mut socket = open(broker, number)?;
        // Those that are closed at the door cannot send.
        let _ = socket.write_all(bytes);
        Ok(socket)
    })?;
    let deadline = Instant::now() + END_MAX;
    let open = rude.iter().filter(|socket| !is_closed_by(socket, deadline)).count();
    if open > 0 { Err(format!("{open} connections were not ended")) } else { Ok(Vec::new()) }
}

fn send(socket: &mut TcpStream, bytes: &[u8]) -> Result<(), String> {
    socket.write_all(bytes).map_err(|error| format!("an attacker cannot send: {error}"))
}
