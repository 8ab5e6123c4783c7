//! Brokers with a listener of each kind.

use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ferry_broker::config::{ClientCertificate, Config, Durability, Listener};
use ferry_broker::{Broker as FerryBroker, RunningBroker};
use ferry_client::ProtocolVersion;

use crate::certificates::Certificates;
use crate::scratch_directory::ScratchDirectory;

/// A broker that is not there by then does not start.
const START_MAX: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BrokerKind {
    Ferry,
    Mosquitto,
    /// Only TCP, MQTT 3.1.1 and QoS 0 and 1, as Debian has it.
    Nats,
}

/// Its listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Tcp,
    Tls,
    TlsWithClientCertificate,
    WebSocket,
    SecureWebSocket,
    Unix,
}

impl Scheme {
    pub(crate) const ALL: [Self; 6] = [
        Self::Tcp,
        Self::Tls,
        Self::TlsWithClientCertificate,
        Self::WebSocket,
        Self::SecureWebSocket,
        Self::Unix,
    ];

    pub(crate) const fn is_tls(self) -> bool {
        matches!(self, Self::Tls | Self::TlsWithClientCertificate | Self::SecureWebSocket)
    }
}

/// A running broker; dropped, it is stopped.
pub(crate) struct Broker {
    pub(crate) kind: BrokerKind,
    pub(crate) certificates: Certificates,
    ports: Vec<u16>,
    directory: ScratchDirectory,
    _process: Process,
}

enum Process {
    Ferry { _broker: Box<RunningBroker> },
    Other(Child),
}

impl BrokerKind {
    pub(crate) fn installed() -> Vec<Self> {
        if mosquitto().is_some() { vec![Self::Ferry, Self::Mosquitto] } else { vec![Self::Ferry] }
    }

    /// With those that have no QoS 2.
    pub(crate) fn installed_with_qos_1() -> Vec<Self> {
        let nats = nats().map(|_| Self::Nats);
        Self::installed().into_iter().chain(nats).collect()
    }

    /// The versions that it speaks.
    pub(crate) fn versions(self) -> &'static [ProtocolVersion] {
        match self {
            Self::Ferry | Self::Mosquitto => &[ProtocolVersion::V5, ProtocolVersion::V311],
            Self::Nats => &[ProtocolVersion::V311],
        }
    }
}

impl Broker {
    pub(crate) fn start(kind: BrokerKind) -> Self {
        let directory = ScratchDirectory::new();
        let certificates = Certificates::new(&directory);
        let (process, ports) = match kind {
            BrokerKind::Ferry => ferry(&directory, &certificates),
            BrokerKind::Mosquitto => start_mosquitto(&directory, &certificates),
            BrokerKind::Nats => start_nats(&directory),
        };
        Self { kind, certificates, ports, directory, _process: process }
    }

    pub(crate) fn url(&self, scheme: Scheme) -> String {
        let name = match scheme {
            Scheme::Tcp => "mqtt",
            Scheme::Tls | Scheme::TlsWithClientCertificate => "mqtts",
            Scheme::WebSocket => "ws",
            Scheme::SecureWebSocket => "wss",
            Scheme::Unix => return format!("unix://{}", socket(&self.directory).display()),
        };
        format!("{name}://localhost:{}", self.port(scheme))
    }

    pub(crate) fn port(&self, scheme: Scheme) -> u16 {
        let at = Scheme::ALL.iter().position(|other| *other == scheme).expect("one of all");
        self.ports[at]
    }
}

fn socket(directory: &ScratchDirectory) -> PathBuf {
    directory.path().join("socket")
}

fn ferry(directory: &ScratchDirectory, certificates: &Certificates) -> (Process, Vec<u16>) {
    let listeners = Scheme::ALL.map(|scheme| {
        let address = match scheme {
            Scheme::Tcp => "tcp://127.0.0.1:0".to_owned(),
            Scheme::Tls | Scheme::TlsWithClientCertificate => "tls://127.0.0.1:0".to_owned(),
            Scheme::WebSocket => "ws://127.0.0.1:0/mqtt".to_owned(),
            Scheme::SecureWebSocket => "wss://127.0.0.1:0/mqtt".to_owned(),
            Scheme::Unix => format!("unix://{}", socket(directory).display()),
        };
        let mut listener = Listener { address: address.parse().expect("an address"), ..Listener::default() };
        if scheme.is_tls() {
            listener.tls_certificate_file = Some(certificates.server.clone());
            listener.tls_key_file = Some(certificates.server_key.clone());
        }
        if scheme == Scheme::TlsWithClientCertificate {
            listener.tls_client_ca_file = Some(certificates.authority.clone());
            listener.tls_client_certificate = ClientCertificate::Required;
        }
        listener
    });
    let mut config = Config { listeners: listeners.to_vec(), ..Config::default() };
    config.sys.interval_seconds = 0;
    config.storage.durability = Durability::Memory;
    let broker = FerryBroker::start(config).expect("a broker");
    let addresses = broker.local_addresses().iter();
    let ports = addresses.map(|address| address.host_port().map_or(0, |host_port| host_port.port)).collect();
    (Process::Ferry { _broker: Box::new(broker) }, ports)
}

fn mosquitto() -> Option<&'static Path> {
    ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"].map(Path::new).into_iter().find(|path| path.exists())
}

fn start_mosquitto(directory: &ScratchDirectory, certificates: &Certificates) -> (Process, Vec<u16>) {
    // Another test may take a port that was free a moment ago.
    for _ in 0..10 {
        if let Some(started) = try_mosquitto(directory, certificates) {
            return started;
        }
    }
    panic!("mosquitto does not start");
}

fn try_mosquitto(directory: &ScratchDirectory, certificates: &Certificates) -> Option<(Process, Vec<u16>)> {
    let ports = Scheme::ALL.map(|_| free_port());
    // Started by root it would give up the right to read the certificates.
    let mut text =
        "user root\nper_listener_settings false\nallow_anonymous true\nset_tcp_nodelay true\n".to_owned();
    for (scheme, port) in Scheme::ALL.into_iter().zip(ports) {
        if scheme == Scheme::Unix {
            text.push_str(&format!("listener 0 {}\n", socket(directory).display()));
            continue;
        }
        text.push_str(&format!("listener {port} 127.0.0.1\n"));
        if matches!(scheme, Scheme::WebSocket | Scheme::SecureWebSocket) {
            text.push_str("protocol websockets\n");
        }
        if scheme.is_tls() {
            let Certificates { authority, server, server_key, .. } = certificates;
            text.push_str(&format!("cafile {}\n", authority.display()));
            text.push_str(&format!("certfile {}\nkeyfile {}\n", server.display(), server_key.display()));
        }
        if scheme == Scheme::TlsWithClientCertificate {
            text.push_str("require_certificate true\n");
        }
    }
    let file = directory.write("mosquitto.conf", &text);
    let program = mosquitto().expect("it is installed");
    let mut command = Command::new(program);
    command.arg("-c").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("a process");
    let deadline = Instant::now() + START_MAX;
    for port in &ports[..5] {
        while TcpStream::connect(("127.0.0.1", *port)).is_err() {
            if child.try_wait().expect("a child").is_some() {
                return None;
            }
            assert!(Instant::now() < deadline, "mosquitto does not start");
            std::thread::yield_now();
        }
    }
    Some((Process::Other(child), ports.to_vec()))
}

fn nats() -> Option<&'static Path> {
    ["/usr/sbin/nats-server", "/usr/bin/nats-server"].map(Path::new).into_iter().find(|path| path.exists())
}

fn start_nats(directory: &ScratchDirectory) -> (Process, Vec<u16>) {
    let port = free_port();
    let store = directory.path().join("jetstream");
    let text = format!(
        "server_name: test\nhost: 127.0.0.1\nport: -1\njetstream {{ store_dir: \"{}\" }}\n\
         mqtt {{ host: 127.0.0.1, port: {port} }}\n",
        store.display()
    );
    let file = directory.write("nats.conf", &text);
    let mut command = Command::new(nats().expect("it is installed"));
    command.arg("-c").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("a process");
    let deadline = Instant::now() + START_MAX;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(child.try_wait().expect("a child").is_none(), "nats-server has ended");
        assert!(Instant::now() < deadline, "nats-server does not start");
        std::thread::yield_now();
    }
    (Process::Other(child), vec![port])
}

/// Never the same twice: the tests run at the same time, and two brokers would take one port for theirs.
pub(crate) fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        if GIVEN.lock().expect("nobody panics with it").insert(port) {
            return port;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Self::Other(child) = self {
            let _ended = child.kill();
            let _status = child.wait();
        }
    }
}
