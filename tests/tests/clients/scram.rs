//! SCRAM with a client that others wrote, as far as the computation goes, and with `ferry pub`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ferry_tests::ferry::{Ferry, ScratchDirectory, Transport};
use libtest_mimic::Trial;

const METHODS: [&str; 3] = ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"];

const PASSWORD: &str = "p\u{e4}sse, wort=";

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| {
        Trial::test(format!("scram::{name}"), move || {
            run();
            Ok(())
        })
    };
    vec![
        trial("scramp_is_let_in_or_told_why_not", scramp),
        trial("ferry_pub_is_let_in_or_told_why_not", ferry_pub),
    ]
}

/// A user for each method, by the name of the method.
fn password_file(directory: &ScratchDirectory) -> PathBuf {
    let file = directory.write("passwords", "");
    for method in METHODS {
        let mut command = Command::new(ferry_tests::broker::ferry_binary());
        command.args(["passwd", "-b", "-H", &method.to_lowercase(), "-I", "5000"]).arg(&file);
        let output = command.args([method, PASSWORD]).output().expect("ferry runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    file
}

fn broker(file: &Path) -> Ferry {
    Ferry::start(&format!("[authentication]\npassword_file = \"{}\"\n", file.display()))
}

fn scramp() {
    let directory = ScratchDirectory::new();
    let ferry = broker(&password_file(&directory));
    let port = ferry.port(Transport::Tcp).to_string();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/scram.py");
    let said = |method: &str, user: &str, password: &str| {
        let mut command = Command::new(crate::library::python());
        let output = command.arg(&script).args([&port, method, user, password]).output();
        let output = output.expect("`cargo xtask test-tools` installs Python");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{method} {user}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for method in METHODS {
        assert_eq!(said(method, method, PASSWORD), "CONNACK 0x00\nAUTH 0x00\n");
        for (user, password) in [(method, "wrong"), ("nobody", PASSWORD), (METHODS[0], "x")] {
            assert_eq!(said(method, user, password), "CONNACK 0x86\n", "{user}");
        }
    }
    ferry.wait_for_log("0x86 Bad User Name or Password, wrong password for user SCRAM-SHA-1");
    ferry.stop();
}

fn publish(ferry: &Ferry, arguments: &[&str]) -> Output {
    let mut command = Command::new(ferry_tests::broker::ferry_binary());
    command.args(["pub", "-p", &ferry.port(Transport::Tcp).to_string(), "-t", "t", "-m", "x", "-q", "1"]);
    command.args(arguments).output().expect("ferry runs")
}

fn ferry_pub() {
    let directory = ScratchDirectory::new();
    let ferry = broker(&password_file(&directory));
    for method in METHODS {
        let by = |password: &str| {
            let output = publish(&ferry, &["--auth-method", method, "-u", method, "-P", password]);
            (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        assert_eq!(by(PASSWORD), (Some(0), String::new()));
        let (code, words) = by("wrong");
        assert!(code != Some(0) && words.to_lowercase().contains("bad user name or password"), "{words}");
    }
    // The entries recognise passwords too.
    assert!(publish(&ferry, &["-u", METHODS[1], "-P", PASSWORD]).status.success());
    for (arguments, words) in [
        (&["--auth-method", "SCRAM-SHA-256", "-u", "ada"][..], "needs a user name (-u) and a password (-P)"),
        (&["--auth-method", "SCRAM-MD5", "-u", "ada", "-P", "x"], "not a method"),
        (
            &["--auth-method", "SCRAM-SHA-256", "-u", "ada", "-P", "x", "-V", "mqttv311"],
            "--auth-method needs MQTT 5.0",
        ),
    ] {
        let output = publish(&ferry, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(words), "{said}");
    }
    ferry.stop();
}
