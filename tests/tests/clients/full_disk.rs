//! A broker whose file system fills up, and has room again: with a margin that is left free, and to the last byte.

use std::process::{Command, Stdio};
use std::time::Duration;

use ferry_tests::ferry::{Ferry, Transport};
use libtest_mimic::Trial;

use crate::arena::Arena;
use crate::client::Client;
use crate::library::Library;
use crate::small_disk::SmallDisk;

const MEBIBYTE: u64 = 1 << 20;

const DISK_MEBIBYTES: u32 = 24;

const FULL: &str = "the disk is full";

const OVER: &str = "can be written to again";

/// What paho-mqtt tells of a QoS 2 message that was refused: it does not look at the reason code of PUBREC, sends a PUBREL
/// all the same, and gets this for it.
const PUBREL_UNKNOWN: u32 = 146;

/// A name and `storage.free_bytes_min`.
const MARGINS: &[(&str, u64)] = &[("with_a_margin", 4 * MEBIBYTE), ("to_the_last_byte", 0)];

/// Those that cannot be run here say why in their place.
pub(crate) fn trials() -> Vec<Trial> {
    let refused = SmallDisk::mount(1).err();
    let trial = |(name, margin_bytes): &(&str, u64)| {
        let margin_bytes = *margin_bytes;
        let trial = Trial::test(format!("full_disk::{name}"), move || {
            fills_and_has_room_again(margin_bytes)?;
            Ok(())
        });
        match &refused {
            None => trial,
            Some(why) => {
                trial.with_kind(format!("skipped: no mount of our own: {why}")).with_ignored_flag(true)
            }
        }
    };
    MARGINS.iter().map(trial).collect()
}

struct Scene {
    arena: Arena,
    disk: SmallDisk,
    margin_bytes: u64,
    /// What was acknowledged, in order.
    acknowledged: Vec<u32>,
    /// What was sent.
    sent: u32,
    /// What is acknowledged once there is room again.
    waiting: u32,
}

fn fills_and_has_room_again(margin_bytes: u64) -> Result<(), String> {
    let mut scene = Scene::new(SmallDisk::mount(DISK_MEBIBYTES)?, margin_bytes);
    let mut sleeper = scene.lasting(5, "sleeper", 0);
    sleeper.does("subscribe filter=queued/# qos=2", "subscribed codes=2");
    sleeper.disconnect();
    let mut publisher = scene.connected(5, "publisher");
    publisher.does("publish topic=kept payload=old qos=1 retain=1", "published reason=16");
    let mut unanswered = scene.lasting(4, "unanswered", 0);
    scene.fill(&mut publisher);
    // The answers of one connection keep their order, and the first may have to wait.
    let mut other = scene.connected(5, "other");
    scene.refuses_what_has_to_be_kept(&mut other);
    unanswered.order("publish topic=queued/v4 payload=x qos=1");
    let waiting = scene
        .mosquitto_pub("mqttv311", "queued/mosquitto")
        .args(["-q", "1"])
        .spawn()
        .expect("it is installed");
    scene.goes_on_otherwise(&mut other);
    unanswered.has_no_more("published");
    scene.disk.leave_free(12 * MEBIBYTE);
    scene.is_over(&mut publisher);
    unanswered.next("closed");
    let mut unanswered = scene.lasting(4, "unanswered", 1);
    unanswered.does("publish topic=queued/v4 payload=x qos=1", "published reason=0");
    // This one does not send again, and says so.
    let lost = waiting.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&lost.stderr), "Error: The connection was lost.\n");
    scene.log_says_once();

    scene.fill(&mut publisher);
    drop((publisher, other, unanswered));
    // So that there is no room to say who has the lock.
    std::fs::write(scene.disk.path("data/LOCK"), b"").expect("there is nothing to be written");
    scene.disk.leave_free(0);
    let mut scene = scene.killed();
    let mut publisher = scene.connected(5, "publisher");
    if margin_bytes > 0 {
        scene.arena.ferry.wait_for_log(FULL);
    } else {
        scene.fill(&mut publisher);
    }
    let mut other = scene.connected(5, "other");
    scene.refuses_what_has_to_be_kept(&mut other);
    scene.goes_on_otherwise(&mut other);
    scene.disk.leave_free(12 * MEBIBYTE);
    scene.is_over(&mut publisher);
    drop((publisher, other));
    let mut scene = scene.killed();
    scene.everything_acknowledged_comes();
    scene.arena.ferry.stop();
    Ok(())
}

impl Scene {
    fn new(disk: SmallDisk, margin_bytes: u64) -> Self {
        let arena = Arena {
            ferry: start(&disk, margin_bytes),
            library: Library::PahoPython,
            version: 5,
            transport: Transport::Tcp,
        };
        Self { arena, disk, margin_bytes, acknowledged: Vec::new(), sent: 0, waiting: 0 }
    }

    /// The same after SIGKILL and another start.
    fn killed(self) -> Self {
        let Arena { ferry, library, version, transport } = self.arena;
        ferry.kill();
        let ferry = start(&self.disk, self.margin_bytes);
        Self { arena: Arena { ferry, library, version, transport }, waiting: 0, ..self }
    }

    /// A client with a session that ends with its connection.
    fn connected(&mut self, version: u8, id: &str) -> Client {
        self.arena.version = version;
        self.arena.connected(id, "")
    }

    fn lasting(&mut self, version: u8, id: &str, session_present: u8) -> Client {
        self.arena.version = version;
        let expiry = if version == 5 { "session_expiry=300" } else { "" };
        let mut client = self.arena.connecting(format!("id={id} clean=0 {expiry}").trim_end());
        client.expect(&format!("connected session_present={session_present}"));
        client
    }

    fn mosquitto_pub(&self, version: &str, topic: &str) -> Command {
        let mut command = Command::new("mosquitto_pub");
        let port = self.arena.ferry.port(Transport::Tcp).to_string();
        command.args(["-h", "127.0.0.1", "-p", &port, "-V", version, "-t", topic, "-m", "x"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Publishes until the disk is full.
    fn fill(&mut self, publisher: &mut Client) {
        self.disk.leave_free(self.margin_bytes + 3 * MEBIBYTE);
        let seen = self.arena.ferry.log().matches(FULL).count();
        let payload = "x".repeat(64 * 1024);
        loop {
            self.sent += 1;
            let (number, qos) = (self.sent, qos(self.sent));
            publisher.order(&format!("publish topic=queued/{number} payload={payload} qos={qos}"));
            let published = loop {
                if let Some(published) = publisher.next_within("published", Duration::from_millis(50)) {
                    break Some(published);
                }
                // What fills it to the last byte is not acknowledged before there is room again.
                if self.margin_bytes == 0 && self.arena.ferry.log().matches(FULL).count() > seen {
                    break None;
                }
            };
            match published.map(|published| published.number("reason")) {
                Some(Some(0)) => self.acknowledged.push(number),
                Some(Some(151 | PUBREL_UNKNOWN)) => return,
                None => return self.waiting += 1,
                other => panic!("{other:?}"),
            }
        }
    }

    fn refuses_what_has_to_be_kept(&self, publisher: &mut Client) {
        self.disk.leave_free(0);
        publisher.does("publish topic=queued/refused payload=x qos=1", "published reason=151");
        publisher.does("publish topic=kept payload=new qos=1 retain=1", "published reason=151");
        let order = "publish topic=queued/refused payload=x qos=2";
        publisher.does(order, &format!("published reason={PUBREL_UNKNOWN}"));
        for qos in ["1", "2"] {
            let told = self.mosquitto_pub("mqttv5", "queued/refused").args(["-q", qos]).output();
            let told = String::from_utf8(told.expect("it is installed").stderr).expect("text");
            assert!(told.starts_with("Warning: Publish 1 failed: Quota exceeded.\n"), "{told}");
        }
    }

    /// Reading, QoS 0, and sessions that end with their connections.
    fn goes_on_otherwise(&mut self, publisher: &mut Client) {
        let mut reader = self.connected(5, "reader");
        reader.does("subscribe filter=kept qos=1", "subscribed codes=1");
        reader.expect("message topic=kept payload=old qos=1 retain=1");
        reader.does("subscribe filter=live qos=2", "subscribed codes=2");
        for qos in 0..3 {
            let payload = qos.to_string();
            publisher.does(&format!("publish topic=live payload={payload} qos={qos}"), "published reason=0");
            reader.expect(&format!("message topic=live payload={payload} qos={qos} retain=0"));
        }
        reader.disconnect();
    }

    /// There is room: by itself, all is as before.
    fn is_over(&mut self, publisher: &mut Client) {
        self.arena.ferry.wait_for_log(OVER);
        for _ in 0..std::mem::take(&mut self.waiting) {
            publisher.expect("published reason=0");
        }
        self.sent += 1;
        let number = self.sent;
        let order = format!("publish topic=queued/{number} payload=x qos={}", qos(number));
        // The log may be a moment ahead of the shard.
        while {
            publisher.order(&order);
            publisher.next("published").number("reason") != Some(0)
        } {}
        self.acknowledged.push(number);
    }

    fn log_says_once(&self) {
        let log = self.arena.ferry.log();
        assert_eq!((log.matches(FULL).count(), log.matches(OVER).count()), (1, 1), "{log}");
        let line = log.lines().find(|line| line.contains(FULL)).expect("it is there");
        assert!(line.contains("ERROR") && line.contains("data: the disk is full: "), "{line}");
        assert!(line.contains("refused until there is room on that file system again"), "{line}");
    }

    /// In order, and nothing twice; what was never acknowledged may come too.
    fn everything_acknowledged_comes(&mut self) {
        let mut publisher = self.connected(5, "publisher");
        publisher.does("publish topic=queued/end payload=x qos=2", "published reason=0");
        let mut sleeper = self.lasting(5, "sleeper", 1);
        let mut came = Vec::new();
        let mut others = Vec::new();
        loop {
            let message = sleeper.next("message");
            let topic =
                message.text("topic").and_then(|topic| topic.strip_prefix("queued/")).expect("a topic");
            match topic.parse::<u32>() {
                Ok(number) => came.push(number),
                Err(_) if topic == "end" => break,
                Err(_) => others.push(topic.to_owned()),
            }
        }
        assert_eq!(others, ["v4"]);
        came.retain(|number| self.acknowledged.contains(number));
        // The library tells of QoS 2 messages when PUBREL has come, of others sooner.
        let of = |numbers: &[u32], level| -> Vec<u32> {
            numbers.iter().copied().filter(|number| qos(*number) == level).collect()
        };
        for level in [1, 2] {
            assert_eq!(of(&came, level), of(&self.acknowledged, level), "QoS {level}");
        }
        assert!(came.len() > 50, "{came:?}");
    }
}

/// Of the message with this number.
fn qos(number: u32) -> u32 {
    1 + number % 2
}

fn start(disk: &SmallDisk, margin_bytes: u64) -> Ferry {
    let configuration = format!(
        "[storage]\nfree_bytes_min = {margin_bytes}\nsegment_bytes = \"1 MiB\"\n\
         [limits]\nqueue_bytes_max = \"1 GiB\"\nqueue_bytes_total_max = \"1 GiB\"\n"
    );
    Ferry::start_on(&disk.path("data"), &configuration)
}
