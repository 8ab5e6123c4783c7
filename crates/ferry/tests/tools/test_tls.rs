use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};

use crate::broker::{Broker, Kind};
use crate::program::{Running, Scratch, client, done, ferry, run};

/// Names of files in the directory of a test: authorities, and what they have signed.
const NAMES: [(&str, &[&str]); 2] = [("authority", &["server", "client"]), ("stranger", &["impostor"])];

/// Writes certificates and keys as `NAME.pem` and `NAME.key`. The server's is for localhost, and not for 127.0.0.1.
pub(crate) fn certificates(scratch: &Scratch) {
    for (authority, signed) in NAMES {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = named(authority);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = parameters.self_signed(&key).expect("a certificate");
        scratch.write(&format!("{authority}.pem"), certificate.pem().as_bytes());
        let issuer = Issuer::new(parameters, key);
        for name in signed {
            let key = KeyPair::generate().expect("a key");
            let mut parameters = named(name);
            parameters.subject_alt_names = vec![SanType::DnsName("localhost".try_into().expect("ASCII"))];
            let certificate = parameters.signed_by(&key, &issuer).expect("a certificate");
            scratch.write(&format!("{name}.pem"), certificate.pem().as_bytes());
            scratch.write(&format!("{name}.key"), key.serialize_pem().as_bytes());
        }
    }
}

fn named(common_name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters
}

/// Ferry with TLS, and the files of [`certificates`].
pub(crate) fn broker_and_certificates() -> (Scratch, Broker) {
    let scratch = Scratch::new();
    certificates(&scratch);
    let broker = broker(Kind::Ferry, &scratch, false);
    (scratch, broker)
}

fn broker(kind: Kind, scratch: &Scratch, wants_certificate: bool) -> Broker {
    let [authority, server, key] =
        ["authority.pem", "server.pem", "server.key"].map(|name| scratch.path(name));
    match kind {
        Kind::Ferry => {
            let mut options = vec!["--tls-cert", &server, "--tls-key", &key];
            if wants_certificate {
                options.extend(["--tls-client-ca", &authority]);
            }
            Broker::ferry("tls://127.0.0.1:0", &options)
        }
        Kind::Mosquitto => Broker::mosquitto(&format!(
            "cafile {authority}\ncertfile {server}\nkeyfile {key}\nrequire_certificate {wants_certificate}"
        )),
    }
}

/// Options, of which words with a dot are files, and whether they lead to a connection: without a certificate being asked
/// for, and with.
const OPTIONS: [(&str, bool, bool); 14] = [
    ("-h localhost --cafile authority.pem", true, false),
    ("-h localhost --cafile authority.pem --cert client.pem --key client.key", true, true),
    ("-h localhost --cafile authority.pem --cert impostor.pem --key impostor.key", true, false),
    ("-h localhost --cafile authority.pem --tls-version tlsv1.2", true, false),
    ("-h localhost --cafile authority.pem --tls-version tlsv1.3", true, false),
    ("-h localhost --cafile authority.pem --tls-alpn mqtt", true, false),
    ("-h localhost --cafile stranger.pem", false, false),
    ("-h localhost --cafile stranger.pem --insecure", false, false),
    ("-h localhost --tls-use-os-certs", false, false),
    ("-h localhost", false, false),
    ("-h 127.0.0.1 --cafile authority.pem", false, false),
    ("-h 127.0.0.1 --cafile authority.pem --insecure", true, false),
    (
        "-h 127.0.0.1 --cafile authority.pem --insecure --cert client.pem --key client.key -V mqttv5",
        true,
        true,
    ),
    ("-h localhost --cafile nowhere.pem", false, false),
];

#[test]
fn tls_is_as_with_mosquitto_pub() {
    let scratch = Scratch::new();
    certificates(&scratch);
    let is_compared = Kind::installed().contains(&Kind::Mosquitto);
    for kind in Kind::installed() {
        for wants_certificate in [false, true] {
            let broker = broker(kind, &scratch, wants_certificate);
            for (options, without, with) in OPTIONS {
                let is_file = |word: &str| word.ends_with(".pem") || word.ends_with(".key");
                let place = |word: &str| if is_file(word) { scratch.path(word) } else { word.to_owned() };
                let words: Vec<String> = options.split(' ').map(place).collect();
                let succeeds = if wants_certificate { with } else { without };
                let what = format!("{kind:?}, {wants_certificate}: {options}");
                let message = ["-p", broker.port(), "-t", "a", "-m", "x", "-q", "1"];
                let ours = run(ferry().arg("pub").args(&words).args(message), b"");
                let failure = if options.contains("nowhere") { 2 } else { 1 };
                assert_eq!(ours.code, Some(if succeeds { 0 } else { failure }), "{what}: {ours:?}");
                assert_eq!(ours.error.is_empty(), succeeds, "{what}: {ours:?}");
                if is_compared {
                    let theirs = run(Command::new("mosquitto_pub").args(&words).args(message), b"");
                    assert_eq!(theirs.code == Some(0), succeeds, "{what}: {theirs:?}");
                }
            }
        }
    }
}

#[test]
fn all_clients_go_over_tls() {
    let scratch = Scratch::new();
    certificates(&scratch);
    let broker = broker(Kind::Ferry, &scratch, true);
    let [authority, certificate, key] =
        ["authority.pem", "client.pem", "client.key"].map(|name| scratch.path(name));
    let tls = ["--insecure", "--cafile", &authority, "--cert", &certificate, "--key", &key];
    let directory = scratch.path("authorities");
    std::fs::create_dir(&directory).expect("a directory");
    std::fs::copy(&authority, scratch.path("authorities/a.pem")).expect("a copy");
    let by_directory = ["--insecure", "--capath", &directory, "--cert", &certificate, "--key", &key];
    done("pub", &broker, &[&by_directory[..], &["-t", "a", "-m", "x", "-r", "-q", "1"]].concat());
    assert_eq!(done("sub", &broker, &[&tls[..], &["-t", "a", "-C", "1"]].concat()), "x\n");
    assert_eq!(done("rr", &broker, &[&tls[..], &["-t", "b", "-e", "a", "-n"]].concat()), "x\n");
    let recording = done("record", &broker, &[&tls[..], &["-", "-C", "1"]].concat());
    let file = scratch.write("recording", recording.as_bytes());
    done("replay", &broker, &[&tls[..], &[&file, "--speed", "max"]].concat());
}

/// As with mosquitto_pub; what would send a password without TLS, though an option asks for it, is refused.
#[test]
fn options_about_tls_count_more_than_the_scheme() {
    let (scratch, broker) = broker_and_certificates();
    let [authority, port] = [&scratch.path("authority.pem"), broker.port()];
    let is_compared = Kind::installed().contains(&Kind::Mosquitto);
    for (scheme, options, succeeds) in [
        ("mqtt", ["--cafile", authority].as_slice(), true),
        ("mqtts", &["--cafile", authority], true),
        ("mqtt", &[], false),
    ] {
        let url = format!("{scheme}://localhost:{port}/a");
        let words = [&["-L", &url, "-m", "x", "-q", "1"], options].concat();
        let ours = run(ferry().arg("pub").args(&words), b"");
        assert_eq!(ours.code == Some(0), succeeds, "{words:?}: {ours:?}");
        if is_compared {
            let theirs = run(Command::new("mosquitto_pub").args(&words), b"");
            assert_eq!(theirs.code == Some(0), succeeds, "{words:?}: {theirs:?}");
        }
    }
    for place in [["-L", "ws://localhost/mqtt"], ["-L", "unix:///nowhere"], ["--unix", "/nowhere"]] {
        let outcome =
            run(ferry().args(["pub", "-t", "a", "-m", "x", "--cafile", authority]).args(place), b"");
        assert_eq!(outcome.code, Some(2));
        assert!(outcome.error.contains("there is no TLS "), "{outcome:?}");
    }
}

#[test]
fn authorities_of_the_system_add_to_others() {
    let (scratch, broker) = broker_and_certificates();
    let words = ["pub", "-h", "localhost", "-p", broker.port(), "-t", "a", "-m", "x", "-q", "1"];
    let stranger = ["--cafile", &scratch.path("stranger.pem")];
    for (more, code) in [(["--tls-use-os-certs"].as_slice(), 0), (&[], 1)] {
        let mut command = ferry();
        command.env("SSL_CERT_FILE", scratch.path("authority.pem"));
        let outcome = run(command.args(words).args(stranger).args(more), b"");
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
    }
}

#[test]
fn files_without_what_is_needed_are_named() {
    let (scratch, broker) = broker_and_certificates();
    let [authority, certificate, key] =
        ["authority.pem", "client.pem", "client.key"].map(|name| scratch.path(name));
    let section = |name: &str| format!("-----BEGIN {name}-----\nMIIB\n-----END {name}-----\n");
    let encrypted = scratch.write("encrypted.key", section("ENCRYPTED PRIVATE KEY").as_bytes());
    let older = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,00\n\nMIIB\n-----END RSA PRIVATE KEY-----\n";
    let older = scratch.write("older.key", older.as_bytes());
    for (certificate, key, words) in [
        (
            &certificate,
            &encrypted,
            "encrypted.key: the private key is encrypted, and only PKCS#12 files may be",
        ),
        (&certificate, &older, "older.key: the private key is encrypted"),
        (&certificate, &certificate, "client.pem: there is no private key in it"),
        (&key, &key, "client.key: there is no certificate in it"),
    ] {
        let options = ["--cafile", &authority, "--cert", certificate, "--key", key, "--insecure"];
        let outcome = run(client("pub", &broker, &options).args(["-t", "a", "-m", "x"]), b"");
        assert_eq!(outcome.code, Some(2));
        assert!(outcome.error.contains(words), "{words}: {outcome:?}");
    }
}

#[test]
fn an_old_version_is_refused_where_it_is_to_be() {
    let scratch = Scratch::new();
    certificates(&scratch);
    let [authority, server, key] =
        ["authority.pem", "server.pem", "server.key"].map(|name| scratch.path(name));
    let mut command = Command::new("openssl");
    command.args(["s_server", "-accept", "127.0.0.1:0", "-tls1_2", "-cert", &server, "-key", &key]);
    let Ok(mut old) = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
    else {
        eprintln!("SKIPPED: openssl is not installed");
        return;
    };
    let mut lines = BufReader::new(old.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let port =
        lines.find_map(|line| line.strip_prefix("ACCEPT 127.0.0.1:").map(str::to_owned)).expect("a port");
    std::thread::spawn(move || lines.for_each(drop));
    let mut command = ferry();
    command.args(["pub", "-h", "localhost", "-p", &port, "--cafile", &authority, "-t", "a", "-m", "x"]);
    let outcome = run(command.args(["--tls-version", "tlsv1.3"]), b"");
    let _ended = old.kill();
    let _status = old.wait();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.error.contains("ProtocolVersion"), "{outcome:?}");
}

#[test]
fn the_address_of_this_side_is_chosen() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    let mut command = ferry();
    command.args(["pub", "-h", "localhost", "-p", &port, "-A", "127.0.0.2", "-t", "a", "-m", "x"]);
    let publisher = Running::start(&mut command);
    let (connection, address) = listener.accept().expect("a connection");
    assert_eq!(address.ip().to_string(), "127.0.0.2");
    drop((connection, listener));
    assert_eq!(publisher.end().code, Some(1));
    let broker = Broker::start(Kind::Ferry);
    done("pub", &broker, &["-A", "127.0.0.3", "-t", "a", "-m", "x", "-q", "1"]);
    let outcome = run(&mut client("pub", &broker, &["-A", "::1", "-t", "a", "-m", "x"]), b"");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.error.contains("127.0.0.1 has no address that can be reached from ::1"), "{outcome:?}");
}

#[test]
fn requests_have_user_properties() {
    for kind in Kind::installed() {
        let broker = Broker::start(kind);
        let of_subscribe = ["-D", "subscribe", "user-property", "a", "b"];
        let of_unsubscribe = ["-D", "unsubscribe", "user-property", "c", "d"];
        let options = [&["-t", "a", "-U", "b", "-E"], &of_subscribe[..], &of_unsubscribe[..]].concat();
        done("sub", &broker, &options);
    }
}
