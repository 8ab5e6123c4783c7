//! Kerberos against a real key distribution centre: our clients, and one whose packets and GS2 headers others make.

use std::process::Command;

use ferry_client::{Client, ClientOptions, Event, Kerberos, ProtocolVersion};

use crate::kdc::Kdc;
use crate::program::{Outcome, Running, ferry, run};

/// Says to the test that is run by another which port to connect to.
const PORT: &str = "KERBEROS_TEST_PORT";

fn kdc() -> Kdc {
    let kdc = Kdc::start(&["mqtt/broker.test", "mqtt/other.test", "ada", "ben", "ada/admin"]);
    kdc.keytab("broker.keytab", "mqtt/broker.test");
    kdc
}

/// Ferry with a keytab, whose log can be read.
struct Broker {
    running: Running,
    port: String,
}

impl Broker {
    fn start(kdc: &Kdc, options: &str) -> Self {
        Self::with_configuration(kdc, options, "krb5.conf")
    }

    /// `configuration` is that of the library.
    fn with_configuration(kdc: &Kdc, options: &str, configuration: &str) -> Self {
        let file = toml(kdc, options);
        let mut command = ferry();
        kdc.environment(&mut command, configuration);
        let mut running = Running::start(command.args(["serve", "--memory", "--config", &file]));
        let line = running.next_with("://127.0.0.1:");
        let (_, rest) = line.split_once("://127.0.0.1:").expect("an address");
        let port = rest.chars().take_while(char::is_ascii_digit).collect();
        running.wait_for("process ");
        Self { running, port }
    }

    /// What the script of Python prints, in one line.
    fn python(&self, kdc: &Kdc, commands: &str) -> String {
        let words: Vec<&str> = commands.split(' ').collect();
        let outcome = run(&mut self.python_command(kdc, "krb5.conf", &words), b"");
        assert_eq!(outcome.code, Some(0), "{commands}: {}", outcome.error);
        outcome.output.trim_end().replace('\n', ", ")
    }

    fn python_command(&self, kdc: &Kdc, configuration: &str, words: &[&str]) -> Command {
        // The one that has the package of Debian.
        let mut command = Command::new("/usr/bin/python3");
        kdc.environment(&mut command, configuration);
        command
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/kerberos.py"))
            .arg(&self.port)
            .args(words);
        command
    }

    fn publish(&self, kdc: &Kdc, cache: &str, options: &[&str]) -> Outcome {
        let mut command = ferry();
        kdc.environment(&mut command, "krb5.conf");
        command.env("KRB5CCNAME", format!("FILE:{cache}"));
        command.args(["pub", "-h", "127.0.0.1", "-p", &self.port, "-t", "t", "-m", "x", "-q", "1"]);
        run(
            command
                .args(["--auth-method", "gs2-krb5", "--kerberos-service", "mqtt@broker.test"])
                .args(options),
            b"",
        )
    }
}

fn toml(kdc: &Kdc, options: &str) -> String {
    let keytab = kdc.scratch.path("broker.keytab");
    let text = format!(
        "[[listener]]\naddress = \"tcp://127.0.0.1:0\"\n[authentication]\nkerberos_keytab_file = \"{keytab}\"\n{options}\n\
         [log]\nlevel = \"debug\"\n"
    );
    kdc.scratch.write("ferry.toml", text.as_bytes())
}

#[test]
fn kerberos_tickets_let_both_clients_in_also_without_the_centre() {
    let mut kdc = kdc();
    let broker = Broker::start(&kdc, "");
    let (ada, ben) = (kdc.cache("ada", "1h"), kdc.cache("ben", "1h"));
    let said = broker.publish(&kdc, &ada, &[]);
    assert_eq!((said.code, &*said.error), (Some(0), ""));
    // A name chooses the ticket, and there is none of this one.
    assert_eq!(broker.publish(&kdc, &ada, &["-u", "ada"]).code, Some(0));
    let without = broker.publish(&kdc, &ada, &["-u", "ben"]);
    assert_ne!(without.code, Some(0));
    assert!(without.error.contains("no Kerberos ticket for mqtt@broker.test: "), "{}", without.error);
    assert!(broker.publish(&kdc, &ada, &["-P", "secret"]).error.contains("and no password"));
    let example = "AUTH 0x18, AUTH 0x18 proven, CONNACK 0x00";
    assert_eq!(broker.python(&kdc, &format!("connect {ada}")), "CONNACK 0x00 proven");
    assert_eq!(broker.python(&kdc, &format!("example {ben}")), example);
    assert_eq!(broker.python(&kdc, &format!("header y,, connect {ada}")), "CONNACK 0x00 proven");
    kdc.stop();
    assert_eq!(broker.publish(&kdc, &ada, &[]).code, Some(0));
    assert_eq!(broker.python(&kdc, &format!("connect {ben}")), "CONNACK 0x00 proven");
    // It has no ticket for this service yet.
    let none = broker.publish(&kdc, &ada, &["--kerberos-service", "mqtt@other.test"]);
    assert!(none.code != Some(0), "{none:?}");
    broker.running.signal("-TERM");
}

#[test]
fn kerberos_tickets_that_prove_nothing_are_refused() {
    let kdc = kdc();
    let mut broker = Broker::start(&kdc, "");
    let ada = kdc.cache("ada", "1h");
    let refused = |broker: &mut Broker, commands: &str, answer: &str, reason: &str| {
        assert_eq!(broker.python(&kdc, commands), answer, "{commands}");
        broker.running.next_with(reason);
    };
    let no = "CONNACK 0x87";
    for (commands, reason) in [
        (format!("target mqtt@other.test connect {ada}"), "mqtt/other.test@FERRY.TEST not found in keytab"),
        (format!("bindings y,, connect {ada}"), "Incorrect channel bindings"),
        (format!("bindings - connect {ada}"), "does not vouch for the GS2 header"),
        (format!("header p=tls-exporter,, connect {ada}"), "insists on channel binding"),
        (format!("header F,n,, bindings n,, connect {ada}"), "not a usual mechanism"),
        (format!("user ben connect {ada}"), "it is ada, and says that it is somebody else"),
        (format!("header n,a=ben, connect {ada}"), "it is ada, and says that it is somebody else"),
    ] {
        refused(&mut broker, &commands, no, reason);
    }
    let replay = format!("connect {ada} again");
    refused(&mut broker, &replay, "CONNACK 0x00 proven, CONNACK 0x87", "Request is a replay");
    let let_in = "CONNACK 0x00 proven";
    assert_eq!(broker.python(&kdc, &format!("user ada connect {ada}")), let_in);
    assert_eq!(broker.python(&kdc, &format!("header n,a=ada, connect {ada}")), let_in);
    for garbage in ["00", "6e2c2c", "6e2c2c0100", "6e2c2c60", "ffff", "2c2c2c2c", &"6e2c2c0100".repeat(4000)]
    {
        refused(&mut broker, &format!("raw {garbage}"), no, "0x87");
        refused(&mut broker, &format!("raw-example {garbage}"), "AUTH 0x18, CONNACK 0x87", "0x87");
        let again = format!("connect {ada} raw-reauth {garbage}");
        refused(&mut broker, &again, "CONNACK 0x00 proven, DISCONNECT 0x87", "0x87");
    }
    refused(&mut broker, "raw-example -", "AUTH 0x18, CONNACK 0x87", "0x87");
    let late = format!("keep {ada} end 00");
    refused(&mut broker, &late, "AUTH 0x18, AUTH 0x18 proven, CONNACK 0x87", "data after the last token");
    // Everybody else still gets in.
    assert_eq!(broker.python(&kdc, &format!("connect {ada}")), let_in);
    broker.running.signal("-TERM");
}

#[test]
fn kerberos_clients_stay_who_they_are() {
    let kdc = kdc();
    let broker = Broker::start(&kdc, "");
    let (ada, ben) = (kdc.cache("ada", "1h"), kdc.cache("ben", "1h"));
    let again = format!("connect {ada} reauth {ada} reauth {ada} reauth {ben} wait");
    let answers = "CONNACK 0x00 proven, AUTH 0x00 proven, AUTH 0x00 proven, DISCONNECT 0x87, closed";
    assert_eq!(broker.python(&kdc, &again), answers);
    let replay = format!("connect {ada} again-reauth");
    assert_eq!(broker.python(&kdc, &replay), "CONNACK 0x00 proven, DISCONNECT 0x87");
    // Our library.
    let mut inner = Command::new(std::env::current_exe().expect("this program"));
    kdc.environment(&mut inner, "krb5.conf");
    inner.env("KRB5CCNAME", format!("FILE:{ada}")).env(PORT, &broker.port);
    let outcome = run(inner.args(["--ignored", "--exact", "test_kerberos::library_client"]), b"");
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.output, outcome.error);
    assert!(outcome.output.contains("1 passed"), "{}", outcome.output);
    broker.running.signal("-TERM");
}

#[test]
#[ignore = "it needs the environment that kerberos_clients_stay_who_they_are gives it"]
fn library_client() {
    let port = std::env::var(PORT).expect("another test has set it");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let options = ClientOptions::new(&format!("mqtt://127.0.0.1:{port}")).expect("an address");
        let options = options.protocol_version(ProtocolVersion::V5);
        let client = Client::new(options.authentication(|| Kerberos::new("broker.test")));
        let mut events = client.events();
        client.connect().await.expect("let in");
        for _ in 0..3 {
            assert!(client.re_authenticate());
            while events.recv().await.expect("it is connected") != Event::Authenticated {}
        }
        assert!(client.is_connected());
        client.disconnect().await;
    });
}

#[test]
fn kerberos_realms_and_hosts_are_those_of_the_configuration() {
    let kdc = kdc();
    kdc.keytab("broker.keytab", "mqtt/other.test");
    let ada = kdc.cache("ada", "1h");
    let mut broker = Broker::start(&kdc, "kerberos_realms = [\"ELSEWHERE.TEST\"]");
    assert_eq!(broker.python(&kdc, &format!("connect {ada}")), "CONNACK 0x87");
    broker.running.next_with("ada is of the realm FERRY.TEST, which is not taken here");
    broker.running.signal("-TERM");
    let both = "kerberos_realms = [\"ELSEWHERE.TEST\", \"FERRY.TEST\"]\nkerberos_host = \"broker.test\"";
    let mut broker = Broker::start(&kdc, both);
    assert_eq!(broker.python(&kdc, &format!("connect {ada}")), "CONNACK 0x00 proven");
    assert_eq!(broker.python(&kdc, &format!("target mqtt@other.test connect {ada}")), "CONNACK 0x87");
    broker.running.next_with("the ticket is for mqtt/other.test, which is another host");
    broker.running.signal("-TERM");
}

#[test]
fn kerberos_connections_end_with_the_ticket() {
    let kdc = kdc();
    let mut broker = Broker::with_configuration(&kdc, "", "exact.conf");
    let ada = kdc.cache("ada", "3s");
    // It is told when its time is over; what it had then is worth nothing any more.
    let words = ["keep", &ada, "connect", &ada, "wait", "again"];
    let outcome = run(&mut broker.python_command(&kdc, "exact.conf", &words), b"");
    assert_eq!(outcome.output, "CONNACK 0x00 proven\nDISCONNECT 0xA0\nCONNACK 0x87\n", "{}", outcome.error);
    let line = broker.running.next_with("0x87");
    assert!(line.contains("Ticket expired") || line.contains("Clock skew too great"), "{line}");
    broker.running.signal("-TERM");
}

#[test]
fn kerberos_needs_a_key_and_takes_a_new_one() {
    let kdc = kdc();
    let ada = kdc.cache("ada", "1h");
    let start = |options: &str| {
        let mut command = ferry();
        kdc.environment(&mut command, "krb5.conf");
        let outcome = run(command.args(["serve", "--memory", "--config", &toml(&kdc, options)]), b"");
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        outcome.error
    };
    assert!(start("kerberos_service = \"imap\"").contains("No key table entry found matching imap/"));
    std::fs::rename(kdc.scratch.path("broker.keytab"), kdc.scratch.path("away")).expect("ours");
    assert!(start("").contains("kerberos_keytab_file: it cannot be read: No such file"));
    kdc.scratch.write("broker.keytab", b"\x05\x02");
    assert!(start("").contains("there is no key for this service"));
    kdc.keytab("broker.keytab", "mqtt/other.test");
    let mut broker = Broker::start(&kdc, "");
    assert_eq!(broker.python(&kdc, &format!("connect {ada}")), "CONNACK 0x87");
    broker.running.next_with("not found in keytab");
    kdc.keytab("broker.keytab", "mqtt/broker.test");
    assert_eq!(broker.python(&kdc, &format!("connect {ada}")), "CONNACK 0x00 proven");
    std::fs::remove_file(kdc.scratch.path("broker.keytab")).expect("ours");
    assert_eq!(broker.python(&kdc, &format!("connect {ada}")), "CONNACK 0x88");
    broker.running.next_with("there is no key for this service");
    broker.running.signal("-TERM");
}
