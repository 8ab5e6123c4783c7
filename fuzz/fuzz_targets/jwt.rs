//! Tokens and files of keys, from whoever may send them: none is too strange, and no token that was made up is taken.

#![no_main]

use ferry_auth::{JwtAlgorithm, JwtKeys, JwtRules};
use libfuzzer_sys::fuzz_target;

const SECRET: &[u8; 64] = &[0x5A; 64];

fuzz_target!(|input: (&[u8], &[u8], u64)| {
    let (file, token, now_unix_seconds) = input;
    let rules = |keys| JwtRules {
        keys,
        algorithms: JwtAlgorithm::ALL.to_vec(),
        user_claim: "sub".to_owned(),
        issuer: None,
        audience: None,
        clock_skew_seconds: 300,
        roles_claim: Some("roles".to_owned()),
        acl_claim: Some("acl".to_owned()),
    };
    if let Ok(keys) = JwtKeys::parse(file) {
        // Whoever chooses the keys may be let in.
        let _ = rules(keys).check(token, now_unix_seconds);
    }
    let keys = JwtKeys::parse(SECRET).expect("a secret");
    assert!(rules(keys).check(token, now_unix_seconds).is_err());
});
