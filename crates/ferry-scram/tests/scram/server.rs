use ferry_scram::{ClientFirst, MESSAGE_BYTES_MAX, ScramClient, ScramCredentials, ScramError, ScramHash};

use super::{challenged, credentials};

fn first(message: &str) -> Result<ClientFirst, ScramError> {
    ClientFirst::parse(message.as_bytes())
}

#[test]
fn names_are_escaped() {
    for name in ["a,b", "a=b", "=2C", ",,==", "naïve", "a b"] {
        let mut client = ScramClient::new(ScramHash::Sha256, name, b"x");
        let message = client.start("n");
        assert_eq!(first(&message).unwrap().user_name(), name, "{message}");
    }
    // SASLprep, RFC 4013, section 3: a soft hyphen is nothing, a Roman nine is two letters.
    let mut client = ScramClient::new(ScramHash::Sha1, "I\u{AD}X\u{2168}", b"x");
    assert_eq!(client.start("n"), "n,,n=IXIX,r=n");
}

#[test]
fn headers() {
    // A client that could do channel binding, and one that says twice who it is.
    assert!(first("y,,n=user,r=n").is_ok());
    assert!(first("n,a=user,n=user,r=n").is_ok());
    assert!(first("n,a=a=2Cb,n=a=2Cb,r=n").is_ok());
    assert_eq!(first("n,a=root,n=user,r=n"), Err(ScramError::Unsupported("acting for others")));
    assert_eq!(first("p=tls-exporter,,n=user,r=n"), Err(ScramError::Unsupported("channel binding")));
    assert_eq!(first("n,,m=x,n=user,r=n"), Err(ScramError::Unsupported("mandatory extensions")));
    // An extension that need not be understood.
    assert!(first("n,,n=user,r=n,x=anything").is_ok());
}

#[test]
fn first_messages_that_are_none() {
    for message in [
        "",
        "n",
        "n,",
        "n,,",
        "n,,n=user",
        "n,,n=user,",
        "n,,n=user,r=",
        "n,,r=n,n=user",
        "n,,n=,r=n",
        "x,,n=user,r=n",
        "n,,n=a=b,r=n",
        "n,,n=a=,r=n",
        "n,,n=a=2c,r=n",
        "n,,n=\0,r=n",
        "n,,n=user,r=a b",
        "n,,n=user,r=\u{e9}",
        "n,,n=user,r=n,",
        "n,,n=user,r=n,x",
        "n,,n=user,r=n,x=",
        "n,,n=user,r=n,1=a",
        "n,b=user,n=user,r=n",
        "N,,n=user,r=n",
    ] {
        assert!(matches!(first(message), Err(ScramError::Malformed(_))), "{message:?}: {:?}", first(message));
    }
    assert!(matches!(ClientFirst::parse(b"n,,n=\xFF,r=n"), Err(ScramError::Malformed(_))));
    let long = format!("n,,n={},r=n", "x".repeat(MESSAGE_BYTES_MAX));
    assert_eq!(first(&long), Err(ScramError::TooLong));
}

#[test]
fn final_messages_that_are_wrong() {
    let mut client = ScramClient::new(ScramHash::Sha256, "user", b"pencil");
    let mut answer = |change: &dyn Fn(&str) -> String| {
        let (server, server_first) = challenged(&mut client, credentials(ScramHash::Sha256, b"pencil"));
        let right = client.server_first(server_first.as_bytes()).unwrap();
        server.client_final(change(&right).as_bytes())
    };
    assert!(answer(&str::to_owned).is_ok());
    let malformed = |outcome| assert!(matches!(outcome, Err(ScramError::Malformed(_))), "{outcome:?}");
    malformed(answer(&|_| String::new()));
    malformed(answer(&|right| right.replace("c=biws", "c=eSws")));
    malformed(answer(&|right| right.replace("c=biws", "c=bi!s")));
    malformed(answer(&|right| right.replace("c=biws,", "")));
    malformed(answer(&|right| right.replace(",p=", ",p=!")));
    malformed(answer(&|right| right.replace(",p=", ",x,p=")));
    malformed(answer(&|right| right.split(",p=").next().unwrap().to_owned()));
    assert_eq!(answer(&|right| right.replace("server-nonce", "server-nonc")), Err(ScramError::Nonce));
    assert_eq!(answer(&|right| right.replace("client-nonce", "")), Err(ScramError::Nonce));
    assert_eq!(answer(&|_| "c=biws,r=client-nonceserver-nonce,p=".to_owned()), Err(ScramError::Proof));
    assert_eq!(answer(&|_| "c=biws,r=client-nonceserver-nonce,p=AAAA".to_owned()), Err(ScramError::Proof));
    // What the proof is of has changed.
    assert_eq!(answer(&|right| right.replace(",p=", ",x=y,p=")), Err(ScramError::Proof));
    assert_eq!(answer(&|right| right.to_owned() + &" ".repeat(MESSAGE_BYTES_MAX)), Err(ScramError::TooLong));
}

#[test]
fn only_the_password_proves_the_client() {
    for hash in ScramHash::ALL {
        for (password, is_right) in
            [(&b"pencil"[..], true), (b"Pencil", false), (b"", false), (b"pencil ", false)]
        {
            let mut client = ScramClient::new(hash, "user", password);
            let (server, server_first) = challenged(&mut client, credentials(hash, b"pencil"));
            let answer = client.server_first(server_first.as_bytes()).unwrap();
            let outcome = server.client_final(answer.as_bytes());
            assert_eq!(outcome.is_ok(), is_right, "{hash:?} {password:?}");
            if let Ok(server_final) = outcome {
                assert_eq!(client.server_final(server_final.as_bytes()), Ok(()));
            }
        }
    }
}

#[test]
fn passwords_are_prepared() {
    // A letter, and the same composed of two; a ligature; no text at all; a letter younger than the tables.
    for (one, other) in [
        ("\u{e9}".as_bytes(), "e\u{301}".as_bytes()),
        ("\u{fb01}".as_bytes(), b"fi"),
        (b"\xff\xfe", b"\xff\xfe"),
        ("\u{1f980}".as_bytes(), "\u{1f980}".as_bytes()),
    ] {
        assert!(credentials(ScramHash::Sha256, one).verify_password(other), "{one:?}");
    }
}

#[test]
fn texts_that_are_no_credentials() {
    let right = credentials(ScramHash::Sha1, b"x").to_string();
    assert!(ScramCredentials::parse(&right).is_ok());
    for (from, to) in [
        ("SHA-1", "SHA-2"),
        ("SHA-1$", "SHA-256$"),
        ("$4096:", "$0:"),
        ("$4096:", "$-1:"),
        ("$4096:", "$4096"),
        ("$4096:", "$4294967296:"),
        ("$", ":"),
        ("=", ""),
        (":", "$"),
    ] {
        assert!(ScramCredentials::parse(&right.replace(from, to)).is_err(), "{from} {to}");
    }
    assert!(ScramCredentials::parse(&format!("{right}$")).is_err());
    assert!(
        ScramCredentials::parse(
            "SCRAM-SHA-1$4096:$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:D+CSWLOshSulAsxiupA+qs2/fTE="
        )
        .is_err()
    );
}
