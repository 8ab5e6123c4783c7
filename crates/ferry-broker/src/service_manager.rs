//! Telling systemd how far the broker is (sd_notify(3)): datagrams to the socket that it has named.

use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The variable that names the socket.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// The variable that says within how many microseconds it wants to hear that all is well, each time (sd_watchdog_enabled(3)).
const WATCHDOG_MICROSECONDS: &str = "WATCHDOG_USEC";

/// The variable that says which process is meant.
const WATCHDOG_PROCESS: &str = "WATCHDOG_PID";

/// Whoever has started the process and wants to know; nobody, mostly.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// By the environment of the process.
    pub(crate) fn of(environment: &[(String, String)]) -> Self {
        let value_of = |name: &str| {
            let named = environment.iter().find(|(known, value)| known == name && !value.is_empty());
            named.map(|(_, value)| value.as_str())
        };
        let Some(path) = value_of(VARIABLE) else { return Self { socket: None, watchdog: None } };
        let socket = address(path).and_then(|address| Ok((UnixDatagram::unbound()?, address)));
        let socket = socket
            .inspect_err(|error| tracing::warn!("{VARIABLE} names {path}, which is no socket: {error}"));
        let is_meant = value_of(WATCHDOG_PROCESS).is_none_or(|id| id == std::process::id().to_string());
        let microseconds = value_of(WATCHDOG_MICROSECONDS).and_then(|text| text.parse().ok());
        let microseconds = microseconds.filter(|microseconds| is_meant && *microseconds > 1);
        Self { socket: socket.ok(), watchdog: microseconds.map(Duration::from_micros) }
    }

    /// How often [`Self::alive`] is to be called; `None`: nobody waits for it.
    pub(crate) fn alive_interval(&self) -> Option<Duration> {
        // As sd_watchdog_enabled(3) says: half of the time, so that one that is late is none too few.
        self.socket.as_ref().and(self.watchdog).map(|watchdog| watchdog / 2)
    }

    /// All is well.
    pub(crate) fn alive(&self) {
        self.tell("WATCHDOG=1");
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
        let Some((socket, address)) = &self.socket else { return };
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
