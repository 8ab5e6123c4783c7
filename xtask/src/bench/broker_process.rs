use std::fs::{read_dir, read_to_string};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::descendants::{end_with_descendants, with_descendants};
use super::guard::{Guard, Guarded};
use super::peer::{Need, Peer};

/// How long a broker may take until it answers.
const START_MAX: Duration = Duration::from_secs(60);

/// How long what a broker does right after its start is waited for, such as giving memory back: otherwise it would count as
/// that of clients.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// How long an answer to CONNECT may take.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// CONNECT of MQTT 3.1.1 and 5.0, clean, with a keep alive (rumqttd insists), of a client "b".
const CONNECT: [u8; 15] = *b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01b";
const CONNECT_V5: [u8; 16] = *b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01b";

/// A running broker; dropped, it and its children are killed.
pub(super) struct BrokerProcess<'a> {
    child: Child,
    _guarded: Guarded<'a>,
    pub(super) port: u16,
    directory: PathBuf,
}

/// Files of TLS for brokers.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl<'a> BrokerProcess<'a> {
    /// Starts a broker in an empty directory, and waits until it lets in a client.
    ///
    /// # Errors
    /// It does not start, or does not answer in time; with the end of what it said.
    pub(super) fn start(
        peer: &Peer,
        program: &Path,
        need: Need,
        directory: &Path,
        certificate: Option<&Certificate>,
        guard: &'a Guard,
    ) -> Result<Self, String> {
        let wrong = |error: std::io::Error| format!("cannot be started: {error}");
        let _ = std::fs::remove_dir_all(directory);
        std::fs::create_dir_all(directory).map_err(wrong)?;
        let port = free_port().map_err(wrong)?;
        let fill = |text: &str| {
            let text = text.replace("{port}", &port.to_string());
            let text = text.replace("{directory}", &directory.to_string_lossy());
            match certificate {
                None => text,
                Some(Certificate { certificate, key }) => text
                    .replace("{certificate}", &certificate.to_string_lossy())
                    .replace("{key}", &key.to_string_lossy()),
            }
        };
        for (name, text) in peer.files(need) {
            std::fs::write(directory.join(name), fill(&text)).map_err(wrong)?;
        }
        let log = std::fs::File::create(directory.join("broker.log")).map_err(wrong)?;
        let mut command = Command::new(program);
        command.args(peer.arguments.iter().map(|argument| fill(argument)));
        command.envs(peer.environment.iter().map(|(name, value)| (name, fill(value))));
        command.stdin(Stdio::null()).stdout(log.try_clone().map_err(wrong)?).stderr(log);
        let child = command.current_dir(directory).process_group(0).spawn().map_err(wrong)?;
        let mut process =
            Self { _guarded: guard.keep(child.id()), child, port, directory: directory.to_owned() };
        process.await_answer(need)?;
        Ok(process)
    }

    /// Waits until what comes right after the start is done.
    pub(super) fn settle(&self) {
        std::thread::sleep(SETTLED_AFTER);
    }

    /// The process that was started.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The process and all that descend from it.
    pub(super) fn pids(&self) -> Vec<u32> {
        with_descendants(self.pid())
    }

    /// Memory in use, in bytes.
    pub(super) fn resident_bytes(&self) -> u64 {
        let of =
            |pid: &u32| field(&read_to_string(format!("/proc/{pid}/status")).unwrap_or_default(), "VmRSS:");
        self.pids().iter().map(of).sum::<u64>() * 1024
    }

    /// How often its threads have waited for something and been woken, so far.
    pub(super) fn wakeups(&self) -> u64 {
        let of = |directory: std::fs::DirEntry| {
            let status = read_to_string(directory.path().join("status")).unwrap_or_default();
            field(&status, "\nvoluntary_ctxt_switches:")
        };
        let threads = |pid: &u32| read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        self.pids().iter().flat_map(threads).map(of).sum()
    }

    fn await_answer(&mut self, need: Need) -> Result<(), String> {
        let deadline = Instant::now() + START_MAX;
        while !answers(self.port, need) {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("it ended: {status}; {}", self.last_words()));
            }
            if Instant::now() > deadline {
                return Err(format!("no answer in {} s; {}", START_MAX.as_secs(), self.last_words()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        let log = read_to_string(self.directory.join("broker.log")).unwrap_or_default();
        // Colours begin with an escape and end with an m.
        let mut parts = log.split('\u{1b}');
        let first = parts.next().unwrap_or_default().to_owned();
        let plain = parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest));
        plain
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("it said nothing")
            .trim()
            .to_owned()
    }
}

impl Drop for BrokerProcess<'_> {
    fn drop(&mut self) {
        // A broker that is started by a script is its child.
        end_with_descendants(self.pid());
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Whether a client is let in; with TLS, whether somebody listens.
fn answers(port: u16, need: Need) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    if need.tls {
        return true;
    }
    let connect: &[u8] = if need.v5 { &CONNECT_V5 } else { &CONNECT };
    let mut connack = [0; 4];
    stream.set_read_timeout(Some(ANSWER_MAX)).is_ok()
        && stream.write_all(connect).is_ok()
        && stream.read_exact(&mut connack).is_ok()
        && connack[0] == 0x20
        && connack[3] == 0
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn field(status: &str, name: &str) -> u64 {
    let value = status.split(name).nth(1).and_then(|rest| rest.split_whitespace().next());
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}
