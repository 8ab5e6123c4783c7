use ferry_scram::{ClientFirst, ScramClient, ScramCredentials, ScramHash};

struct Vector {
    hash: ScramHash,
    nonce: &'static str,
    server_nonce: &'static str,
    client_first: &'static str,
    server_first: &'static str,
    client_final: &'static str,
    server_final: &'static str,
    credentials: &'static str,
}

/// RFC 5802, section 5; RFC 7677, section 3; for SHA-512 no RFC has one, so it is that of RFC 7677, computed by Python's
/// hashlib. User `user`, password `pencil`.
const VECTORS: [Vector; 3] = [
    Vector {
        hash: ScramHash::Sha1,
        nonce: "fyko+d2lbbFgONRv9qkxdawL",
        server_nonce: "3rfcNHYJY1ZVvWVs7j",
        client_first: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        server_first: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        client_final: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        server_final: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        credentials: "SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:D+CSWLOshSulAsxiupA+qs2/fTE=",
    },
    Vector {
        hash: ScramHash::Sha256,
        nonce: "rOprNGfwEbeRWgbNEkqO",
        server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        client_first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        server_first: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        client_final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        server_final: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        credentials: "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
    },
    Vector {
        hash: ScramHash::Sha512,
        nonce: "rOprNGfwEbeRWgbNEkqO",
        server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        client_first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        server_first: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        client_final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
        server_final: "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==",
        credentials: "SCRAM-SHA-512$4096:W22ZaJ0SNY7soEsUEjb6gQ==$6AAub3065EYRmyFpM2RNwqK+eGnrkYuEWbXn19LsEmBqzu8QaCXNc1FwpnX9NhH2hK/60dzj9DoO5DvVkOHbvg==:jZHbYjC1aHh0/hKbxyBuGFjDrgjgKTT1esA7awWiKcRZ0o/0b1yWEebBeSVkkCFewf91nLDfKF24mvD5nmE6rA==",
    },
];

#[test]
fn both_sides_say_what_the_rfcs_say() {
    for vector in VECTORS {
        let mut client = ScramClient::new(vector.hash, "user", b"pencil");
        assert_eq!(client.start(vector.nonce), vector.client_first);
        assert_eq!(client.server_first(vector.server_first.as_bytes()).unwrap(), vector.client_final);
        assert_eq!(client.server_final(vector.server_final.as_bytes()), Ok(()));

        let credentials = ScramCredentials::parse(vector.credentials).unwrap();
        let first = ClientFirst::parse(vector.client_first.as_bytes()).unwrap();
        assert_eq!(first.user_name(), "user");
        let (server, server_first) = first.answer(credentials, vector.server_nonce);
        assert_eq!(server_first, vector.server_first);
        assert_eq!(server.client_final(vector.client_final.as_bytes()).unwrap(), vector.server_final);
    }
}

#[test]
fn credentials_are_made_read_and_written() {
    for vector in VECTORS {
        let read = ScramCredentials::parse(vector.credentials).unwrap();
        let made = ScramCredentials::new(vector.hash, b"pencil", &read.salt, read.iterations);
        assert_eq!((&made, made.to_string().as_str()), (&read, vector.credentials));
        assert!(read.verify_password(b"pencil") && !read.verify_password(b"Pencil"));
        assert_eq!(ScramHash::of_method(vector.hash.method()), Some(vector.hash));
        // Nothing that a log may have says what would let somebody in.
        assert!(!format!("{read:?}").contains(&format!("{:?}", read.server_key)));
    }
}
