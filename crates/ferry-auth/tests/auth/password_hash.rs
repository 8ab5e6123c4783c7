use ferry_auth::{HashCost, PasswordHash};
use proptest::prelude::*;

/// Made by other programs, of the password `secret`.
const OF_OTHERS: [(&str, &str); 5] = [
    (
        "mosquitto_passwd 2.0.11",
        "$7$101$muH74VUf2TK5uwvZ$OOQ7PGoMwBGwAx04toxhk7c3JE8BQLeaNG9MQg3uPlckPmz7LDVBWotZIeYJq1Z05BVipzNU6Vqk9MIoUThqkg==",
    ),
    (
        "mosquitto_passwd -H sha512",
        "$6$dNw7Li1Y8oNZzTbt$ioq5Klf9u1k8uymLMBLrCd6X3SvBDQvDBbOWh/eiC83ZF/BQxu6vS5B/0RDyIF29IiTQSxuSeur8X2NtD1LtxQ==",
    ),
    ("crypt(3)", "$2b$04$weZYFtV2KpNJcJoVYMyaeeUSeybMgJv7IQFBx5f8hcYeO3EJCQBVm"),
    ("crypt(3), another salt", "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"),
    ("OpenSSL", "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$punalsgLVDmabDdlbwVieUjVAmz5/abwyjX3gfy3Xlo"),
];

/// Of the reference implementation's tests, of the password `password`.
const ARGON2: [&str; 3] = [
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
    "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
];

/// Cheap enough for tests.
const CHEAP: [HashCost; 2] = [
    HashCost::Argon2id { memory_kib: 32, iterations: 1, parallelism: 2 },
    HashCost::Pbkdf2Sha512 { iterations: 3 },
];

fn parse(text: &str) -> PasswordHash {
    PasswordHash::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn hashes_of_other_programs_are_read_and_written_unchanged() {
    for (program, text) in OF_OTHERS {
        let hash = parse(text);
        assert!(hash.verify(b"secret"), "{program}");
        for wrong in [&b"Secret"[..], b"secret ", b"secre", b""] {
            assert!(!hash.verify(wrong), "{program}: {wrong:?}");
        }
        assert_eq!(hash.to_string(), text, "{program}");
    }
    for text in ARGON2 {
        let hash = parse(text);
        assert!(hash.verify(b"password") && !hash.verify(b"passwore"), "{text}");
        assert_eq!(hash.to_string(), text);
    }
}

#[test]
fn a_new_hash_has_the_cost_that_was_asked_for_and_a_salt_of_its_own() {
    let [first, second] = [(), ()].map(|()| PasswordHash::create(b"x", HashCost::default()).unwrap());
    assert!(first.to_string().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
    assert_ne!(first, second);
    assert!(first.verify(b"x"));
    let cost = HashCost::Pbkdf2Sha512 { iterations: 101 };
    assert!(PasswordHash::create(b"x", cost).unwrap().to_string().starts_with("$7$101$"));
}

#[test]
fn what_can_be_tried_quickly_is_weak() {
    let weak: Vec<bool> = OF_OTHERS.iter().map(|(_, text)| parse(text).is_weak()).collect();
    assert_eq!(weak, [true, true, false, false, false]);
    assert!(!parse(ARGON2[0]).is_weak());
}

#[test]
fn what_would_stop_the_broker_is_refused() {
    let (salt, hash) = ("c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4");
    for parameters in [
        "m=4294967295,t=1,p=1",
        "m=1048577,t=1,p=1",
        "m=256,t=101,p=1",
        "m=256,t=0,p=1",
        "m=256,t=1,p=65",
        "m=256,t=1,p=0",
        "m=7,t=1,p=1",
        "m=+256,t=1,p=1",
        "m=256,t=1",
        "m=256,t=1,p=1,x=1",
        "t=1,m=256,p=1",
    ] {
        let text = format!("$argon2id$v=19${parameters}${salt}${hash}");
        assert!(PasswordHash::parse(&text).is_err(), "{text}");
    }
    for parameters in ["ln=0,r=8,p=1", "ln=25,r=8,p=1", "ln=24,r=8,p=1024", "ln=24,r=512,p=1", "ln=1,r=0,p=1"]
    {
        let text = format!("$scrypt${parameters}${salt}${hash}");
        assert!(PasswordHash::parse(&text).is_err(), "{text}");
    }
    for cost in ["03", "19", "31", "xx"] {
        let text = format!("$2b${cost}$weZYFtV2KpNJcJoVYMyaeeUSeybMgJv7IQFBx5f8hcYeO3EJCQBVm");
        assert!(PasswordHash::parse(&text).is_err(), "{text}");
    }
    let [_, rest] = OF_OTHERS[0].1.split("101").collect::<Vec<_>>()[..] else { panic!("two parts") };
    for iterations in ["0", "10000001", "99999999999", "-1", ""] {
        assert!(PasswordHash::parse(&format!("$7${iterations}{rest}")).is_err(), "{iterations}");
    }
}

#[test]
fn a_message_never_repeats_what_may_be_a_password() {
    for text in
        ["hunter2", "$hunter2", "$7$hunter2$hunter2$hunter2", "$argon2id$v=19$m=hunter2$hunter2$hunter2"]
    {
        let error = PasswordHash::parse(text).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    assert_eq!(PasswordHash::parse("x").unwrap_err().to_string(), "the password is in plain text");
    assert_eq!(format!("{:?}", parse(OF_OTHERS[0].1)), "Pbkdf2Sha512");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any bytes are a password, also those that are not text.
    #[test]
    fn a_password_is_recognised(password: Vec<u8>, other: Vec<u8>, kind in 0..CHEAP.len()) {
        let hash = PasswordHash::create(&password, CHEAP[kind]).unwrap();
        let read = parse(&hash.to_string());
        prop_assert_eq!(&read, &hash);
        prop_assert!(read.verify(&password));
        // HMAC fills a short key with zeros, so to PBKDF2 they are nothing at the end of a password.
        let zeros = |password: &[u8]| password.iter().rev().take_while(|byte| **byte == 0).count();
        let same = password[..password.len() - zeros(&password)] == other[..other.len() - zeros(&other)];
        prop_assert_eq!(read.verify(&other), if kind == 0 { password == other } else { same });
    }

    #[test]
    fn no_text_is_too_strange(text in "\\$(argon2id|2b|scrypt|6|7)?(\\$[a-zA-Z0-9+/=,]{0,24}){0,5}") {
        if let Ok(hash) = PasswordHash::parse(&text) {
            prop_assert_eq!(parse(&hash.to_string()), hash);
        }
    }
}
