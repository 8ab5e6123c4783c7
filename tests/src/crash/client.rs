use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::ledger::Ledger;
use super::random::Random;
use super::rumqttc_client;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Publisher,
    Subscriber,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Library {
    PahoPython,
    Rumqttc,
}

/// One client of the traffic.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientSpec {
    /// Its client identifier.
    pub(super) name: &'static str,
    pub(super) role: Role,
    pub(super) library: Library,
    /// The protocol level: 4 or 5.
    pub(super) version: u8,
    pub(super) qos: u8,
}

/// rumqttc only at QoS 1: it forgets the QoS 2 messages that it has received when it connects again.
pub(super) const CLIENTS: [ClientSpec; 9] = [
    paho("paho-publisher-1", Role::Publisher, 5, 1),
    paho("paho-publisher-2", Role::Publisher, 5, 2),
    paho("paho-publisher-v4-2", Role::Publisher, 4, 2),
    rumqttc("rumqttc-publisher-1", Role::Publisher),
    paho("paho-subscriber-1", Role::Subscriber, 5, 1),
    paho("paho-subscriber-2", Role::Subscriber, 5, 2),
    paho("paho-subscriber-v4-1", Role::Subscriber, 4, 1),
    paho("paho-subscriber-v4-2", Role::Subscriber, 4, 2),
    rumqttc("rumqttc-subscriber-1", Role::Subscriber),
];

const fn paho(name: &'static str, role: Role, version: u8, qos: u8) -> ClientSpec {
    ClientSpec { name, role, library: Library::PahoPython, version, qos }
}

const fn rumqttc(name: &'static str, role: Role) -> ClientSpec {
    ClientSpec { name, role, library: Library::Rumqttc, version: 4, qos: 1 }
}

impl ClientSpec {
    /// When a connection ends while rumqttc sends again what an earlier one has left, it sends the rest before that.
    pub(super) fn keeps_order(&self) -> bool {
        self.library != Library::Rumqttc
    }
}

/// All clients, at work.
pub(super) struct Clients {
    clients: Vec<Client>,
    said: Receiver<(&'static str, String)>,
}

struct Client {
    spec: ClientSpec,
    hand: Hand,
    paused: bool,
}

enum Hand {
    Process { child: Child, orders: ChildStdin },
    Thread(UnboundedSender<String>),
}

impl Clients {
    pub(super) fn start(port: u16) -> Result<Self, String> {
        let (say, said) = mpsc::channel();
        let mut clients = Vec::new();
        for spec in CLIENTS {
            let hand = match spec.library {
                Library::PahoPython => process(spec, port, say.clone())?,
                Library::Rumqttc => {
                    let (orders, incoming) = unbounded_channel();
                    let say = say.clone();
                    std::thread::spawn(move || rumqttc_client::run(spec, port, incoming, &say));
                    Hand::Thread(orders)
                }
            };
            clients.push(Client { spec, hand, paused: false });
        }
        Ok(Self { clients, said })
    }

    /// Enters what clients say until `is_enough`, but no longer than `duration`; whether it was enough.
    ///
    /// # Errors
    /// Those of the ledger, or all clients have ended.
    pub(super) fn pump(
        &mut self,
        ledger: &mut Ledger,
        duration: Duration,
        is_enough: impl Fn(&Ledger) -> bool,
    ) -> Result<bool, String> {
        let deadline = Instant::now() + duration;
        let mut looked = Instant::now();
        loop {
            let patience = deadline.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(patience.min(Duration::from_millis(100))) {
                Ok((client, line)) => {
                    if let Err(broken) = ledger.enter(client, &line) {
                        return Err(self.explain(ledger, broken));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err("all clients have ended".to_owned()),
            }
            // Looking through everything takes time.
            if patience.is_zero() || looked.elapsed() > Duration::from_millis(100) {
                looked = Instant::now();
                let enough = is_enough(ledger);
                if enough || patience.is_zero() {
                    return Ok(enough);
                }
            }
        }
    }

    /// What comes next tells whether something was lost or came late.
    fn explain(&mut self, ledger: &mut Ledger, broken: String) -> String {
        let deadline = Instant::now() + Duration::from_secs(3);
        while let Ok((client, line)) =
            self.said.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            // One broken promise is enough.
            let _another = ledger.enter(client, &line);
        }
        broken + &ledger.next_numbers()
    }

    pub(super) fn order(&mut self, role: Role, order: &str) {
        self.clients
            .iter_mut()
            .filter(|client| client.spec.role == role)
            .for_each(|client| client.order(order));
    }

    /// Now and then lets a subscriber leave or come back, so that queues grow. Says so.
    pub(super) fn pause_or_resume(&mut self, random: &mut Random) -> Option<String> {
        let at = random.below(2 * self.clients.len() as u64) as usize;
        let client = self.clients.get_mut(at).filter(|client| client.spec.role == Role::Subscriber)?;
        client.paused = !client.paused;
        client.order(if client.paused { "pause" } else { "resume" });
        Some(format!("{} {}", client.spec.name, if client.paused { "leaves" } else { "is back" }))
    }

    pub(super) fn resume_all(&mut self) {
        for client in self.clients.iter_mut().filter(|client| client.paused) {
            client.paused = false;
            client.order("resume");
        }
    }
}

impl Client {
    fn order(&mut self, order: &str) {
        // A client that has ended is missed elsewhere.
        let _given = match &mut self.hand {
            Hand::Process { orders, .. } => writeln!(orders, "{order}").is_ok(),
            Hand::Thread(orders) => orders.send(order.to_owned()).is_ok(),
        };
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Hand::Process { child, .. } = &mut self.hand {
            let _ended = child.kill();
            let _status = child.wait();
        }
    }
}

fn process(spec: ClientSpec, port: u16, say: Sender<(&'static str, String)>) -> Result<Hand, String> {
    let python = python()?;
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/crash.py");
    let role = if spec.role == Role::Publisher { "publish" } else { "subscribe" };
    let mut command = Command::new(&python);
    command.arg(program).args([role, spec.name]).args([spec.version.to_string(), spec.qos.to_string()]);
    command.arg(port.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", python.display()))?;
    let (Some(orders), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("a client has no pipes".to_owned());
    };
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if say.send((spec.name, line)).is_err() {
                return;
            }
        }
    });
    Ok(Hand::Process { child, orders })
}

/// What `cargo xtask` names, or the place where `cargo xtask test-tools` puts it.
fn python() -> Result<PathBuf, String> {
    let named = std::env::var_os("FERRY_TEST_PYTHON").map(PathBuf::from);
    let path = named.or_else(|| {
        let program = std::env::current_exe().ok()?;
        let profile = program.ancestors().find(|directory| directory.join(".fingerprint").is_dir())?;
        Some(profile.with_file_name("test-tools").join("python/bin/python"))
    });
    path.filter(|path| path.exists())
        .ok_or_else(|| "there is no paho-mqtt: `cargo xtask test-tools` installs it".to_owned())
}
