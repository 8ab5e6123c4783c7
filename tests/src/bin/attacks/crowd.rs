//! Many sockets, from many addresses of this machine.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// Clients come from this many addresses, 127.0.1.1 and those that follow.
const ADDRESSES: usize = 50;

/// What the system keeps for one that does not read is small, or the attack is one on this machine.
const RECEIVE_BUFFER_BYTES: usize = 4 * 1024;

/// How long one waits for an answer before it tries anew, and how long it tries.
const ANSWER_MAX: Duration = Duration::from_secs(60);
const TRIES_MAX: usize = 20;
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// A socket to the broker, of the attacker with this number.
///
/// # Errors
/// The system or the broker does not let it.
pub(crate) fn open(broker: SocketAddr, number: usize) -> Result<TcpStream, String> {
    let failed = |error: std::io::Error| format!("attacker {number}: {error}");
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).map_err(failed)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES).map_err(failed)?;
    let host = u8::try_from(number % ADDRESSES + 1).unwrap_or(1);
    let from = SocketAddr::from((Ipv4Addr::new(127, 0, 1, host), 0));
    socket.bind(&from.into()).map_err(failed)?;
    socket.connect(&broker.into()).map_err(failed)?;
    let socket = TcpStream::from(socket);
    socket.set_nodelay(true).map_err(failed)?;
    socket.set_read_timeout(Some(ANSWER_MAX)).map_err(failed)?;
    Ok(socket)
}

/// A client that is connected. One that is turned away tries again.
///
/// # Errors
/// It is turned away too often.
pub(crate) fn online(broker: SocketAddr, number: usize, connect: &[u8]) -> Result<TcpStream, String> {
    for _ in 0..TRIES_MAX {
        let mut socket = open(broker, number)?;
        let mut connack = [0; 4];
        if socket.write_all(connect).is_ok()
            && socket.read_exact(&mut connack).is_ok()
            && connack[..2] == [0x20, 2]
            && connack[3] == 0
        {
            return Ok(socket);
        }
        thread::sleep(RETRY_PAUSE);
    }
    Err(format!("attacker {number} is not let in"))
}

/// Ends the connection at once: the broker sees a reset.
pub(crate) fn reset(socket: TcpStream) {
    // Nothing can be done about one that cannot.
    let _ = Socket::from(socket).set_linger(Some(Duration::ZERO));
}

/// Waits until the broker has ended the connection, or time is up; whether it has.
pub(crate) fn is_closed_by(mut socket: &TcpStream, deadline: Instant) -> bool {
    let mut buffer = [0; 1024];
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        // A timeout of that length is always taken.
        let _ = socket.set_read_timeout(Some(left));
        match socket.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}
