//! A client with an outbox whose process is killed again and again, and whose broker is killed too: nothing that the outbox
//! has taken is lost, and nothing with QoS 2 comes twice.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use ferry_client::{ClientOptions, Filter, Message, QoS};
use ferry_tests::broker::free_port;
use ferry_tests::crash::{BrokerChoice, CrashBroker};
use ferry_tests::ferry::ScratchDirectory;

const LIVES: usize = 12;

/// Published when everything else has arrived.
const END: &str = "end";

struct Publisher {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Publisher {
    fn start(port: u16, directory: &ScratchDirectory, life: usize) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_outbox-publisher"));
        command.arg(port.to_string()).arg(directory.path("outbox")).arg(life.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, lines }
    }

    /// Reads so many lines, and keeps the messages that were taken.
    fn read(&mut self, count: usize, taken: &mut Vec<String>) {
        for line in self.lines.by_ref().lines().take(count) {
            taken.extend(line.expect("text").strip_prefix("taken ").map(str::to_owned));
        }
    }

    /// SIGKILL.
    fn kill(mut self, taken: &mut Vec<String>) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("our child");
        // The last line may be cut: then nobody was told.
        let mut rest = String::new();
        let mut lines = self.lines;
        while lines.read_line(&mut rest).is_ok_and(|length| length > 0) {
            let whole = rest.strip_suffix('\n');
            taken.extend(whole.and_then(|line| line.strip_prefix("taken ")).map(str::to_owned));
            rest.clear();
        }
    }

    /// Lets it finish what it has begun.
    fn finish(mut self, taken: &mut Vec<String>) {
        drop(self.child.stdin.take());
        self.read(usize::MAX, taken);
        assert!(self.child.wait().expect("our child").success());
    }
}

/// [MQTT-4.3.3-6], [MQTT-4.3.3-7], [MQTT-4.4.0-1]
#[test]
fn kills_of_the_process_and_of_the_broker_lose_nothing_taken_and_repeat_no_qos_2_message() {
    let directory = ScratchDirectory::new();
    let port = free_port().expect("a port");
    let start =
        || CrashBroker::start(BrokerChoice::Ferry, &directory.path("data"), port, "").expect("a broker");
    let mut broker = start();
    let watching = watch(port);
    let mut taken = Vec::new();
    for life in 0..LIVES {
        let mut publisher = Publisher::start(port, &directory, life);
        // At another place of the exchanges each time.
        publisher.read(40 + 61 * life % 100, &mut taken);
        if life % 3 == 1 {
            broker.kill();
            publisher.read(1 + 17 * life % 30, &mut taken);
            broker = start();
            publisher.read(100, &mut taken);
        }
        if life % 3 == 2 {
            // The next life finds a broker that is gone.
            broker.kill();
            publisher.kill(&mut taken);
            broker = start();
        } else {
            publisher.kill(&mut taken);
        }
    }
    Publisher::start(port, &directory, LIVES).finish(&mut taken);
    let mut options = ClientOptions::new(&format!("mqtt://127.0.0.1:{port}")).expect("a URL");
    options.connect.client_id = "ender".to_owned();
    let ender = options.connect_blocking().expect("a connection");
    ender.publish(Message::new("outbox/2", END).qos(QoS::ExactlyOnce)).expect("published");
    check(&taken, &watching.join().expect("it has everything"));
    broker.terminate().expect("a good end");
}

/// Collects what arrives, until [`END`], with a session that outlives the broker.
fn watch(port: u16) -> std::thread::JoinHandle<Vec<Message>> {
    let mut options = ClientOptions::new(&format!("mqtt://127.0.0.1:{port}")).expect("a URL");
    options.reconnect.delay_min = Duration::from_millis(1);
    options.reconnect.delay_max = Duration::from_millis(20);
    let options = options.client_id("watcher").clean_start(false).session_expiry(3600);
    let watcher = options.connect_blocking().expect("a connection");
    let filter = Filter::new("outbox/#").qos(QoS::ExactlyOnce);
    let mut messages = watcher.subscribe(filter).expect("a subscription");
    std::thread::spawn(move || {
        let messages =
            std::iter::from_fn(|| messages.recv()).take_while(|message| message.payload != END.as_bytes());
        let messages = messages.collect();
        watcher.disconnect();
        messages
    })
}

fn check(taken: &[String], arrived: &[Message]) {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for message in arrived {
        *counts.entry(text(message)).or_default() += 1;
    }
    let lost: Vec<_> = taken.iter().filter(|text| !counts.contains_key(text.as_str())).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), taken.len());
    let twice: Vec<_> =
        arrived.iter().filter(|message| message.topic == "outbox/2" && counts[text(message)] > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let qos_2: Vec<_> = arrived.iter().filter(|message| message.topic == "outbox/2").collect();
    assert!(qos_2.len() > LIVES * 10, "{}", qos_2.len());
    assert!(qos_2.is_sorted_by_key(|message| place(message)), "not in order");
}

/// Of a message among all of its QoS.
fn place(message: &Message) -> (usize, u64) {
    let (life, number) = text(message).split_once(' ').expect("two numbers");
    (life.parse().expect("a number"), number.parse().expect("a number"))
}

fn text(message: &Message) -> &str {
    message.text().expect("text")
}
