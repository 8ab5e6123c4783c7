//! Rules and user names by what is in clients' certificates, with the program of Mosquitto.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rcgen::{CertificateParams, DnType, SanType};

use crate::authority::Authority;
use crate::serving::{Scratch, Serving, error, ferry, run};

fn pump(parameters: &mut CertificateParams) {
    parameters.distinguished_name.push(DnType::OrganizationName, "Example, Inc.");
    let name = |text: &str| text.try_into().expect("ASCII");
    parameters.subject_alt_names.push(SanType::DnsName(name("pump.example")));
    parameters.subject_alt_names.push(SanType::URI(name("urn:pump:7")));
    parameters.subject_alt_names.push(SanType::Rfc822Name(name("ada@example.com")));
}

/// As `openssl x509` prints it, with colons.
fn fingerprint(scratch: &Scratch, name: &str) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(["x509", "-noout", "-fingerprint", "-sha256", "-in", &scratch.path(&format!("{name}.pem"))]);
    let output = openssl.output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("a text");
    text.trim().rsplit('=').next().expect("digits").to_owned()
}

/// Whether the broker takes a message with this certificate; an error if the client is not let in.
fn may_publish(scratch: &Scratch, port: &str, name: &str, topic: &str) -> Result<bool, String> {
    let mut command = Command::new("mosquitto_pub");
    command.args(["-h", "127.0.0.1", "-p", port, "-V", "mqttv5", "-q", "1", "-m", "x", "-t", topic]);
    command.args(["--cafile", &scratch.path("ca.pem"), "--cert", &scratch.path(&format!("{name}.pem"))]);
    let output = run(command.args(["--key", &scratch.path(&format!("{name}.key"))]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(!said.contains("Not authorized")) } else { Err(said) }
}

#[test]
fn subject_alternative_names_and_fingerprint() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    authority.sign(&scratch, "server", 1, |_| {});
    authority.sign(&scratch, "pump", 2, pump);
    authority.sign(&scratch, "door", 3, |_| {});
    let rule = |topic: &str, condition: &str| {
        format!("[[rule]]\nallow = \"all\"\ntopic = \"{topic}\"\n{condition}\n")
    };
    let mut rules = rule("subject", "certificate_subject = 'O=Example\\, Inc.,CN=pump'");
    rules += &rule("dns", "certificate_san = \"DNS:*.example\"");
    rules += &rule("uri", "certificate_san = [\"URI:urn:pump:*\", \"URI:urn:lamp:*\"]");
    rules += &rule("email", "certificate_san = \"email:ada@example.com\"");
    rules += &rule("print", &format!("certificate_fingerprint = \"{}\"", fingerprint(&scratch, "pump")));
    rules += &rule("user", "user = \"urn:pump:7\"");
    scratch.write("rules.toml", &rules);
    let configuration = |certificate_user: &str, authentication: &str| {
        format!(
            "[storage]\ndurability = \"memory\"\n[authorization]\nrules_file = \"{}\"\n\
             [authentication]\ncertificate_user = \"{certificate_user}\"\n\
             [[listener]]\naddress = \"tls://127.0.0.1:0\"\nauthentication = [\"certificate\"]\n{authentication}\
             tls_certificate_file = \"{}\"\ntls_key_file = \"{}\"\ntls_client_certificate = \"required\"\n\
             tls_client_ca_file = \"{}\"\n",
            scratch.path("rules.toml"),
            scratch.path("server.pem"),
            scratch.path("server.key"),
            scratch.path("ca.pem"),
        )
    };
    let file = scratch.write("ferry.toml", &configuration("uri", "allow_anonymous = true\n"));
    let serving = Serving::with_file(&file);
    let port = serving.port("listeners", "tls");
    for topic in ["subject", "dns", "uri", "email", "print", "user"] {
        assert_eq!(may_publish(&scratch, &port, "pump", topic), Ok(true), "{topic}");
        assert_eq!(may_publish(&scratch, &port, "door", topic), Ok(false), "{topic}");
    }
    drop(serving);
    // Who has no such name is nobody.
    let file = scratch.write("ferry.toml", &configuration("email", "allow_anonymous = false\n"));
    let serving = Serving::with_file(&file);
    let port = serving.port("listeners", "tls");
    assert_eq!(may_publish(&scratch, &port, "pump", "email"), Ok(true));
    assert!(may_publish(&scratch, &port, "door", "email").is_err());
}

#[test]
fn what_a_certificate_says_is_shown() {
    let scratch = Scratch::new();
    let authority = Authority::new(&scratch);
    authority.sign(&scratch, "server", 1, |_| {});
    authority.sign(&scratch, "pump", 2, pump);
    let token = scratch.write("token", "0123456789abcdef0123\n");
    let file = scratch.write(
        "ferry.toml",
        &format!(
            "[storage]\ndurability = \"memory\"\n[admin]\naddress = \"tcp://127.0.0.1:0\"\n\
             [[admin.token]]\nname = \"t\"\nrole = \"viewer\"\nfile = \"{token}\"\n\
             [[listener]]\naddress = \"tls://127.0.0.1:0\"\nallow_anonymous = true\n\
             tls_certificate_file = \"{}\"\ntls_key_file = \"{}\"\ntls_client_certificate = \"required\"\n\
             tls_client_ca_file = \"{}\"\n",
            scratch.path("server.pem"),
            scratch.path("server.key"),
            scratch.path("ca.pem"),
        ),
    );
    let serving = Serving::with_file(&file);
    let port = serving.port("listeners", "tls");
    let admin = format!("http://127.0.0.1:{}", serving.port("admin", "tcp"));
    // Its lines come at once, although a pipe takes them.
    let mut subscriber = Command::new("stdbuf");
    subscriber.args(["-oL", "mosquitto_sub"]);
    subscriber.args(["-h", "127.0.0.1", "-p", &port, "-i", "pump7", "-t", "house/#", "-q", "1", "-d"]);
    subscriber.args(["--cafile", &scratch.path("ca.pem"), "--cert", &scratch.path("pump.pem")]);
    let subscriber = subscriber.args(["--key", &scratch.path("pump.key")]).stdout(Stdio::piped()).spawn();
    let mut subscriber = subscriber.expect("the program runs");
    let said = BufReader::new(subscriber.stdout.take().expect("piped"));
    assert!(said.lines().map_while(Result::ok).any(|line| line.contains("received SUBACK")));
    let ctl = |arguments: &[&str]| {
        let mut command = ferry();
        let output = run(command.args(["ctl", "--admin", &admin, "--token-file", &token]).args(arguments));
        assert!(output.status.success(), "{}", error(&output));
        String::from_utf8(output.stdout).expect("a text")
    };
    let shown = ctl(&["client", "show", "pump7"]);
    let digits = fingerprint(&scratch, "pump").replace(':', "").to_lowercase();
    for line in [
        "certificate   pump".to_owned(),
        "  subject     O=Example\\, Inc.,CN=pump".to_owned(),
        "  names       DNS:pump.example, URI:urn:pump:7, email:ada@example.com".to_owned(),
        format!("  fingerprint {digits}"),
        // SUBACK and CONNACK of 3.1.1 have 9 bytes.
        "sent          0 (9 bytes)".to_owned(),
    ] {
        assert!(shown.lines().any(|found| found == line), "{line} is not in\n{shown}");
    }
    let clients = ctl(&["clients"]);
    assert!(
        clients.lines().all(|line| line.ends_with("SENT") || line.ends_with("  0 (9 bytes)")),
        "{clients}"
    );
    subscriber.kill().expect("it runs");
    subscriber.wait().expect("it has ended");
}
