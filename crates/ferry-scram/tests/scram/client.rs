use ferry_scram::{ITERATIONS_MAX, ITERATIONS_MIN, MESSAGE_BYTES_MAX, ScramClient, ScramError, ScramHash};

use super::{NONCE, challenged, credentials};

fn client() -> ScramClient {
    ScramClient::new(ScramHash::Sha256, "user", b"pencil")
}

fn answer_to(server_first: &str) -> Result<String, ScramError> {
    let mut client = client();
    client.start(NONCE);
    client.server_first(server_first.as_bytes())
}

#[test]
fn challenges_that_are_none() {
    assert!(answer_to("r=client-noncex,s=c2FsdA==,i=4096").is_ok());
    assert!(answer_to("r=client-noncex,s=c2FsdA==,i=4096,x=extension").is_ok());
    for message in [
        "",
        "r=client-noncex",
        "r=client-noncex,s=c2FsdA==",
        "s=c2FsdA==,r=client-noncex,i=4096",
        "r=client-noncex,s=,i=4096",
        "r=client-noncex,s=!,i=4096",
        "r=client-noncex,s=c2FsdA==,i=04096",
        "r=client-noncex,s=c2FsdA==,i=+4096",
        "r=client-noncex,s=c2FsdA==,i=",
        "r=client-noncex,s=c2FsdA==,i=99999999999",
        "r=client-noncex,s=c2FsdA==,i=4096,",
        "e=other-error",
    ] {
        assert!(matches!(answer_to(message), Err(ScramError::Malformed(_))), "{message:?}");
    }
    assert_eq!(
        answer_to("m=x,r=client-noncex,s=c2FsdA==,i=4096"),
        Err(ScramError::Unsupported("mandatory extensions"))
    );
    assert_eq!(answer_to(&"r".repeat(MESSAGE_BYTES_MAX + 1)), Err(ScramError::TooLong));
}

#[test]
fn the_server_must_go_on_with_the_nonce() {
    for nonce in [NONCE, "client-nonc", "other", "Client-noncex", "client-nonce x"] {
        assert_eq!(answer_to(&format!("r={nonce},s=c2FsdA==,i=4096")), Err(ScramError::Nonce), "{nonce}");
    }
}

#[test]
fn the_server_cannot_make_the_client_compute_for_ever_nor_too_little() {
    for iterations in [1, ITERATIONS_MIN - 1, ITERATIONS_MAX + 1, u32::MAX] {
        let message = format!("r=client-noncex,s=c2FsdA==,i={iterations}");
        assert_eq!(answer_to(&message), Err(ScramError::Iterations(iterations)));
    }
    assert!(answer_to(&format!("r=client-noncex,s=c2FsdA==,i={ITERATIONS_MIN}")).is_ok());
}

#[test]
fn only_who_knows_the_user_is_the_server() {
    let mut client = client();
    // It has not proven anything yet.
    assert_eq!(client.server_final(b"v=AAAA"), Err(ScramError::OutOfPlace));
    client.start(NONCE);
    assert_eq!(client.server_final(b"v=AAAA"), Err(ScramError::OutOfPlace));
    assert_eq!(client.server_first(b"r=client-noncex,s=c2FsdA==,i=4096"), Err(ScramError::OutOfPlace));
    for (message, error) in [
        ("v=", ScramError::Signature),
        ("v=AAAA", ScramError::Signature),
        ("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", ScramError::Signature),
        ("e=invalid-proof", ScramError::Server),
        ("", ScramError::Malformed("the signature")),
    ] {
        let (_server, server_first) = challenged(&mut client, credentials(ScramHash::Sha256, b"pencil"));
        client.server_first(server_first.as_bytes()).unwrap();
        assert_eq!(client.server_final(message.as_bytes()), Err(error));
        // No second try.
        assert_eq!(client.server_final(b"v=AAAA"), Err(ScramError::OutOfPlace));
    }
}

#[test]
fn what_was_computed_is_kept_for_the_next_time_only_if_it_is_the_same() {
    let mut client = client();
    for password in [&b"pencil"[..], b"pencil"] {
        for salt in [&b"one"[..], b"two", b"two"] {
            let made = ferry_scram::ScramCredentials::new(ScramHash::Sha256, password, salt, 4096);
            let (server, server_first) = challenged(&mut client, made);
            let answer = client.server_first(server_first.as_bytes()).unwrap();
            let proof = server.client_final(answer.as_bytes()).unwrap();
            assert_eq!(client.server_final(proof.as_bytes()), Ok(()));
        }
    }
    assert!(!format!("{client:?}").contains("pencil"));
}
