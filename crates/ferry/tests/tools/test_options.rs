use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use crate::broker::Broker;
use crate::mosquitto_options::{Here, MosquittoOption, OPTIONS};
use crate::program::{Outcome, Scratch, done, ferry, keep_last, retained, run};
use crate::test_tls;

/// A client of Mosquitto: the letter in the table, its name here, its topic, and what it is started with if nothing else is said.
struct Client {
    letter: char,
    name: &'static str,
    topic: &'static str,
    options: &'static [&'static [&'static str]],
}

const CLIENTS: [Client; 3] = [
    Client { letter: 'p', name: "pub", topic: "published", options: &[&["-m", "x"], &["-r"], &["-q", "1"]] },
    Client { letter: 's', name: "sub", topic: "kept", options: &[&["-C", "1"], &["-W", "2"]] },
    Client {
        letter: 'r',
        name: "rr",
        topic: "asked",
        options: &[&["-m", "x"], &["-e", "answer"], &["-W", "2"]],
    },
];

/// Where clients are tried.
struct Place {
    plain: Broker,
    tls: Broker,
    scratch: Scratch,
    proxy_port: u16,
}

impl Place {
    fn new() -> Self {
        let (scratch, tls) = test_tls::broker_and_certificates();
        let socket = format!("unix://{}", scratch.path("socket"));
        let plain = Broker::ferry("tcp://127.0.0.1:0", &["--listen", &socket]);
        std::fs::create_dir(scratch.path("authorities")).expect("a directory");
        std::fs::copy(scratch.path("authority.pem"), scratch.path("authorities/a.pem")).expect("a copy");
        Self { plain, tls, scratch, proxy_port: socks_proxy() }
    }

    /// A word of a trial as it stands on the command line.
    fn word(&self, word: &str, name: &str, client: &Client) -> String {
        [
            ("OPTION", name),
            ("TOPIC", client.topic),
            ("TLS_PORT", self.tls.port()),
            ("PROXY_PORT", &self.proxy_port.to_string()),
            ("PORT", self.plain.port()),
            ("SOCKET", &self.scratch.path("socket")),
            ("AUTHORITIES", &self.scratch.path("authorities")),
            ("AUTHORITY", &self.scratch.path("authority.pem")),
            ("CLIENT_CERTIFICATE", &self.scratch.path("client.pem")),
            ("CLIENT_KEY", &self.scratch.path("client.key")),
        ]
        .iter()
        .fold(word.to_owned(), |word, (from, to)| word.replace(from, to))
    }

    /// The options with which an option is tried, under one of its names.
    fn options(&self, option: &MosquittoOption, name: &str, client: &Client) -> Vec<String> {
        let trial: Vec<&str> = option.trial.split(' ').collect();
        let is_said =
            |names: &[&str]| names.iter().any(|name| trial.contains(name) || option.names.contains(name));
        let place: &[&[&str]] = &[&["-h", "127.0.0.1"], &["-p", "PORT"], &["-t", "TOPIC"]];
        let wanted = |words: &&&[&str]| match words[0] {
            "-h" | "-p" => !is_said(&[words[0], "-L", "--unix"]),
            "-t" => !is_said(&["-t", "-L"]),
            "-m" => !is_said(&["-m", "-f", "-n", "-s", "-l"]),
            other => !is_said(&[other]),
        };
        let all = place.iter().chain(client.options).filter(wanted).copied().flatten().chain(&trial);
        all.map(|word| self.word(word, name, client)).collect()
    }

    /// How it ends, and for `pub` what is retained then.
    fn outcome(&self, mut command: Command, client: &Client) -> (Option<i32>, String, String) {
        if client.name == "sub" {
            // It may have been removed by the one before.
            done("pub", &self.plain, &["-t", "kept", "-m", "{\"a\": [1]}", "-r", "-q", "1"]);
        }
        command.env("SSL_CERT_FILE", self.scratch.path("authority.pem"));
        let Outcome { mut output, error, code } = run(&mut command, b"one\ntwo\n");
        if client.name == "pub" {
            for broker in [&self.plain, &self.tls] {
                let look = ["-t", client.topic, "-F", "%x|%q|%r"];
                let mut look = crate::program::client("sub", broker, &look);
                if std::ptr::eq(broker, &self.tls) {
                    look.args(["--insecure", "--cafile", &self.scratch.path("authority.pem")]);
                }
                output.push_str(&retained(look));
            }
        }
        (code, output, error)
    }

    fn try_option(&self, option: &MosquittoOption, name: &str, client: &Client, with_mosquitto: bool) {
        let options = self.options(option, name, client);
        let mut ours = ferry();
        ours.arg(client.name).args(&options);
        let (code, output, error) = self.outcome(ours, client);
        let what = format!("{} {options:?}", client.name);
        match option.here {
            Here::Refused(words) => {
                assert!(matches!(code, Some(1 | 2)), "{what}: {code:?}");
                assert!(error.contains(name) && error.contains(words), "{what}: {error}");
            }
            Here::Feature(feature) if !cfg!(feature = "psk") => {
                assert!(matches!(code, Some(1 | 2)), "{what}: {code:?}");
                let words = format!("--features {feature}");
                assert!(error.contains(name) && error.contains(&words), "{what}: {error}");
            }
            Here::Feature(_) => {}
            Here::Alike if with_mosquitto => {
                let mut theirs = Command::new(format!("mosquitto_{}", client.name));
                theirs.args(&options).env("XDG_CONFIG_HOME", "/nonexistent").env("TZ", "UTC");
                let (their_code, their_output, their_error) = self.outcome(theirs, client);
                assert_eq!((code, output), (their_code, their_output), "{what}: {error} / {their_error}");
                assert!(matches!(code, Some(0 | 27)), "{what}: {error}");
            }
            Here::Alike | Here::Other => assert!(matches!(code, Some(0 | 27)), "{what}: {error}"),
        }
    }
}

/// A SOCKS5 proxy that asks for no name (RFC 1928).
fn socks_proxy() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || pass(client).ok());
        }
    });
    port
}

fn pass(mut client: TcpStream) -> std::io::Result<()> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting)?;
    client.read_exact(&mut vec![0; greeting[1].into()])?;
    client.write_all(&[5, 0])?;
    let mut request = [0; 4];
    client.read_exact(&mut request)?;
    let length = if request[3] == 3 {
        let mut length = [0];
        client.read_exact(&mut length)?;
        length[0].into()
    } else {
        4
    };
    let mut rest = vec![0; length + 2];
    client.read_exact(&mut rest)?;
    let port = u16::from_be_bytes([rest[length], rest[length + 1]]);
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0])?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ended = std::io::copy(&mut from_client, &mut to_server);
        let _ended = to_server.shutdown(Shutdown::Write);
    });
    std::io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Write)
}

fn mosquitto_is_there() -> bool {
    let is_there = Command::new("mosquitto_rr").arg("--help").output().is_ok();
    if !is_there {
        eprintln!("SKIPPED: Mosquitto's clients are not installed; `cargo xtask test-tools` installs them");
    }
    is_there
}

#[test]
fn every_option_of_mosquitto_s_clients_works_or_says_why_not() {
    let place = Place::new();
    let with_mosquitto = mosquitto_is_there();
    // Mosquitto's clients look for names that are made of the certificates.
    let rehashed = Command::new("openssl").args(["rehash", &place.scratch.path("authorities")]).output();
    let is_rehashed = rehashed.is_ok_and(|output| output.status.success());
    for (topic, message) in [("kept", "{\"a\": [1]}"), ("answer", "42")] {
        let publish = ["-t", topic, "-m", message, "-r", "-q", "1"];
        done("pub", &place.plain, &publish);
        let authority = place.scratch.path("authority.pem");
        done("pub", &place.tls, &[&publish[..], &["--cafile", &authority, "--insecure"]].concat());
    }
    keep_last(&place.plain, &[]);
    keep_last(&place.tls, &["--cafile", &place.scratch.path("authority.pem"), "--insecure"]);
    let place = &place;
    std::thread::scope(|scope| {
        for client in &CLIENTS {
            scope.spawn(move || {
                for option in OPTIONS.iter().filter(|option| option.clients.contains(client.letter)) {
                    let is_tried = with_mosquitto && (is_rehashed || option.names != ["--capath"]);
                    for name in option.names.iter().filter(|_| !option.trial.is_empty()) {
                        place.try_option(option, name, client, is_tried);
                    }
                }
            });
        }
    });
}

/// Words that look like options.
fn options_in(text: &str) -> BTreeSet<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '-';
    let words = text.split(|character: char| !is_part(character));
    let is_option = |word: &&str| {
        let letter = |word: &str| word.starts_with(|first: char| first.is_ascii_alphabetic());
        match word.strip_prefix("--") {
            Some(name) => letter(name) && name.len() > 1,
            None => word.len() == 2 && word.strip_prefix('-').is_some_and(letter),
        }
    };
    words.filter(is_option).map(str::to_owned).collect()
}

/// The manual page of a client, without its control words, if it is there.
fn manual(client: &str) -> Option<String> {
    let path = format!("/usr/share/man/man1/mosquitto_{client}.1.gz");
    let output = Command::new("gzip").args(["-dc", &path]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).replace("\\-", "-");
    Some(["\\fB", "\\fR", "\\fI"].iter().fold(text, |text, control| text.replace(control, " ")))
}

/// None is forgotten: all that the help, the manual page and the program itself know are in the table.
#[test]
fn the_table_has_every_option_of_mosquitto_s_clients() {
    if !mosquitto_is_there() {
        return;
    }
    for client in &CLIENTS {
        let program = format!("mosquitto_{}", client.name);
        let help = Command::new(&program).arg("--help").output().expect("it is installed").stdout;
        // Not an option: a slip of the manual pages.
        let slip = "--clean-session";
        let mut found = options_in(&String::from_utf8_lossy(&help));
        found.extend(options_in(&manual(client.name).unwrap_or_default()));
        found.remove(slip);
        for option in OPTIONS.iter().filter(|option| option.clients.contains(client.letter)) {
            found.retain(|name| !option.names.contains(&name.as_str()));
        }
        assert!(found.is_empty(), "{program}: {found:?}");
    }
    let known: BTreeSet<&str> = OPTIONS.iter().flat_map(|option| option.names).copied().collect();
    let Ok(program) = std::fs::read("/usr/bin/mosquitto_sub") else { return };
    let texts = program.split(|byte| *byte == 0).filter_map(|text| std::str::from_utf8(text).ok());
    let is_name = |text: &&str| {
        text.strip_prefix("--").is_some_and(|name| {
            !name.is_empty()
                && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '-')
        })
    };
    let unknown: Vec<&str> = texts.filter(is_name).filter(|name| !known.contains(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

fn guide_page() -> String {
    let mut page = "\
# Options of Mosquitto's clients

Every option of `mosquitto_pub`, `mosquitto_sub` and `mosquitto_rr` 2.0, and what becomes of it in `ferry pub`, `ferry sub` and
`ferry rr`. A test runs both against the same broker, option by option; this table is made of what it compares.

| option | of | here |
|---|---|---|
"
    .to_owned();
    for option in OPTIONS {
        let names: Vec<String> = option.names.iter().map(|name| format!("`{name}`")).collect();
        let clients = CLIENTS.iter().filter(|client| option.clients.contains(client.letter));
        let clients: Vec<&str> = clients.map(|client| client.name).collect();
        let here = match option.here {
            Here::Alike | Here::Other => "works".to_owned(),
            Here::Feature(feature) => {
                format!(
                    "works in a program that is built with `--features {feature}`, and is refused otherwise"
                )
            }
            Here::Refused(_) => "refused".to_owned(),
        };
        let separator = if option.note.is_empty() { "" } else { ": " };
        let note = option.note;
        writeln!(page, "| {} | {} | {here}{separator}{note} |", names.join(", "), clients.join(", "))
            .expect("into memory");
    }
    page
}

#[test]
fn the_guide_has_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/src/mosquitto-options.md");
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        std::fs::write(&path, guide_page()).expect("it can be written");
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(page == guide_page(), "out of date: UPDATE_DOCUMENTS=1 cargo test -p ferry --test tools guide");
}
