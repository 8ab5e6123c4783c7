use std::io::{Read, Write};
use std::net::TcpStream;

use crate::authority::Authority;
use crate::serving::{Scratch, Serving, error, ferry, run};

const PASSWORD: &str = "correct-horse-battery";
const SCRAM_PASSWORD: &str = "staple-of-the-scram";
const WRONG_PASSWORD: &str = "tr0ub4dor-and-3";
const TOKEN: &str = "admin-token-0123456789";
const WRONG_TOKEN: &str = "guess-9876543210-abcdef";
const PAYLOAD: &str = "what-is-said-in-confidence";
const JWT_SECRET: &str = include_str!("../../../ferry-auth/tests/auth/jwt_fixtures/secret");
const JWT: &str = include_str!("../../../ferry-auth/tests/auth/jwt_fixtures/tokens.txt");

/// The token that is signed with the secret by HS256.
fn jwt() -> &'static str {
    JWT.lines().find_map(|line| line.strip_prefix("HS256 ")).expect("there is one")
}

/// One with another signature.
fn wrong_jwt() -> String {
    let (signed, signature) = jwt().rsplit_once('.').expect("it is signed");
    format!("{signed}.{}", signature.chars().rev().collect::<String>())
}

fn configuration(scratch: &Scratch) -> String {
    Authority::new(scratch).sign(scratch, "server", 2, |_| {});
    let passwords = scratch.path("passwords");
    for arguments in [
        ["passwd", "-b", "-c", &passwords, "ada", PASSWORD].as_slice(),
        &["passwd", "-b", "-H", "scram-sha-256", &passwords, "ben", SCRAM_PASSWORD],
    ] {
        let output = run(ferry().args(arguments));
        assert!(output.status.success(), "{}", error(&output));
    }
    let text = format!(
        "[log]\nlevel = \"trace\"\n[storage]\ndurability = \"memory\"\n\
         [authentication]\npassword_file = \"{passwords}\"\njwt_key_file = \"{}\"\njwt_algorithms = [\"HS256\"]\n\
         [admin]\naddress = \"tcp://127.0.0.1:0\"\n[[admin.token]]\nname = \"a\"\nrole = \"admin\"\nfile = \"{}\"\n\
         [[listener]]\naddress = \"tcp://127.0.0.1:0\"\n\
         [[listener]]\naddress = \"tls://127.0.0.1:0\"\ntls_certificate_file = \"{}\"\ntls_key_file = \"{}\"\n",
        scratch.write("jwt", JWT_SECRET),
        scratch.write("token", TOKEN),
        scratch.path("server.pem"),
        scratch.path("server.key"),
    );
    scratch.write("ferry.toml", &text)
}

/// Publishes as a client with these options; whether that was allowed.
fn publishes(port: &str, options: &[&str]) -> bool {
    let words = ["pub", "-h", "127.0.0.1", "-p", port, "-q", "1", "-t", "a", "-m", PAYLOAD];
    run(ferry().args(words).args(options)).status.success()
}

/// The status of a request with this token.
fn request(port: &str, token: &str) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("it listens");
    let head = "GET /api/v1/configuration HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    write!(stream, "{head}Authorization: Bearer {token}\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(!answer.contains(TOKEN) && !answer.contains(JWT_SECRET.trim()), "{answer}");
    answer.split(' ').nth(1).expect("a status").to_owned()
}

/// Everything that is nobody's business, also in the forms in which it travels.
fn secrets(scratch: &Scratch) -> Vec<String> {
    let mut secrets: Vec<String> =
        [PASSWORD, SCRAM_PASSWORD, WRONG_PASSWORD, TOKEN, WRONG_TOKEN, PAYLOAD, JWT_SECRET.trim(), jwt()]
            .map(str::to_owned)
            .into();
    secrets.push(wrong_jwt());
    // A text is logged as the list of its bytes where it is taken for binary.
    let as_bytes = |text: &String| format!("{:?}", text.as_bytes());
    secrets.extend(secrets.clone().iter().map(|text| as_bytes(text).trim_matches(['[', ']']).to_owned()));
    let key = std::fs::read_to_string(scratch.path("server.key")).expect("ours");
    secrets.extend(key.lines().filter(|line| !line.starts_with("---")).map(str::to_owned));
    // The hashes and their salts too: whoever has them can try passwords.
    let passwords = std::fs::read_to_string(scratch.path("passwords")).expect("ours");
    let hash = |line: &str| line.split_once(':').map(|(_, hash)| hash.to_owned());
    secrets.extend(passwords.lines().filter_map(hash));
    secrets
}

#[test]
fn no_secret_is_in_the_log_at_any_level() {
    let scratch = Scratch::new();
    let file = configuration(&scratch);
    let mut serving = Serving::with_file(&file);
    let (tcp, tls, admin) =
        (serving.port("listeners", "tcp"), serving.port("  ", "tls"), serving.port("admin", "tcp"));
    let (ca, wrong) = (scratch.path("ca.pem"), wrong_jwt());
    for (is_right, options) in [
        (true, ["-u", "ada", "-P", PASSWORD].as_slice()),
        (true, &["-u", "ada", "-P", PASSWORD, "-V", "3.1.1", "--will-topic", "w", "--will-payload", PAYLOAD]),
        (true, &["-u", "ben", "-P", SCRAM_PASSWORD, "--auth-method", "SCRAM-SHA-256"]),
        (true, &["-u", "ada", "-P", jwt()]),
        (false, &["-u", "ada", "-P", WRONG_PASSWORD]),
        (false, &["-u", "nobody", "-P", WRONG_PASSWORD, "-V", "3.1.1"]),
        (false, &["-u", "ben", "-P", WRONG_PASSWORD, "--auth-method", "SCRAM-SHA-256"]),
        (false, &["-u", "ada", "-P", &wrong]),
    ] {
        assert_eq!(publishes(&tcp, options), is_right, "{options:?}");
        assert_eq!(publishes(&tls, &[options, &["--cafile", &ca]].concat()), is_right, "{options:?}, TLS");
    }
    assert_eq!(request(&admin, TOKEN), "200");
    assert_eq!(request(&admin, WRONG_TOKEN), "401");
    // What is wrong in a file is told without what is secret there.
    let passwords = std::fs::read_to_string(scratch.path("passwords")).expect("ours");
    scratch.write("passwords", &format!("{passwords}eve:{WRONG_PASSWORD}\n"));
    serving.wait_for("user \"eve\": the password is in plain text");
    scratch.write("passwords", &passwords);
    serving.wait_for("loaded again");
    let said = serving.end("TERM");
    assert!(said.contains("refused") && said.contains("ada"), "the log says nothing at all:\n{said}");
    for secret in secrets(&scratch) {
        assert!(!said.contains(&secret), "{secret:?} is in the log:\n{said}");
    }
}

/// Somebody writes the secret where its hash should be.
#[test]
fn a_configuration_with_a_secret_in_the_wrong_place_is_refused_without_telling_it() {
    let scratch = Scratch::new();
    let block = "[[admin.token]]\nname = \"a\"\nrole = \"admin\"\n";
    for text in [
        format!("{block}hash = \"{TOKEN}\"\n"),
        format!("{block}hash = \"sha256:{TOKEN}\"\n"),
        format!("[admin]\ntoken = \"{TOKEN}\"\n"),
        format!("[admin]\ntoken = [\"{TOKEN}\"]\n"),
    ] {
        let file = scratch.write("ferry.toml", &text);
        let output = run(ferry().args(["check", &file]));
        assert_eq!(output.status.code(), Some(1));
        assert!(!error(&output).contains(TOKEN), "{}", error(&output));
    }
    let mut command = ferry();
    command.args(["serve", "--memory"]).env("FERRY_ADMIN_TOKEN", format!("a admin sha256:{TOKEN}"));
    let output = run(&mut command);
    assert_eq!(output.status.code(), Some(1));
    assert!(!error(&output).contains(TOKEN), "{}", error(&output));
}
