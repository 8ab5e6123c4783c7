//! Messages of SCRAM, from whoever may send them: none is too strange, and no message that was made up proves anything.

#![no_main]

use ferry_scram::{ClientFirst, ScramClient, ScramCredentials, ScramHash};
use libfuzzer_sys::fuzz_target;

const NONCE: &str = "client";

fuzz_target!(|input: (&[u8], &[u8], &str)| {
    let (first, second, text) = input;
    if let Ok(credentials) = ScramCredentials::parse(text) {
        assert_eq!(ScramCredentials::parse(&credentials.to_string()), Ok(credentials));
    }
    // Who cannot know the keys cannot prove anything.
    let credentials = ScramCredentials {
        hash: ScramHash::Sha256,
        iterations: 4096,
        salt: b"salt"[..].into(),
        stored_key: [7; 32].into(),
        server_key: [9; 32].into(),
    };
    if let Ok(message) = ClientFirst::parse(first) {
        assert!(!message.user_name().is_empty());
        let (exchange, answer) = message.answer(credentials, "server");
        assert!(exchange.client_final(second).is_err());
        // And what is said to a client is well formed.
        let own_nonce = answer.strip_prefix("r=").and_then(|rest| rest.split_once("server,"));
        assert!(own_nonce.is_some());
    }
    let mut client = ScramClient::new(ScramHash::Sha1, text, b"");
    client.start(NONCE);
    // The iterations are limited, but to more than are to be computed here.
    if !first.windows(3).any(|window| window.starts_with(b"i=")) {
        assert!(client.server_first(first).is_err());
    }
    assert!(client.server_final(second).is_err());
});
