//! ACL files: what Mosquitto decides, Ferry decides.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use ferry_codec::{
    Connect, ConnectProperties, DecodeLimits, Direction, Packet, PacketId, ProtocolVersion, Publish, QoS,
    ReasonCode, Subscribe, SubscribeFiltersBuf, SubscriptionOptions, decode, encode, frame_length,
};
use ferry_tests::ferry::{Ferry, ScratchDirectory, Transport};
use libtest_mimic::Trial;

use crate::mosquitto_broker::MosquittoBroker;

const PATIENCE: Duration = Duration::from_secs(60);

/// What `mosquitto_passwd` makes of the password `secret`.
const HASH: &str = "$7$101$muH74VUf2TK5uwvZ$OOQ7PGoMwBGwAx04toxhk7c3JE8BQLeaNG9MQg3uPlckPmz7LDVBWotZIeYJq1Z05BVipzNU6Vqk9MIoUThqkg==";

const USERS: &[&str] = &["root", "ada", "ben smith", "plus+", "a/b", "nobody"];

/// Appended to every file: somebody who may publish everything, so that it can be seen who receives it.
const ROOT: &str = "\nuser root\ntopic readwrite #\ntopic readwrite $other/#\n";

/// User names (empty: anonymous) and client identifiers.
const CLIENTS: &[(&str, &str)] = &[
    ("", "c1"),
    ("ada", "c1"),
    ("ada", "c2"),
    ("ben smith", "c1"),
    ("nobody", "c1"),
    ("plus+", "c1"),
    ("a/b", "c1"),
    ("ada", "x#y"),
    ("ada", "p/q"),
    ("", "p/q"),
];

const TOPICS: &[&str] = &[
    "a",
    "a/b",
    "a/b/c",
    "a/secret",
    "/a",
    "a/",
    "b",
    "log",
    "with space",
    "own/c1",
    "own/c2",
    "own/p/q",
    "own/p/q/r",
    "own/ada",
    "own/a/b",
    "own/a/b/c",
    "x-c1-y/z",
    "both/c1/ada",
    "both/ada/c1",
    "%c",
    "own/%u",
    "$other/a",
    "$other/c1",
    "top",
    "top/c1/x",
];

const FILES: &[(&str, &str)] = &[
    ("nothing_for_others", ""),
    ("all_for_anonymous_clients", "topic #"),
    (
        "users",
        "topic read a/#\n\nuser ada\ntopic a/+\ntopic write log\nuser ben smith\ntopic readwrite with space\n",
    ),
    ("a_denial_after_what_it_takes_back", "user ada\ntopic a/#\ntopic deny a/secret\ntopic deny a/b/+"),
    ("a_denial_before_what_it_takes_back", "user ada\ntopic deny a/secret\ntopic a/#"),
    ("a_denial_in_a_pattern", "user ada\ntopic own/c1\npattern deny own/%c\npattern own/#"),
    ("a_denial_of_the_user_before_a_pattern", "user ada\ntopic deny own/c1\npattern readwrite own/%c"),
    ("patterns", "pattern read own/%c\npattern write own/%u\npattern readwrite both/%c/%u\npattern x-%c-y/#"),
    ("patterns_with_wildcards", "pattern own/%c/#\npattern read +/c1\npattern write top/%c/+"),
    ("placeholders_in_topics_are_none", "user ada\ntopic own/%u\ntopic %c\n"),
    (
        "the_topics_of_the_server",
        "user ada\ntopic #\nuser ben smith\ntopic read $other/#\npattern write $other/%c",
    ),
    (
        "a_user_in_two_places",
        "user ada\ntopic read a\nuser ben smith\ntopic b\nuser ada\ntopic write b\ntopic deny a/b",
    ),
    (
        "strange_but_right",
        "# a comment\n\nuser   ada\ntopic   read    a\ntopic write a/#\r\n   topic log\n#topic b\ntopic deny +",
    ),
];

pub(crate) fn trials() -> Vec<Trial> {
    if Command::new("mosquitto").arg("-h").output().is_err() {
        let why = "skipped: there is no mosquitto to compare with";
        return vec![Trial::test("access_rights", || Ok(())).with_kind(why).with_ignored_flag(true)];
    }
    let trial = |(name, rules): &(&'static str, &'static str)| {
        let rules = *rules;
        Trial::test(format!("access_rights::{name}"), move || {
            compare(rules);
            Ok(())
        })
    };
    FILES.iter().map(trial).collect()
}

fn compare(rules: &str) {
    let directory = ScratchDirectory::new();
    let users: String = USERS.iter().map(|user| format!("{user}:{HASH}\n")).collect();
    let users = directory.write("passwords", &users);
    let rules = directory.write("acl", &format!("{rules}{ROOT}"));
    let theirs = MosquittoBroker::start(&format!(
        "allow_anonymous true\npassword_file {}\nacl_file {}",
        users.display(),
        rules.display()
    ));
    let Some(theirs) = theirs else { return };
    let ours = Ferry::start(&format!(
        "[authentication]\npassword_file = \"{}\"\n[authorization]\nacl_file = \"{}\"\n",
        users.display(),
        rules.display()
    ));
    let expected = decisions(theirs.port());
    let decided = decisions(ours.port(Transport::Tcp));
    for (ours, theirs) in decided.iter().zip(&expected) {
        assert_eq!(ours, theirs, "left is Ferry, right is Mosquitto");
    }
    assert_eq!(decided.len(), expected.len());
    ours.stop();
}

/// A line for each client and topic: what it may do.
fn decisions(port: u16) -> Vec<String> {
    let mut root = Client::connect(port, "root", "root");
    let mut lines = Vec::new();
    for (user, client_id) in CLIENTS {
        let mut client = Client::connect(port, user, client_id);
        let written: Vec<bool> = TOPICS.iter().map(|topic| client.may_publish(topic)).collect();
        client.subscribe(&["#", "$other/#"]);
        for topic in TOPICS {
            root.may_publish(topic);
        }
        let received = client.received();
        for (topic, written) in TOPICS.iter().zip(written) {
            let read = received.iter().any(|received| received == topic);
            lines.push(format!(
                "user {user:?}, client {client_id:?}, {topic:?}: read {read}, write {written}"
            ));
        }
    }
    lines
}

/// A client that waits for every answer.
struct Client {
    socket: TcpStream,
    input: Vec<u8>,
    /// Topics of the messages that came while it waited for something else.
    topics: Vec<String>,
}

impl Client {
    fn connect(port: u16, user: &str, client_id: &str) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut client = Self { socket, input: Vec::new(), topics: Vec::new() };
        let named = !user.is_empty();
        client.send(&Packet::Connect(Connect {
            protocol_version: ProtocolVersion::V5,
            bridge: false,
            clean_start: true,
            keep_alive_seconds: 0,
            client_id,
            will: None,
            user_name: named.then_some(user),
            password: named.then_some(b"secret"),
            properties: ConnectProperties::default(),
        }));
        let connected = client.wait(|packet| match packet {
            Packet::Connack(connack) => Some(connack.reason_code),
            _ => None,
        });
        assert_eq!(connected, ReasonCode::SUCCESS, "{user} {client_id}");
        client
    }

    fn may_publish(&mut self, topic: &str) -> bool {
        self.send(&Packet::Publish(Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: false,
            packet_id: PacketId::new(1),
            topic,
            topic_alias: None,
            properties: Default::default(),
            subscription_ids: Default::default(),
            payload: b"x",
        }));
        let answer = self.wait(|packet| match packet {
            Packet::Puback(ack) => Some(ack.reason_code),
            _ => None,
        });
        !answer.is_error()
    }

    fn subscribe(&mut self, filters: &[&str]) {
        let mut asked = SubscribeFiltersBuf::default();
        filters.iter().for_each(|filter| asked.push(filter, SubscriptionOptions::default()));
        self.send(&Packet::Subscribe(Subscribe {
            packet_id: PacketId::new(2).expect("not 0"),
            subscription_id: None,
            user_properties: Default::default(),
            filters: asked.as_filters(),
        }));
        self.wait(|packet| matches!(packet, Packet::Suback(_)).then_some(()));
    }

    /// The topics of what has been sent to it.
    fn received(&mut self) -> Vec<String> {
        self.send(&Packet::Pingreq);
        self.wait(|packet| matches!(packet, Packet::Pingresp).then_some(()));
        std::mem::take(&mut self.topics)
    }

    fn send(&mut self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        encode(packet, ProtocolVersion::V5, &mut bytes);
        self.socket.write_all(&bytes).expect("written");
    }

    fn wait<T>(&mut self, look: impl Fn(&Packet<'_>) -> Option<T>) -> T {
        loop {
            let frame = self.frame();
            let packet = decode(&frame, ProtocolVersion::V5, Direction::FromServer, &DecodeLimits::UNLIMITED);
            let packet = packet.expect("a valid packet");
            if let Some(found) = look(&packet) {
                return found;
            }
            match packet {
                Packet::Publish(publish) => self.topics.push(publish.topic.to_owned()),
                other => panic!("{other:?}"),
            }
        }
    }

    fn frame(&mut self) -> Vec<u8> {
        loop {
            let length = frame_length(&self.input, &DecodeLimits::UNLIMITED).expect("a valid header");
            if let Some(length) = length.filter(|length| *length <= self.input.len()) {
                return self.input.drain(..length).collect();
            }
            let mut bytes = [0; 4096];
            let read = self.socket.read(&mut bytes).expect("bytes");
            assert!(read > 0, "the broker has closed the connection");
            self.input.extend_from_slice(&bytes[..read]);
        }
    }
}
