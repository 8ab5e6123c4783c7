//! Tokens: those of PyJWT (`jwt_fixtures/make.py`), those of the RFCs, and those of people who mean harm.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ferry_auth::{
    Authenticator, Chain, Credentials, Grants, GrantsFault, HashQueue, JwtAlgorithm, JwtFault, JwtKeys,
    JwtLink, JwtRules, Outcome, Refusal, Verdict,
};
use proptest::prelude::*;
use ring::hmac;
use serde_json::{Value, json};

const PUBLIC: &[u8] = include_bytes!("jwt_fixtures/public.pem");
const RSA_PUBLIC: &[u8] = include_bytes!("jwt_fixtures/rsa_public.pem");
const PRIVATE: &[u8] = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
const JSON: &[u8] = include_bytes!("jwt_fixtures/keys.json");
const SECRET: &[u8] = include_bytes!("jwt_fixtures/secret");
const TOKENS: &str = include_str!("jwt_fixtures/tokens.txt");

/// Within the time of the tokens.
const NOW: u64 = 1_900_000_000;
const EXPIRY: u64 = 2_000_000_000;

fn token_of(algorithm: JwtAlgorithm) -> &'static str {
    let line = TOKENS.lines().find(|line| line.starts_with(algorithm.name())).expect("one of each");
    line.split_once(' ').expect("a token").1
}

fn rules(keys: &[u8], algorithms: &[JwtAlgorithm]) -> JwtRules {
    JwtRules {
        keys: JwtKeys::parse(keys).expect("keys"),
        algorithms: algorithms.to_vec(),
        user_claim: "sub".to_owned(),
        issuer: None,
        audience: None,
        clock_skew_seconds: 0,
        roles_claim: None,
        acl_claim: None,
    }
}

fn hs256() -> JwtRules {
    rules(SECRET, &[JwtAlgorithm::Hs256])
}

/// A token with any header and claims, signed with the secret of the tests.
fn signed_with(secret: &[u8], header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = hmac::sign(&key, format!("{header}.{claims}").as_bytes());
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn signed(claims: &Value) -> String {
    signed_with(SECRET.trim_ascii_end(), &json!({"alg": "HS256"}), claims)
}

fn fault(rules: &JwtRules, token: &str) -> Option<JwtFault> {
    rules.check(token.as_bytes(), NOW).err()
}

#[test]
fn tokens_of_pyjwt_are_taken_with_each_algorithm_and_each_kind_of_file() {
    use JwtAlgorithm::{Hs256, Hs384, Hs512};
    for algorithm in JwtAlgorithm::ALL {
        let is_secret = matches!(algorithm, Hs256 | Hs384 | Hs512);
        for file in [if is_secret { SECRET } else { PUBLIC }, JSON] {
            let identity = rules(file, &[algorithm]).check(token_of(algorithm).as_bytes(), NOW);
            let identity = identity.unwrap_or_else(|fault| panic!("{algorithm:?}: {fault}"));
            assert_eq!((&*identity.user_name, identity.until_unix_seconds), ("ada", EXPIRY));
        }
    }
    let rules = rules(RSA_PUBLIC, &[JwtAlgorithm::Rs256]);
    assert_eq!(fault(&rules, token_of(JwtAlgorithm::Rs256)), None);
}

#[test]
fn only_the_algorithms_that_are_named_are_taken() {
    for named in JwtAlgorithm::ALL {
        let rules = rules(JSON, &[named]);
        for used in JwtAlgorithm::ALL {
            let expected = (used != named).then_some(JwtFault::Algorithm);
            assert_eq!(fault(&rules, token_of(used)), expected, "{named:?} {used:?}");
        }
    }
}

#[test]
fn a_token_that_is_not_signed_is_none() {
    let claims = json!({"sub": "ada", "exp": EXPIRY});
    for name in ["none", "None", "NONE", "nOnE", "", "HS257", "hs256"] {
        let token = signed_with(b"x", &json!({"alg": name}), &claims);
        let (unsigned, _) = token.rsplit_once('.').expect("a signature");
        for token in [token.clone(), format!("{unsigned}.")] {
            assert_eq!(fault(&hs256(), &token), Some(JwtFault::Algorithm), "{name}");
        }
    }
    let token = signed(&claims);
    let (unsigned, _) = token.rsplit_once('.').expect("a signature");
    assert_eq!(fault(&hs256(), &format!("{unsigned}.")), Some(JwtFault::Signature));
    assert_eq!(fault(&hs256(), unsigned), Some(JwtFault::Malformed));
    assert_eq!(fault(&hs256(), &signed_with(b"x", &json!({}), &claims)), Some(JwtFault::Algorithm));
}

/// The best known attack: the public key, which everybody has, as the secret of HMAC.
#[test]
fn a_public_key_is_no_secret() {
    let claims = json!({"sub": "admin", "exp": EXPIRY});
    let all = JwtAlgorithm::ALL;
    for key in [PUBLIC, PUBLIC.trim_ascii_end(), RSA_PUBLIC, JSON] {
        let token = signed_with(key, &json!({"alg": "HS256"}), &claims);
        assert_eq!(fault(&rules(PUBLIC, &all), &token), Some(JwtFault::NoKey));
        assert_eq!(fault(&rules(JSON, &all), &token), Some(JwtFault::Signature));
    }
    assert!(!JwtKeys::parse(PUBLIC).expect("keys").fit(JwtAlgorithm::Hs256));
}

#[test]
fn a_key_of_another_name_or_nobodys_key() {
    let claims = json!({"sub": "ada", "exp": EXPIRY});
    let secret = SECRET.trim_ascii_end();
    let rules = rules(JSON, &[JwtAlgorithm::Hs256]);
    let with_id =
        |id: &str| fault(&rules, &signed_with(secret, &json!({"alg": "HS256", "kid": id}), &claims));
    assert_eq!(
        (with_id("HS"), with_id("RS"), with_id("x")),
        (None, Some(JwtFault::NoKey), Some(JwtFault::NoKey))
    );
    assert_eq!(fault(&rules, &signed(&claims)), None, "no name");
    let other =
        signed_with(b"another secret that is as long as the first one", &json!({"alg": "HS256"}), &claims);
    assert_eq!(fault(&rules, &other), Some(JwtFault::Signature));
    // A key that the token brings along is nobody's key.
    let jwk = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode("x")});
    let own =
        signed_with(b"x", &json!({"alg": "HS256", "jwk": jwk, "jku": "https://attacker.example"}), &claims);
    assert_eq!(fault(&rules, &own), Some(JwtFault::Signature));
}

#[test]
fn times_are_kept() {
    let taken =
        |claims: Value, skew: u32| fault(&JwtRules { clock_skew_seconds: skew, ..hs256() }, &signed(&claims));
    let with = |exp: u64, nbf: u64| json!({"sub": "ada", "exp": exp, "nbf": nbf});
    assert_eq!(taken(with(NOW, 0), 0), Some(JwtFault::Expired));
    assert_eq!(taken(with(NOW + 1, NOW), 0), None);
    assert_eq!(taken(with(NOW + 1, NOW + 1), 0), Some(JwtFault::NotYet));
    assert_eq!(taken(with(NOW - 29, NOW + 30), 30), None);
    assert_eq!(taken(with(NOW - 30, 0), 30), Some(JwtFault::Expired));
    assert_eq!(taken(with(NOW + 1, NOW + 31), 30), Some(JwtFault::NotYet));
    assert_eq!(taken(json!({"sub": "ada"}), 0), Some(JwtFault::Claim("exp")));
    for wrong in [json!("2000000000"), json!(-1), json!(null), json!([])] {
        assert_eq!(taken(json!({"sub": "ada", "exp": wrong}), 0), Some(JwtFault::Claim("exp")));
        assert_eq!(
            taken(json!({"sub": "ada", "exp": EXPIRY, "nbf": wrong}), 0),
            Some(JwtFault::Claim("nbf"))
        );
    }
    // Whole seconds of fractions; and an end that is as good as none.
    for (exp, until) in
        [(json!(NOW as f64 + 1.5), NOW + 1), (json!(u64::MAX), u64::MAX), (json!(1e300), u64::MAX)]
    {
        let rules = JwtRules { clock_skew_seconds: 0, ..hs256() };
        let identity = rules.check(signed(&json!({"sub": "ada", "exp": exp})).as_bytes(), NOW);
        assert_eq!(identity.expect("taken").until_unix_seconds, until);
    }
}

#[test]
fn issuer_and_audience() {
    let with = |issuer: Option<&str>, audience: Option<&str>, more: Value| {
        let rules =
            JwtRules { issuer: issuer.map(Into::into), audience: audience.map(Into::into), ..hs256() };
        let mut claims = json!({"sub": "ada", "exp": EXPIRY});
        claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        fault(&rules, &signed(&claims))
    };
    assert_eq!(with(Some("us"), None, json!({"iss": "us"})), None);
    for more in [json!({}), json!({"iss": "them"}), json!({"iss": ["us"]}), json!({"iss": ""})] {
        assert_eq!(with(Some("us"), None, more), Some(JwtFault::Issuer));
    }
    assert_eq!(with(None, None, json!({"iss": "them"})), None);
    for more in [json!({"aud": "mqtt"}), json!({"aud": ["other", "mqtt"]})] {
        assert_eq!(with(None, Some("mqtt"), more), None);
    }
    for more in
        [json!({}), json!({"aud": "other"}), json!({"aud": []}), json!({"aud": 1}), json!({"aud": "mqtt2"})]
    {
        assert_eq!(with(None, Some("mqtt"), more), Some(JwtFault::Audience));
    }
    // For somebody, and nobody says that it is us.
    assert_eq!(with(None, None, json!({"aud": "mqtt"})), Some(JwtFault::Audience));
}

#[test]
fn the_user_name() {
    let rules = JwtRules { user_claim: "device".to_owned(), ..hs256() };
    for (device, is_right) in [
        (json!("pump 7"), true),
        (json!(""), false),
        (json!(7), false),
        (json!("a\0"), false),
        (json!(null), false),
    ] {
        let token = signed(&json!({"sub": "ada", "device": device, "exp": EXPIRY}));
        assert_eq!(fault(&rules, &token).is_none(), is_right, "{device}");
    }
}

#[test]
fn tokens_that_are_none() {
    let good = signed(&json!({"sub": "ada", "exp": EXPIRY}));
    for token in ["", ".", "..", "...", "a.b", "eyJ.eyJ.eyJ", "\u{fc}.\u{fc}.\u{fc}"] {
        assert_eq!(fault(&hs256(), token), Some(JwtFault::Malformed), "{token}");
    }
    assert_eq!(fault(&hs256(), &format!("{good}=")), Some(JwtFault::Malformed));
    assert_eq!(fault(&hs256(), &format!("{good}.x")), Some(JwtFault::Malformed));
    assert_eq!(hs256().check(b"eyJ\xff.x.y", NOW), Err(JwtFault::Malformed));
    let huge = signed(&json!({"sub": "x".repeat(20_000), "exp": EXPIRY}));
    assert_eq!(fault(&hs256(), &huge), Some(JwtFault::Malformed));
    let deep = signed_with(b"x", &Value::String("[".repeat(5_000)), &json!({}));
    assert_eq!(fault(&hs256(), &deep), Some(JwtFault::Malformed));
    let crit = json!({"alg": "HS256", "crit": ["exp"]});
    let token = signed_with(SECRET.trim_ascii_end(), &crit, &json!({"sub": "ada", "exp": EXPIRY}));
    assert_eq!(fault(&hs256(), &token), Some(JwtFault::Extension));
    let no_claims = signed(&json!("ada"));
    assert_eq!(fault(&hs256(), &no_claims), Some(JwtFault::Malformed));
}

/// RFC 7515, appendix A.1.
#[test]
fn the_token_of_the_rfc() {
    const KEY: &str = r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
    const TOKEN: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let mut rules = rules(KEY.as_bytes(), &[JwtAlgorithm::Hs256]);
    rules.user_claim = "iss".to_owned();
    let identity = rules.check(TOKEN.as_bytes(), 1_300_819_379).expect("taken");
    assert_eq!((&*identity.user_name, identity.until_unix_seconds), ("joe", 1_300_819_380));
    assert_eq!(rules.check(TOKEN.as_bytes(), 1_300_819_380), Err(JwtFault::Expired));
}

#[test]
fn files_that_hold_no_keys() {
    let words = |file: &[u8]| JwtKeys::parse(file).map(|_| ()).expect_err("no keys").to_string();
    assert!(
        words(PRIVATE).contains("private key")
            && words(br#"{"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA"}"#).contains("private")
    );
    for file in [
        "-----BEGIN",
        "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        "{",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[]}"#,
        r#"{"keys":[1]}"#,
        r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
        r#"{"kty":"RSA","n":"AA"}"#,
    ] {
        words(file.as_bytes());
    }
    let many = format!(r#"{{"keys":[{}]}}"#, vec![r#"{"kty":"oct","k":"AAAA"}"#; 101].join(","));
    assert!(words(many.as_bytes()).contains("more than 100"));
    // A secret that is too short for its hash is no key for it (RFC 7518, section 3.2).
    let keys = JwtKeys::parse(&[b'x'; 50]).expect("a secret");
    let fit = [JwtAlgorithm::Hs256, JwtAlgorithm::Hs384, JwtAlgorithm::Hs512].map(|one| keys.fit(one));
    assert_eq!(fit, [true, true, false]);
    assert_eq!(format!("{keys:?}"), "JwtKeys(1)");
}

fn judge(chain: &Chain, password: Option<&[u8]>) -> Outcome {
    let credentials = Credentials {
        authenticators: Arc::new(["jwt".into()]),
        user_name: Some("whoever".into()),
        password: password.map(Into::into),
        ..Credentials::default()
    };
    match chain.authenticate(credentials) {
        Verdict::Now(outcome) => outcome,
        Verdict::Later(later) => {
            tokio::runtime::Builder::new_current_thread().build().expect("done").block_on(later)
        }
    }
}

#[test]
fn the_link_judges_tokens_and_leaves_the_rest() {
    let chain = Chain::new().with("jwt", Arc::new(JwtLink::new(hs256(), Arc::new(HashQueue::new(1, 10)))));
    // The fixtures expire in 2033, by the clock of whoever runs this.
    let Outcome::Accept { user_name, until_unix_seconds, .. } =
        judge(&chain, Some(token_of(JwtAlgorithm::Hs256).as_bytes()))
    else {
        panic!("taken");
    };
    assert_eq!((user_name.as_deref(), until_unix_seconds), (Some("ada"), Some(EXPIRY)));
    for token in [
        token_of(JwtAlgorithm::Hs512).to_owned(),
        signed(&json!({"sub": "ada", "exp": 1})),
        format!("eyJ.{}.", "x".repeat(60_000)),
    ] {
        let Outcome::Refuse { refusal, detail } = judge(&chain, Some(token.as_bytes())) else {
            panic!("{token}")
        };
        assert_eq!(refusal, Refusal::BadUserNameOrPassword);
        assert!(detail.starts_with("a token is not taken: it"), "{detail}");
    }
    for other in [None, Some(&b"secret"[..]), Some(b"eyJ"), Some(b"a.b.c")] {
        assert!(matches!(judge(&chain, other), Outcome::Refuse { refusal: Refusal::NotAuthorized, .. }));
    }
}

proptest! {
    #[test]
    fn nothing_that_was_changed_is_taken(place in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let mut token = token_of(JwtAlgorithm::Es256).as_bytes().to_vec();
        let place = place.index(token.len());
        token[place] ^= flip;
        prop_assert!(rules(PUBLIC, &JwtAlgorithm::ALL).check(&token, NOW).is_err());
    }

    #[test]
    fn no_file_and_no_token_is_too_strange(file in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,200}") {
        let _ = JwtKeys::parse(&file);
        let _ = JwtKeys::parse(format!("{{\"keys\":[{{\"kty\":\"oct\",\"k\":\"{text}\"}}]}}").as_bytes());
        let _ = JwtKeys::parse(format!("-----BEGIN {text}").as_bytes());
        let _ = hs256().check(text.as_bytes(), NOW);
        let _ = hs256().check(&file, NOW);
    }
}

#[test]
fn claims_grant_roles_and_rules() {
    let claims = |more: Value| {
        let mut claims = json!({"sub": "ada", "exp": EXPIRY});
        claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        signed(&claims)
    };
    let rules = JwtRules {
        roles_claim: Some("realm_access.roles".to_owned()),
        acl_claim: Some("acl".to_owned()),
        ..hs256()
    };
    let granted = |more: Value| rules.check(claims(more).as_bytes(), NOW).map(|identity| identity.grants);
    let rule = json!({"permission": "allow", "action": "publish", "topic": "a"});
    let grants = granted(json!({"realm_access": {"roles": ["r"]}, "acl": [rule]}));
    assert_eq!(grants, Ok(Grants::parse(Some(&json!(["r"])), Some(&json!([rule]))).expect("grants")));
    // Who has no list has an empty one: whoever issues tokens has to say it.
    let nothing = granted(json!({})).expect("taken").expect("grants");
    assert_eq!(nothing.rules().map(ferry_auth::RulesFile::rules), Some(0));
    assert_eq!(granted(json!({"acl": "a"})), Err(JwtFault::Grants(GrantsFault::Rules)));
    assert_eq!(granted(json!({"realm_access": {"roles": 7}})), Err(JwtFault::Grants(GrantsFault::Roles)));
    // Nothing that is not asked for.
    let identity = hs256().check(claims(json!({"acl": [rule], "roles": ["r"]})).as_bytes(), NOW);
    assert_eq!(identity.expect("taken").grants, None);
}
