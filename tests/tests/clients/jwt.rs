//! Tokens made by PyJWT, in the hands of paho-mqtt.

use std::path::{Path, PathBuf};
use std::process::Command;

use ferry_tests::ferry::{Ferry, ScratchDirectory, Transport};
use libtest_mimic::Trial;

const SECRET: &str = "a secret for tests, which has at least 32 bytes";

/// Says what CONNACK said, and, of a token that lives for seconds only, how the connection ended.
const PAHO: &str = "
import sys, time, jwt, paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
port, version, secret, algorithm, lifetime, more = sys.argv[1:7]
claims = {'sub': 'ada', 'exp': time.time() + float(lifetime), **eval(more)}
client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id='paho', protocol=int(version))
client.username_pw_set('whoever', jwt.encode(claims, secret or None, algorithm=algorithm))
def answered(client, userdata, flags, reason, properties):
    print(reason)
    if reason.is_failure or float(lifetime) > 60:
        client.disconnect()
def ended(client, userdata, flags, reason, properties):
    if flags.is_disconnect_packet_from_server:
        print(reason)
    client.disconnect()
client.on_connect, client.on_disconnect = answered, ended
client.on_connect_fail = lambda *_: client.disconnect()
client.connect('127.0.0.1', int(port))
client.loop_forever(retry_first_connection=False)
";

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| {
        Trial::test(format!("jwt::{name}"), move || {
            run();
            Ok(())
        })
    };
    vec![
        trial("paho_is_let_in_or_told_why_not", tokens),
        trial("the_connection_ends_with_the_token", expiry),
        trial("new_keys_take_effect", rotation),
    ]
}

fn broker(keys: &Path) -> Ferry {
    let ferry = Ferry::start(&format!(
        "[authentication]\njwt_key_file = \"{}\"\njwt_algorithms = [\"HS256\"]\n\
         jwt_audience = \"mqtt\"\njwt_clock_skew_seconds = 0\n",
        keys.display()
    ));
    assert!(ferry.log().contains("(token, anonymous allowed"), "{}", ferry.log());
    ferry
}

fn keys(directory: &ScratchDirectory) -> PathBuf {
    directory.write("secret", &format!("{SECRET}\n"))
}

fn said(ferry: &Ferry, version: &str, secret: &str, algorithm: &str, lifetime: &str, more: &str) -> String {
    let port = ferry.port(Transport::Tcp).to_string();
    let mut command = Command::new(crate::library::python());
    let output = command.args(["-c", PAHO, &port, version, secret, algorithm, lifetime, more]).output();
    let output = output.expect("`cargo xtask test-tools` installs paho-mqtt and PyJWT");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn tokens() {
    let directory = ScratchDirectory::new();
    let ferry = broker(&keys(&directory));
    let bad = "Bad user name or password";
    for (secret, algorithm, lifetime, more, answer) in [
        (SECRET, "HS256", "600", "{'aud': 'mqtt'}", "Success"),
        (SECRET, "HS256", "600", "{'aud': ['x', 'mqtt'], 'nbf': 1}", "Success"),
        ("another secret that has at least 32 bytes", "HS256", "600", "{'aud': 'mqtt'}", bad),
        ("", "none", "600", "{'aud': 'mqtt'}", bad),
        (SECRET, "HS384", "600", "{'aud': 'mqtt'}", bad),
        (SECRET, "HS256", "-5", "{'aud': 'mqtt'}", bad),
        (SECRET, "HS256", "600", "{'aud': 'other'}", bad),
        (SECRET, "HS256", "600", "{}", bad),
        (SECRET, "HS256", "600", "{'aud': 'mqtt', 'nbf': time.time() + 300}", bad),
        (SECRET, "HS256", "600", "{'aud': 'mqtt', 'x': 20000 * 'x'}", bad),
    ] {
        assert_eq!(
            said(&ferry, "5", secret, algorithm, lifetime, more),
            answer,
            "{algorithm} {lifetime} {more}"
        );
    }
    assert_eq!(said(&ferry, "4", SECRET, "HS256", "600", "{'aud': 'mqtt'}"), "Success");
    ferry.wait_for_log("a token is not taken: no key has signed it");
    assert!(!ferry.log().contains("eyJ"), "{}", ferry.log());
    ferry.stop();
}

fn expiry() {
    let directory = ScratchDirectory::new();
    let ferry = broker(&keys(&directory));
    let ended = said(&ferry, "5", SECRET, "HS256", "2", "{'aud': 'mqtt'}");
    assert_eq!(ended, "Success\nMaximum connect time");
    // In 3.1.1 nothing says why; paho connects again, and the same token is not taken any more.
    let ended = said(&ferry, "4", SECRET, "HS256", "2", "{'aud': 'mqtt'}");
    assert_eq!(ended, "Success\nBad user name or password");
    ferry.stop();
}

fn rotation() {
    let directory = ScratchDirectory::new();
    let file = keys(&directory);
    let ferry = broker(&file);
    let other = "another secret that has at least 32 bytes";
    let enter = |secret: &str| said(&ferry, "5", secret, "HS256", "600", "{'aud': 'mqtt'}");
    assert_eq!((&*enter(SECRET), &*enter(other)), ("Success", "Bad user name or password"));
    std::fs::write(&file, other).expect("written");
    ferry.wait_for_log("secret has changed: no option is different");
    assert_eq!((&*enter(SECRET), &*enter(other)), ("Bad user name or password", "Success"));
    // What is broken is named, and the keys that were there stay.
    std::fs::write(&file, "short").expect("written");
    ferry.wait_for_log("there is no key for HS256 in the file");
    assert_eq!(enter(other), "Success");
    ferry.stop();
}
