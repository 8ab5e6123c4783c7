use std::sync::Arc;
use std::sync::mpsc;

use ferry_auth::{
    Authenticator, CertificateLink, Chain, Credentials, DecoySecret, HashCost, HashQueue, Outcome,
    PasswordFile, PasswordFileText, PasswordHash, PasswordLink, PskLink, Refusal, Verdict,
};

const CHEAP: HashCost = HashCost::Pbkdf2Sha512 { iterations: 1 };

fn queue() -> Arc<HashQueue> {
    Arc::new(HashQueue::new(2, 10))
}

fn users(names_and_passwords: &[(&str, &[u8])]) -> PasswordFile {
    let mut text = PasswordFileText::default();
    for (name, password) in names_and_passwords {
        text.set(name, &PasswordHash::create(password, CHEAP).expect("done")).expect("done");
    }
    PasswordFile::parse(&text.to_string()).0
}

fn chain(file: PasswordFile, queue: Arc<HashQueue>) -> Chain {
    Chain::new()
        .with("password_file", Arc::new(PasswordLink::new(Arc::new(file), queue, &DecoySecret::random())))
        .with("certificate", Arc::new(CertificateLink::default()))
        .with("psk", Arc::new(PskLink))
}

fn asked(authenticators: &[&str], user_name: Option<&str>, password: Option<&[u8]>) -> Credentials {
    Credentials {
        authenticators: authenticators.iter().map(|name| Box::from(*name)).collect(),
        user_name: user_name.map(Into::into),
        password: password.map(Into::into),
        ..Credentials::default()
    }
}

fn judge(chain: &Chain, credentials: Credentials) -> Result<Option<Box<str>>, (Refusal, Box<str>)> {
    let outcome = match chain.authenticate(credentials) {
        Verdict::Now(outcome) => outcome,
        Verdict::Later(later) => {
            tokio::runtime::Builder::new_current_thread().build().expect("done").block_on(later)
        }
    };
    match outcome {
        Outcome::Accept { user_name, until_unix_seconds: None, grants: None } => Ok(user_name),
        Outcome::Accept { .. } => panic!("nothing here expires"),
        Outcome::Refuse { refusal, detail } => Err((refusal, detail)),
    }
}

#[track_caller]
fn refused(result: &Result<Option<Box<str>>, (Refusal, Box<str>)>, refusal: Refusal, detail: &str) {
    assert_eq!(*result, Err((refusal, detail.into())));
}

#[test]
fn names_and_passwords_are_compared() {
    let chain = chain(users(&[("ada", b"one"), ("b\u{fc}rger", b"\xff\x00two")]), queue());
    let judge = |name: Option<&str>, password: Option<&[u8]>| {
        judge(&chain, asked(&["password_file"], name, password))
    };
    assert_eq!(judge(Some("ada"), Some(b"one")), Ok(Some("ada".into())));
    assert_eq!(judge(Some("b\u{fc}rger"), Some(b"\xff\x00two")), Ok(Some("b\u{fc}rger".into())));
    let wrong = Refusal::BadUserNameOrPassword;
    refused(&judge(Some("ada"), Some(b"two")), wrong, "wrong password for user ada");
    refused(&judge(Some("ada"), Some(b"")), wrong, "wrong password for user ada");
    refused(&judge(Some("ada"), None), wrong, "no password for user ada");
    refused(&judge(Some("Ada"), Some(b"one")), wrong, "there is no user Ada");
    refused(&judge(Some(""), Some(b"one")), wrong, "there is no user ");
    refused(&judge(Some(""), None), wrong, "there is no user ");
    refused(&judge(None, Some(b"one")), wrong, "a password without a user name");
    let anonymous = "the client is anonymous, which this listener does not allow";
    refused(&judge(None, None), Refusal::NotAuthorized, anonymous);
    let long = "x".repeat(1000);
    let Err((_, detail)) = judge(Some(&long), Some(b"one")) else { panic!("nobody has this name") };
    assert!(detail.len() < 100, "{detail}");
}

#[test]
fn who_says_a_name_is_not_let_in_as_nobody() {
    let chain = chain(users(&[("ada", b"one")]), queue());
    let judge = |name: Option<&str>, password: Option<&[u8]>| {
        let asked = asked(&["password_file"], name, password);
        judge(&chain, Credentials { anonymous_allowed: true, ..asked })
    };
    assert_eq!(judge(None, None), Ok(None));
    assert!(judge(Some("ada"), Some(b"two")).is_err());
    assert!(judge(Some("ben"), None).is_err());
    assert!(judge(None, Some(b"one")).is_err());
}

#[test]
fn where_nobody_judges_a_name_it_says_nothing() {
    let chain = Chain::new();
    let credentials = asked(&[], Some("admin"), Some(b"x"));
    let allowed = Credentials { anonymous_allowed: true, ..credentials.clone() };
    assert_eq!(judge(&chain, allowed), Ok(None));
    let detail = "nobody here can judge what the client offers";
    refused(&judge(&chain, credentials), Refusal::NotAuthorized, detail);
    assert!(chain.exchange("SCRAM-SHA-256", &asked(&["password_file"], None, None)).is_none());
}

#[test]
fn the_first_who_can_judge_decides() {
    let chain = chain(users(&[("ada", b"one")]), queue());
    let shown = |authenticators: &[&str], name: Option<&str>, password: Option<&[u8]>| {
        let asked = asked(authenticators, name, password);
        judge(&chain, Credentials { certificate_common_name: Some("pump 7".into()), ..asked })
    };
    assert_eq!(
        shown(&["certificate", "password_file"], Some("ada"), Some(b"two")),
        Ok(Some("pump 7".into()))
    );
    assert_eq!(shown(&["password_file", "certificate"], None, None), Ok(Some("pump 7".into())));
    assert_eq!(shown(&["password_file", "certificate"], Some("ada"), Some(b"one")), Ok(Some("ada".into())));
    assert!(shown(&["password_file", "certificate"], Some("ada"), Some(b"two")).is_err());
    let without = asked(&["certificate", "password_file"], Some("ada"), Some(b"one"));
    assert_eq!(judge(&chain, without), Ok(Some("ada".into())));
    let empty =
        Credentials { certificate_common_name: Some("".into()), ..asked(&["certificate"], None, None) };
    assert!(judge(&chain, empty).is_err());
    let with_key = |authenticators: &[&str], identity: &str| {
        let asked = asked(authenticators, Some("ada"), Some(b"one"));
        judge(&chain, Credentials { psk_identity: Some(identity.into()), ..asked })
    };
    assert_eq!(with_key(&["psk", "password_file"], "pump 7"), Ok(Some("pump 7".into())));
    assert_eq!(with_key(&["psk", "password_file"], ""), Ok(Some("ada".into())));
    assert_eq!(with_key(&["password_file"], "pump 7"), Ok(Some("ada".into())));
    assert!(judge(&chain, asked(&["psk"], Some("ada"), Some(b"one"))).is_err());
}

#[test]
fn nobody_passes_a_judge_who_is_not_there() {
    let credentials = Credentials { anonymous_allowed: true, ..asked(&["jwt"], None, None) };
    let Err((refusal, _)) = judge(&Chain::new(), credentials) else { panic!("let in") };
    assert_eq!(refusal, Refusal::ServerUnavailable);
}

#[test]
fn without_users_everybody_is_unknown() {
    let chain = chain(PasswordFile::default(), queue());
    let judged = judge(&chain, asked(&["password_file"], Some("ada"), Some(b"")));
    refused(&judged, Refusal::BadUserNameOrPassword, "there is no user ada");
}

#[test]
fn more_than_may_wait_are_told_that_the_server_is_busy() {
    let queue = Arc::new(HashQueue::new(1, 2));
    let chain = chain(users(&[("ada", b"one")]), Arc::clone(&queue));
    let (go, wait) = mpsc::channel::<()>();
    let (begun, begins) = mpsc::channel();
    let busy = queue.submit(move || {
        begun.send(()).unwrap();
        wait.recv()
    });
    begins.recv().unwrap();
    let later = [(), ()].map(|()| chain.authenticate(asked(&["password_file"], Some("ada"), Some(b"one"))));
    let third = judge(&chain, asked(&["password_file"], Some("ada"), Some(b"one")));
    refused(&third, Refusal::ServerBusy, "too many passwords wait to be checked");
    go.send(()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for verdict in later {
        let Verdict::Later(later) = verdict else { panic!("at once") };
        assert_eq!(
            runtime.block_on(later),
            Outcome::Accept { user_name: Some("ada".into()), until_unix_seconds: None, grants: None }
        );
    }
    runtime.block_on(busy.unwrap()).unwrap().unwrap();
}

#[test]
fn what_nobody_waits_for_is_not_computed() {
    let queue = HashQueue::new(1, 10);
    let (go, wait) = mpsc::channel::<()>();
    let first = queue.submit(move || wait.recv()).unwrap();
    drop(queue.submit(|| panic!("computed")).unwrap());
    let last = queue.submit(|| 7).unwrap();
    go.send(()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(last), Ok(7));
    assert!(runtime.block_on(first).is_ok());
}

#[test]
fn nothing_that_is_printed_has_the_password() {
    let credentials = asked(&["password_file"], Some("ada"), Some(b"hunter2"));
    let printed = format!("{credentials:?}");
    assert!(
        printed.contains("ada") && !printed.contains("104, 117") && !printed.contains("hunter2"),
        "{printed}"
    );
}
