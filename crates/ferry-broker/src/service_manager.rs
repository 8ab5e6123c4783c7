//! Telling systemd how far the broker is (sd_notify(3)): datagrams to the socket that it has named.

use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::time::{ClockId, clock_gettime};

/// The variable that names the socket.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// Whoever has started the process and wants to know; nobody, mostly.
#[derive(Debug)]
pub(crate) struct ServiceManager(Option<(UnixDatagram, SocketAddr)>);

impl ServiceManager {
    /// By the environment of the process.
    pub(crate) fn of(environment: &[(String, String)]) -> Self {
        let named = environment.iter().find(|(name, value)| name == VARIABLE && !value.is_empty());
        let Some((_, path)) = named else { return Self(None) };
        let socket = address(path).and_then(|address| Ok((UnixDatagram::unbound()?, address)));
        match socket {
            Ok(socket) => Self(Some(socket)),
            Err(error) => {
                tracing::warn!("{VARIABLE} names {path}, which is no socket: {error}");
                Self(None)
            }
        }
    }

    /// Clients are served, by the configuration that was read last.
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The configuration is being read again.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
    }

    /// The end has begun.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, state: &str) {
        let Some((socket, address)) = &self.0 else { return };
        if let Err(error) = socket.send_to_addr(state.as_bytes(), address) {
            tracing::warn!("the service manager is not told {state:?}: {error}");
        }
    }
}

/// A path, or a name of Linux's after an `@`, which no file has.
fn address(path: &str) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = path.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt;

        return SocketAddr::from_abstract_name(name);
    }
    SocketAddr::from_pathname(path)
}
