use std::sync::Arc;

use ferry_auth::{
    Authenticator, Chain, Credentials, DecoySecret, Exchange, HashCost, HashQueue, Outcome, PasswordFile,
    PasswordFileText, PasswordHash, PasswordLink, Refusal, ScramHash, Step, Verdict,
};
use ferry_scram::ScramClient;

fn cost(hash: ScramHash) -> HashCost {
    HashCost::Scram { hash, iterations: 4096 }
}

/// `ada` for SHA-256, `ben` for SHA-1, `carl` without SCRAM, all with the password `secret`; the secret of the file.
fn file() -> String {
    let mut text = PasswordFileText::default();
    for (name, cost) in [
        ("ada", cost(ScramHash::Sha256)),
        ("ben", cost(ScramHash::Sha1)),
        ("carl", HashCost::Pbkdf2Sha512 { iterations: 1 }),
    ] {
        text.set(name, &PasswordHash::create(b"secret", cost).expect("done")).expect("done");
    }
    text.ensure_decoy_secret();
    text.to_string()
}

fn chain(text: &str) -> Chain {
    let (file, problems) = PasswordFile::parse(text);
    assert_eq!(problems, []);
    let link = PasswordLink::new(Arc::new(file), Arc::new(HashQueue::new(1, 10)), &DecoySecret::random());
    Chain::new().with("password_file", Arc::new(link))
}

fn asked(user_name: Option<&str>) -> Credentials {
    let authenticators = Arc::new([Box::from("password_file")]);
    Credentials { authenticators, user_name: user_name.map(Into::into), ..Credentials::default() }
}

fn begin(chain: &Chain, hash: ScramHash) -> Box<dyn Exchange> {
    chain.exchange(hash.method(), &asked(None)).expect("a method that is offered")
}

fn step(exchange: &mut dyn Exchange, data: &str) -> Step {
    match exchange.step(Some(data.as_bytes().into())) {
        Verdict::Now(step) => step,
        Verdict::Later(_) => panic!("nothing here takes long"),
    }
}

#[track_caller]
fn challenge(step: Step) -> String {
    let Step::Continue { data: Some(data) } = step else { panic!("{step:?}") };
    String::from_utf8(data.into()).expect("a text")
}

#[track_caller]
fn refused(step: &Step, refusal: Refusal, words: &str) {
    assert_eq!(*step, Step::Refuse { refusal, detail: words.into() });
}

/// The last step of a client with this name and password.
fn outcome(chain: &Chain, hash: ScramHash, name: &str, password: &str) -> Step {
    let mut exchange = begin(chain, hash);
    let mut client = ScramClient::new(hash, name, password.as_bytes());
    let challenge = challenge(step(&mut *exchange, &client.start("nonce")));
    let answer = client.server_first(challenge.as_bytes()).expect("a challenge");
    let outcome = step(&mut *exchange, &answer);
    if let Step::Accept { data: Some(data), .. } = &outcome {
        assert_eq!(client.server_final(data), Ok(()));
    }
    outcome
}

#[test]
fn who_knows_the_password_is_let_in_by_the_name_proven() {
    let chain = chain(&file());
    for (hash, name) in [(ScramHash::Sha256, "ada"), (ScramHash::Sha1, "ben")] {
        let Step::Accept { user_name, data: Some(_), until_unix_seconds: None } =
            outcome(&chain, hash, name, "secret")
        else {
            panic!()
        };
        assert_eq!(user_name.as_deref(), Some(name));
    }
}

#[test]
fn whoever_fails_fails_at_the_last_step_with_one_answer() {
    let chain = chain(&file());
    for (name, password, words) in [
        ("ada", "Secret", "wrong password for user ada"),
        ("nobody", "secret", "there is no user nobody with SCRAM-SHA-256"),
        ("ben", "secret", "there is no user ben with SCRAM-SHA-256"),
        ("carl", "secret", "there is no user carl with SCRAM-SHA-256"),
    ] {
        refused(&outcome(&chain, ScramHash::Sha256, name, password), Refusal::BadUserNameOrPassword, words);
    }
}

/// What a challenge shows of a user: salt and iterations.
fn shown(chain: &Chain, hash: ScramHash, name: &str) -> String {
    let message = challenge(step(&mut *begin(chain, hash), &format!("n,,n={name},r=nonce")));
    message.split_once(",s=").expect("a salt").1.to_owned()
}

#[test]
fn nobody_can_tell_who_is_there() {
    let text = file();
    let names = ["ada", "ben", "carl", "nobody", "else"];
    let before = chain(&text);
    let shown_before = names.map(|name| shown(&before, ScramHash::Sha256, name));
    for (name, shown) in names.iter().zip(&shown_before) {
        let (salt, iterations) = shown.split_once(",i=").expect("iterations");
        assert_eq!((salt.len(), iterations), (24, "4096"), "{name}");
        assert_eq!(shown_before.iter().filter(|other| *other == shown).count(), 1, "{name}");
    }
    // The same after a restart, and when users come and go.
    let mut changed = PasswordFileText::new(&text);
    changed.remove("ben");
    let hash = PasswordHash::create(b"x", cost(ScramHash::Sha256)).expect("done");
    changed.set("new", &hash).expect("done");
    changed.ensure_decoy_secret();
    let after = chain(&changed.to_string());
    assert_eq!(names.map(|name| shown(&after, ScramHash::Sha256, name)), shown_before);
    // But another file makes up something else.
    let other = chain(&file());
    assert_ne!(shown(&other, ScramHash::Sha256, "nobody"), shown_before[3]);
}

#[test]
fn what_is_made_up_has_the_shapes_that_are_there() {
    let mut text = PasswordFileText::default();
    for (name, iterations) in [("a", 4096), ("b", 5000), ("c", 6000)] {
        let cost = HashCost::Scram { hash: ScramHash::Sha256, iterations };
        text.set(name, &PasswordHash::create(b"x", cost).expect("done")).expect("done");
    }
    let chain = chain(&text.to_string());
    let iterations_of =
        |name: &str| shown(&chain, ScramHash::Sha256, name).rsplit_once("i=").expect("them").1.to_owned();
    let mut seen: Vec<_> = (0..60).map(|number| iterations_of(&format!("nobody-{number}"))).collect();
    assert_eq!(iterations_of("nobody-1"), seen[1]);
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["4096", "5000", "6000"]);
}

#[test]
fn a_method_that_nobody_can_use_is_not_offered() {
    let chain = chain(&file());
    let has = |method, credentials: &Credentials| chain.exchange(method, credentials).is_some();
    assert!(has("SCRAM-SHA-1", &asked(None)) && has("SCRAM-SHA-256", &asked(None)));
    for method in ["SCRAM-SHA-512", "SCRAM-SHA-256-PLUS", "scram-sha-256", "PLAIN", ""] {
        assert!(!has(method, &asked(None)), "{method}");
    }
    // Nor on a listener that others judge for.
    assert!(!has("SCRAM-SHA-256", &Credentials::default()));
}

#[test]
fn messages_that_are_wrong() {
    let chain = chain(&file());
    let malformed = "the SCRAM message is malformed: the header";
    refused(&step(&mut *begin(&chain, ScramHash::Sha256), ""), Refusal::NotAuthorized, malformed);
    let mut exchange = begin(&chain, ScramHash::Sha256);
    challenge(step(&mut *exchange, "n,,n=ada,r=nonce"));
    let malformed = "the SCRAM message is malformed: the proof";
    refused(&step(&mut *exchange, "c=biws"), Refusal::NotAuthorized, malformed);
    refused(&step(&mut *exchange, "c=biws"), Refusal::NotAuthorized, "the exchange is over");
    let mut exchange = begin(&chain, ScramHash::Sha256);
    let long = format!("n,,n={},r=nonce", "x".repeat(10_000));
    refused(&step(&mut *exchange, &long), Refusal::NotAuthorized, "the SCRAM message is too long");
    let binding = "SCRAM without channel binding only";
    refused(&step(&mut *begin(&chain, ScramHash::Sha1), "p=x,,n=ben,r=n"), Refusal::NotAuthorized, binding);
}

#[test]
fn nobody_is_two_users() {
    let chain = chain(&file());
    for (said, is_right) in [("ada", true), ("ben", false)] {
        let mut exchange = chain.exchange("SCRAM-SHA-256", &asked(Some(said))).expect("offered");
        let mut client = ScramClient::new(ScramHash::Sha256, "ada", b"secret");
        let challenge = challenge(step(&mut *exchange, &client.start("nonce")));
        let answer = client.server_first(challenge.as_bytes()).expect("a challenge");
        let outcome = step(&mut *exchange, &answer);
        assert_eq!(matches!(outcome, Step::Accept { .. }), is_right, "{outcome:?}");
    }
}

#[test]
fn a_nonce_is_never_used_again() {
    let chain = chain(&file());
    let nonce = || {
        let message = challenge(step(&mut *begin(&chain, ScramHash::Sha256), "n,,n=ada,r=nonce"));
        message.split(',').next().expect("a nonce").to_owned()
    };
    let (one, other) = (nonce(), nonce());
    assert!(one.starts_with("r=nonce") && one.len() >= 2 + 5 + 24);
    assert_ne!(one, other);
}

#[test]
fn an_entry_for_scram_recognises_a_plain_password() {
    let chain = chain(&file());
    for (password, is_right) in [(&b"secret"[..], true), (b"Secret", false), (b"", false)] {
        let credentials = Credentials { password: Some(password.into()), ..asked(Some("ada")) };
        let Verdict::Later(later) = chain.authenticate(credentials) else { panic!("it is hashed elsewhere") };
        let outcome = tokio::runtime::Builder::new_current_thread().build().expect("done").block_on(later);
        assert_eq!(matches!(outcome, Outcome::Accept { .. }), is_right);
    }
}

#[test]
fn entries_of_others_are_read_and_broken_ones_are_not_taken_for_passwords() {
    // PostgreSQL 15: ALTER ROLE ... PASSWORD 'pencil' has this form; the figures are those of RFC 7677.
    let text = "user:SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n";
    let (file, problems) = PasswordFile::parse(text);
    assert!(problems.is_empty() && file.get("user").expect("there").verify(b"pencil"));
    assert_eq!(file.weak_hashes(), 1, "4,096 rounds are few");
    let broken = text.replace(":wf", "wf");
    assert_eq!(PasswordFile::parse(&broken).1.len(), 1);
    assert!(PasswordFileText::new(&broken).plain().is_empty());
    // Nothing that asks for hours.
    assert_eq!(PasswordFile::parse(&text.replace("$4096", "$4000000000")).1.len(), 1);
    assert!(PasswordHash::create(b"x", HashCost::Scram { hash: ScramHash::Sha1, iterations: 4095 }).is_err());
}

#[test]
fn a_file_gets_one_secret_and_keeps_it() {
    let mut text = PasswordFileText::new("# users\nada:plain\n");
    text.ensure_decoy_secret();
    let once = text.to_string();
    text.ensure_decoy_secret();
    assert_eq!(text.to_string(), once);
    assert!(once.starts_with("# decoy-secret ") && once.contains("# users\nada:plain\n"), "{once}");
    let secret = DecoySecret::random();
    assert!(!format!("{secret:?}").contains(&secret.to_string()[15..]));
}
