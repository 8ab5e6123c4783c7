//! mosquitto_pub, mosquitto_sub and mosquitto_rr.

use std::process::Command;

use ferry_tests::ferry::{Ferry, Transport};
use libtest_mimic::Trial;

use crate::mosquitto_program::{MosquittoProgram, output};

const VERSIONS: &[&str] = &["mqttv31", "mqttv311", "mqttv5"];

/// A name and what happens.
type Scenario = (&'static str, fn(&Arena));

/// What is run in each version.
const SCENARIOS: &[Scenario] = &[
    ("messages_of_every_qos", every_qos),
    ("retained_messages", retained),
    ("a_will_after_a_failure", will),
    ("a_queue_for_an_absent_client", queue),
    ("work_is_shared", shared),
];

/// What is run in MQTT 5.0 only.
const SCENARIOS_V5: &[Scenario] =
    &[("every_property_of_a_message", properties), ("request_and_response", request_and_response)];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for version in VERSIONS {
        for (name, run) in SCENARIOS {
            trials.push(trial(name, version, Transport::Tcp, *run));
        }
        for transport in [Transport::Tls, Transport::TlsWithClientCertificate, Transport::Unix] {
            trials.push(trial("messages_of_every_qos", version, transport, every_qos));
        }
    }
    for (name, run) in SCENARIOS_V5 {
        trials.push(trial(name, "mqttv5", Transport::Tcp, *run));
    }
    trials.push(trial("the_broker_tells_about_itself", "mqttv311", Transport::Tcp, sys_topics));
    trials
}

fn trial(name: &str, version: &'static str, transport: Transport, run: fn(&Arena)) -> Trial {
    let name = format!("mosquitto::{version}::{}::{name}", transport.name());
    Trial::test(name, move || {
        let arena = Arena { ferry: Ferry::start(""), version, transport };
        run(&arena);
        arena.ferry.stop();
        Ok(())
    })
}

/// A broker and how the programs reach it.
struct Arena {
    ferry: Ferry,
    version: &'static str,
    transport: Transport,
}

impl Arena {
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let certificates = &self.ferry.certificates;
        let mut command = Command::new(program);
        if self.transport == Transport::Unix {
            command.arg("--unix").arg(self.ferry.unix_socket());
        } else {
            command.args(["-h", "127.0.0.1", "-p", &self.ferry.port(self.transport).to_string()]);
        }
        if self.transport.scheme() == "tls" {
            command.arg("--cafile").arg(&certificates.authority);
        }
        if self.transport == Transport::TlsWithClientCertificate {
            command.arg("--cert").arg(&certificates.client).arg("--key").arg(&certificates.client_key);
        }
        command.args(["-V", self.version]).args(arguments);
        command
    }

    /// Runs `mosquitto_pub` to its end.
    fn publish(&self, arguments: &[&str]) {
        output(&mut self.command("mosquitto_pub", arguments));
    }

    /// A `mosquitto_sub` that has subscribed. What it prints of a message is `format`.
    fn subscriber(&self, format: &str, arguments: &[&str]) -> MosquittoProgram {
        let mut command = self.command("mosquitto_sub", &["-d", "-F", format]);
        let mut program = MosquittoProgram::start(command.args(arguments));
        program.wait_for("Subscribed (mid: ");
        program
    }

    /// What a session needs to outlive its connection.
    fn lasting(&self) -> &'static [&'static str] {
        if self.version == "mqttv5" { &["-c", "-x", "300"] } else { &["-c"] }
    }
}

/// [MQTT-4.3.1-1] [MQTT-4.3.2-1] [MQTT-4.3.3-1] [MQTT3-4.3.1-1] [MQTT3-4.3.2-1] [MQTT3-4.3.3-1]
fn every_qos(arena: &Arena) {
    let mut subscriber = arena.subscriber("got %t %p %q %r", &["-t", "a/+", "-q", "2"]);
    for qos in ["0", "1", "2"] {
        arena.publish(&["-t", "a/b", "-m", "hello", "-q", qos]);
        subscriber.expect("got", &format!("got a/b hello {qos} 0"));
    }
}

/// [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT3-3.3.1-5] [MQTT3-3.3.1-10]
fn retained(arena: &Arena) {
    arena.publish(&["-t", "a", "-m", "kept", "-r", "-q", "1"]);
    arena.publish(&["-t", "b", "-m", "forgotten", "-r"]);
    arena.publish(&["-t", "b", "-n", "-r", "-q", "1"]);
    arena.publish(&["-t", "c", "-m", "last", "-r", "-q", "1"]);
    let mut command = arena.command("mosquitto_sub", &["-F", "%t %p %r", "-t", "#", "-C", "2", "-W", "60"]);
    let text = output(&mut command);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["a kept 1", "c last 1"]);
}

/// [MQTT-3.1.2-8] [MQTT3-3.1.2-8]
fn will(arena: &Arena) {
    let mut observer = arena.subscriber("got %t %p %q", &["-t", "will", "-q", "1"]);
    let will = ["--will-topic", "will", "--will-payload", "gone", "--will-qos", "1", "-t", "unused"];
    arena.subscriber("%p", &will).kill();
    observer.expect("got", "got will gone 1");
}

/// [MQTT-3.1.2-5] [MQTT-4.5.0-1] [MQTT3-3.1.2-4] [MQTT3-3.1.2-5]
fn queue(arena: &Arena) {
    let session = [&["-i", "away", "-q", "2", "-t", "news"], arena.lasting()].concat();
    output(&mut arena.command("mosquitto_sub", &[session.as_slice(), &["-E"]].concat()));
    for number in 0..5 {
        arena.publish(&["-t", "news", "-m", &number.to_string(), "-q", "1"]);
    }
    let rest = ["-C", "5", "-W", "60", "-F", "%p"];
    let text = output(&mut arena.command("mosquitto_sub", &[session.as_slice(), &rest].concat()));
    assert_eq!(text.lines().collect::<Vec<_>>(), ["0", "1", "2", "3", "4"]);
}

/// [MQTT-4.8.2-4]
fn shared(arena: &Arena) {
    let shared = ["-t", "$share/crew/jobs", "-q", "1"];
    let mut members = [arena.subscriber("got %p", &shared), arena.subscriber("got %p", &shared)];
    for number in 0..6 {
        arena.publish(&["-t", "jobs", "-m", &number.to_string(), "-q", "1"]);
    }
    let [one, two] = &mut members;
    let mut done: Vec<String> = (0..3).flat_map(|_| [one.wait_for("got"), two.wait_for("got")]).collect();
    done.sort_unstable();
    assert_eq!(done, ["got 0", "got 1", "got 2", "got 3", "got 4", "got 5"]);
}

/// [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]
fn properties(arena: &Arena) {
    let mut subscriber = arena.subscriber("got %p %F %C %R %D %P", &["-t", "t"]);
    let mut arguments = vec!["-t", "t", "-m", "x"];
    let properties = [
        "payload-format-indicator 1",
        "content-type text/plain",
        "response-topic re/ply",
        "correlation-data 17",
        "user-property b 1",
        "user-property a 2",
        "user-property b 3",
    ];
    for property in properties {
        arguments.extend(["-D", "publish"]);
        arguments.extend(property.split(' '));
    }
    arena.publish(&arguments);
    subscriber.expect("got", "got x 1 text/plain re/ply 17 b:1 a:2 b:3");
}

/// [MQTT-3.3.2-15] [MQTT-3.3.2-16]
fn request_and_response(arena: &Arena) {
    let mut responder = arena.subscriber("got %p %R %D", &["-t", "ask"]);
    let request = ["-d", "-t", "ask", "-e", "answer", "-m", "2+2", "-D", "publish", "correlation-data", "17"];
    let mut command = arena.command("mosquitto_rr", &request);
    let mut requester = MosquittoProgram::start(command.args(["-F", "got %p %D", "-W", "60"]));
    responder.expect("got", "got 2+2 answer 17");
    arena.publish(&["-t", "answer", "-m", "4", "-D", "publish", "correlation-data", "17"]);
    requester.expect("got", "got 4 17");
}

/// The topics that Mosquitto's users know.
fn sys_topics(arena: &Arena) {
    for topic in [
        "$SYS/broker/version",
        "$SYS/broker/uptime",
        "$SYS/broker/clients/connected",
        "$SYS/broker/messages/received",
        "$SYS/broker/subscriptions/count",
        "$SYS/broker/load/messages/received/1min",
    ] {
        let mut command =
            arena.command("mosquitto_sub", &["-F", "%t %r", "-t", topic, "-C", "1", "-W", "60"]);
        assert_eq!(output(&mut command).trim_end(), format!("{topic} 1"));
    }
}
