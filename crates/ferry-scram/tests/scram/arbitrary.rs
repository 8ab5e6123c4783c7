use ferry_scram::{ClientFirst, ScramClient, ScramCredentials, ScramHash};
use proptest::prelude::*;

use super::{NONCE, SERVER_NONCE};

fn hash() -> impl Strategy<Value = ScramHash> {
    prop::sample::select(ScramHash::ALL.to_vec())
}

/// Few iterations on the side that has no lower limit, so that many cases can be tried.
fn weak(hash: ScramHash, password: &[u8]) -> ScramCredentials {
    ScramCredentials::new(hash, password, b"salt", 2)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn who_knows_the_password_is_let_in(hash in hash(), name in "\\PC{1,20}", password in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut client = ScramClient::new(hash, &name, &password);
        let first = ClientFirst::parse(client.start(NONCE).as_bytes()).unwrap();
        let credentials = ScramCredentials::new(hash, &password, b"salt", 4096);
        let (server, message) = first.answer(credentials, SERVER_NONCE);
        let message = client.server_first(message.as_bytes()).unwrap();
        let message = server.client_final(message.as_bytes()).unwrap();
        prop_assert_eq!(client.server_final(message.as_bytes()), Ok(()));
    }

    #[test]
    fn a_message_that_was_changed_is_refused(hash in hash(), which in 0..4, index in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let mut client = ScramClient::new(hash, "user", b"pencil");
        let mut number = 0;
        let mut passed = |message: String| {
            let mut bytes = message.into_bytes();
            if number == which {
                let place = index.index(bytes.len());
                bytes[place] ^= flip;
            }
            number += 1;
            bytes
        };
        let outcome = (|| {
            let first = ClientFirst::parse(&passed(client.start(NONCE)))?;
            // Of whatever name there is.
            let (server, message) = first.answer(ScramCredentials::new(hash, b"pencil", b"salt", 4096), SERVER_NONCE);
            let message = client.server_first(&passed(message))?;
            let message = server.client_final(&passed(message))?;
            client.server_final(&passed(message))
        })();
        prop_assert!(outcome.is_err(), "message {which}");
    }

    #[test]
    fn credentials_survive_writing(hash in hash(), password in ".*", salt in prop::collection::vec(any::<u8>(), 1..40), iterations in 1_u32..5) {
        let credentials = ScramCredentials::new(hash, password.as_bytes(), &salt, iterations);
        prop_assert_eq!(ScramCredentials::parse(&credentials.to_string()), Ok(credentials));
    }

    #[test]
    fn no_text_is_too_strange(text in ".{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = ScramCredentials::parse(&text);
        for message in [text.as_bytes(), &bytes] {
            if let Ok(first) = ClientFirst::parse(message) {
                let _ = first.answer(weak(ScramHash::Sha1, b"x"), SERVER_NONCE).0.client_final(message);
            }
            let mut client = ScramClient::new(ScramHash::Sha1, "user", b"x");
            client.start(NONCE);
            let _ = client.server_first(message);
            let _ = client.server_final(message);
        }
    }
}
