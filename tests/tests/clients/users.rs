//! Users and passwords with clients that others wrote: who is let in, and what the others are told.

use std::path::Path;
use std::process::{Command, Output};

use ferry_tests::ferry::{Ferry, ScratchDirectory, Transport};
use libtest_mimic::Trial;

const PAHO: &str = "
import sys, paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
port, version, user, password = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], bytes.fromhex(sys.argv[4])
client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id='paho', protocol=version)
client.username_pw_set(user)
client._password = password
def answered(client, userdata, flags, reason, properties):
    print(reason)
    client.disconnect()
client.on_connect = answered
client.on_connect_fail = lambda *_: client.disconnect()
client.connect('127.0.0.1', port)
client.loop_forever(retry_first_connection=False)
";

/// User, password, and what `mosquitto_pub` says in MQTT 3.1.1 and 5.0; nothing if it is let in.
const CASES: &[(&[&str], &str, &str)] = &[
    (&["-u", "ada", "-P", "one"], "", ""),
    (&["-u", "b\u{fc}rger", "-P", "p\u{e4}sse"], "", ""),
    (&["-u", "old", "-P", "secret"], "", ""),
    (
        &["-u", "ada", "-P", "two"],
        "Connection error: Connection Refused: bad user name or password.",
        "Connection error: Bad User Name or Password",
    ),
    (
        &["-u", "ben", "-P", "one"],
        "Connection error: Connection Refused: bad user name or password.",
        "Connection error: Bad User Name or Password",
    ),
    (
        &["-u", "ada"],
        "Connection error: Connection Refused: bad user name or password.",
        "Connection error: Bad User Name or Password",
    ),
    // The listeners of these tests let in who offers nothing.
    (&[], "", ""),
];

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| {
        Trial::test(format!("users::{name}"), move || {
            run();
            Ok(())
        })
    };
    vec![
        trial("mosquitto_pub_is_let_in_or_told_why_not", mosquitto_pub),
        trial("paho_is_let_in_or_told_why_not", paho),
        trial("a_change_of_the_file_takes_effect", change),
        trial("mosquitto_reads_what_ferry_passwd_writes", mosquitto_reads),
    ]
}

fn passwd(arguments: &[&str], file: &Path) {
    let (options, user) = arguments.split_at(arguments.len() - 2);
    let mut command = Command::new(ferry_tests::broker::ferry_binary());
    let output =
        command.arg("passwd").arg("-b").args(options).arg(file).args(user).output().expect("ferry runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn password_file(directory: &ScratchDirectory) -> std::path::PathBuf {
    // Of `mosquitto_passwd`: the password is `secret`.
    let old = "old:$7$101$muH74VUf2TK5uwvZ$OOQ7PGoMwBGwAx04toxhk7c3JE8BQLeaNG9MQg3uPlckPmz7LDVBWotZIeYJq1Z05BVipzNU6Vqk9MIoUThqkg==\n";
    let file = directory.write("passwords", old);
    passwd(&["ada", "one"], &file);
    passwd(&["-I", "1", "--memory-kib", "64", "b\u{fc}rger", "p\u{e4}sse"], &file);
    file
}

fn broker(file: &Path) -> Ferry {
    let ferry = Ferry::start(&format!("[authentication]\npassword_file = \"{}\"\n", file.display()));
    assert!(ferry.log().contains("(password, anonymous allowed"), "{}", ferry.log());
    ferry
}

fn publish(ferry: &Ferry, version: &str, who: &[&str]) -> Output {
    let port = ferry.port(Transport::Tcp).to_string();
    let mut command = Command::new("mosquitto_pub");
    command.args(["-h", "127.0.0.1", "-p", &port, "-V", version, "-t", "t", "-m", "x", "-q", "1"]).args(who);
    command.output().expect("`cargo xtask test-tools` installs mosquitto_pub")
}

fn mosquitto_pub() {
    let directory = ScratchDirectory::new();
    let ferry = broker(&password_file(&directory));
    for (who, v3, v5) in CASES {
        for (version, words) in [("mqttv311", v3), ("mqttv5", v5)] {
            let output = publish(&ferry, version, who);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.success(), words.is_empty(), "{version} {who:?}: {said}");
            assert!(said.contains(words), "{version} {who:?}: {said}");
        }
    }
    ferry.wait_for_log("0x86 Bad User Name or Password, wrong password for user ada");
    let log = ferry.log();
    assert!(!log.contains("\"two\"") && !log.contains("secret"), "{log}");
    ferry.stop();
}

fn paho() {
    let directory = ScratchDirectory::new();
    let file = directory.write("passwords", "");
    passwd(&["ada", "one"], &file);
    let ferry = broker(&file);
    for (version, user, password, answer) in [
        ("4", "ada", "6f6e65", "Success"),
        ("5", "ada", "6f6e65", "Success"),
        ("5", "ada", "ff00", "Bad user name or password"),
        ("5", "", "6f6e65", "Bad user name or password"),
        ("4", "ada", "6f6e6500", "Bad user name or password"),
    ] {
        let port = ferry.port(Transport::Tcp).to_string();
        let output = Command::new(crate::library::python())
            .args(["-c", PAHO, &port, version, user, password])
            .output();
        let output = output.expect("`cargo xtask test-tools` installs paho-mqtt");
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.trim(), answer, "{version} {user} {password}: {errors}");
    }
    ferry.stop();
}

fn change() {
    let directory = ScratchDirectory::new();
    let file = password_file(&directory);
    let ferry = broker(&file);
    assert!(!publish(&ferry, "mqttv5", &["-u", "new", "-P", "x"]).status.success());
    passwd(&["new", "x"], &file);
    ferry.wait_for_log(
        "passwords has changed: no option is different; certificates, users and rights are loaded again",
    );
    assert!(publish(&ferry, "mqttv5", &["-u", "new", "-P", "x"]).status.success());
    // What is broken is named, and the users that were there stay.
    std::fs::write(&file, "broken\n").expect("written");
    ferry.wait_for_log("passwords:1:1: authentication.password_file: this line is not user:hash");
    assert!(publish(&ferry, "mqttv5", &["-u", "new", "-P", "x"]).status.success());
    ferry.stop();
}

/// A file of `ferry passwd -H sha512-pbkdf2` in the hands of Mosquitto 2.0.
fn mosquitto_reads() {
    let directory = ScratchDirectory::new();
    let file = directory.write("passwords", "");
    passwd(&["-H", "sha512-pbkdf2", "-I", "1000", "ada", "one"], &file);
    let Some(mosquitto) =
        crate::mosquitto_broker::MosquittoBroker::start(&format!("password_file {}", file.display()))
    else {
        return;
    };
    let publish = |password: &str| {
        let port = mosquitto.port().to_string();
        let mut command = Command::new("mosquitto_pub");
        command.args([
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-t",
            "t",
            "-m",
            "x",
            "-q",
            "1",
            "-u",
            "ada",
            "-P",
            password,
        ]);
        command.output().expect("it runs").status.success()
    };
    assert!(publish("one") && !publish("two"));
}
