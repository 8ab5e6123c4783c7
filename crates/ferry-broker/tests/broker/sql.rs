//! What the tests of both databases need.

use ferry_auth::{HashCost, PasswordHash, ScramHash};
use ferry_broker::config::{Authentication, Config};
use ferry_broker::{Broker, RunningBroker};
use ferry_codec::{Connect, Packet, PacketId, QoS, ReasonCode};

use crate::client::{Client, connect_packet};
use crate::config;
use crate::tls::Authority;

pub(crate) const QUERY: &str = "SELECT password_hash FROM users WHERE name = :user_name";

/// Names that would be more than a name if they were part of a query's text.
pub(crate) const INJECTIONS: [&str; 8] = [
    "' OR '1'='1",
    "' OR 1=1 --",
    "'; DROP TABLE users; --",
    "x' UNION SELECT password_hash FROM users --",
    "\\' OR 1=1 --",
    "$1",
    ":client_id",
    "ada\" OR \"\"=\"",
];

pub(crate) fn with(url: &str, query: &str) -> Authentication {
    Authentication {
        sql_url: Some(url.to_owned()),
        sql_query: Some(query.to_owned()),
        ..Authentication::default()
    }
}

pub(crate) fn config_of(authentication: Authentication) -> Config {
    Config { authentication, ..config() }
}

pub(crate) fn start(authentication: Authentication) -> RunningBroker {
    Broker::start(config_of(authentication)).expect("started")
}

/// A user with each kind of hash, all with the password `secret`.
pub(crate) fn users() -> Vec<(&'static str, String)> {
    let made = |cost| PasswordHash::create(b"secret", cost).expect("a hash").to_string();
    vec![
        ("argon2id", made(HashCost::Argon2id { memory_kib: 32, iterations: 1, parallelism: 1 })),
        ("pbkdf2", made(HashCost::Pbkdf2Sha512 { iterations: 101 })),
        ("scram", made(HashCost::Scram { hash: ScramHash::Sha256, iterations: 4096 })),
        ("bcrypt", "$2b$04$weZYFtV2KpNJcJoVYMyaeeUSeybMgJv7IQFBx5f8hcYeO3EJCQBVm".to_owned()),
        (
            "scrypt",
            "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$punalsgLVDmabDdlbwVieUjVAmz5/abwyjX3gfy3Xlo".to_owned(),
        ),
        (
            "sha512",
            "$6$dNw7Li1Y8oNZzTbt$ioq5Klf9u1k8uymLMBLrCd6X3SvBDQvDBbOWh/eiC83ZF/BQxu6vS5B/0RDyIF29IiTQSxuSeur8X2NtD1LtxQ=="
                .to_owned(),
        ),
        (
            "mosquitto",
            "$7$101$muH74VUf2TK5uwvZ$OOQ7PGoMwBGwAx04toxhk7c3JE8BQLeaNG9MQg3uPlckPmz7LDVBWotZIeYJq1Z05BVipzNU6Vqk9MIoUThqkg=="
                .to_owned(),
        ),
    ]
}

/// Statements by which a database of either kind gets a table `users` with these.
pub(crate) fn table() -> String {
    let mut text = "CREATE TABLE users (name TEXT PRIMARY KEY, password_hash TEXT, roles TEXT, acl TEXT, \
                    expire_at BIGINT, alias TEXT);\n"
        .to_owned();
    for (name, hash) in users() {
        text.push_str(&format!("INSERT INTO users (name, password_hash) VALUES ('{name}', '{hash}');\n"));
    }
    text
}

pub(crate) fn send_connect(
    client: &mut Client,
    client_id: &str,
    user: Option<&str>,
    password: Option<&[u8]>,
) {
    client.send(&Packet::Connect(Connect { user_name: user, password, ..connect_packet(client_id) }));
}

pub(crate) fn connack(client: &mut Client) -> ReasonCode {
    client.receive(|packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        connack.reason_code
    })
}

pub(crate) fn login(
    broker: &RunningBroker,
    client_id: &str,
    user: Option<&str>,
    password: Option<&[u8]>,
) -> (Client, ReasonCode) {
    let mut client = Client::open(broker);
    send_connect(&mut client, client_id, user, password);
    let reason_code = connack(&mut client);
    (client, reason_code)
}

/// What becomes of a user with the password `secret`.
pub(crate) fn secret(broker: &RunningBroker, user: &str) -> ReasonCode {
    login(broker, "c", Some(user), Some(b"secret")).1
}

/// A query with all that is known of a certificate, and `names` for whether one of its alternative names is `URI:urn:pump-7`: the
/// right password is not enough with another certificate, or without one.
pub(crate) fn judges_certificates(url: &str, names: &str) {
    let authority = Authority::new();
    let (pump, other) = (authority.pump("pump-7"), authority.pump("pump-8"));
    let query = format!(
        "SELECT password_hash FROM users WHERE name = :user_name AND {names} AND \
         :certificate_subject = 'CN=pump-7,O=Example\\, Inc.' AND :certificate_fingerprint = '{}'",
        pump.fingerprint()
    );
    let mut config = config_of(with(url, &query));
    config.listeners = vec![authority.listener()];
    let broker = Broker::start(config).expect("started");
    let code = |identity, password| {
        let mut client = authority.open(&broker, identity);
        send_connect(&mut client, "c", Some("bcrypt"), Some(password));
        connack(&mut client)
    };
    assert_eq!(code(Some(&pump), b"secret"), ReasonCode::SUCCESS);
    assert_eq!(code(Some(&pump), b"wrong"), ReasonCode::BAD_USER_NAME_OR_PASSWORD);
    assert_eq!(code(Some(&other), b"secret"), ReasonCode::BAD_USER_NAME_OR_PASSWORD);
    assert_eq!(code(None, b"secret"), ReasonCode::BAD_USER_NAME_OR_PASSWORD);
}

/// Each kind of hash is known, and everything else is refused alike.
pub(crate) fn judges(broker: &RunningBroker) {
    for (name, _) in users() {
        assert_eq!(secret(broker, name), ReasonCode::SUCCESS, "{name}");
        for wrong in [&b"Secret"[..], b"", b"secret ", b"\xFF"] {
            let reason_code = login(broker, "c", Some(name), Some(wrong)).1;
            assert_eq!(reason_code, ReasonCode::BAD_USER_NAME_OR_PASSWORD, "{name}");
        }
        assert_eq!(login(broker, "c", Some(name), None).1, ReasonCode::BAD_USER_NAME_OR_PASSWORD);
    }
    for unknown in ["nobody", "", "Bcrypt", "%"] {
        assert_eq!(secret(broker, unknown), ReasonCode::BAD_USER_NAME_OR_PASSWORD, "{unknown}");
    }
    assert_eq!(login(broker, "c", None, Some(b"secret")).1, ReasonCode::BAD_USER_NAME_OR_PASSWORD);
    // Who offers nothing is left to the next judge, and there is none.
    assert_eq!(login(broker, "c", None, None).1, ReasonCode::NOT_AUTHORIZED);
    for injection in INJECTIONS {
        assert_eq!(secret(broker, injection), ReasonCode::BAD_USER_NAME_OR_PASSWORD, "{injection}");
        let (_, reason_code) = login(broker, injection, Some("bcrypt"), Some(b"wrong"));
        assert_eq!(reason_code, ReasonCode::BAD_USER_NAME_OR_PASSWORD, "{injection}");
        let (_, reason_code) = login(broker, injection, Some("bcrypt"), Some(b"secret"));
        assert_eq!(reason_code, ReasonCode::SUCCESS, "{injection}");
    }
}

/// Whether a client may publish there.
pub(crate) fn publishes(client: &mut Client, topic: &str) -> bool {
    client.publish(topic, b"m", QoS::AtLeastOnce, PacketId::new(9));
    client.receive(|packet| {
        let Packet::Puback(ack) = packet else { panic!("{packet:?}") };
        !ack.reason_code.is_error()
    })
}

/// Messages still reach this client.
pub(crate) fn is_served(client: &mut Client) {
    client.publish("t", b"m", QoS::AtMostOnce, None);
    assert!(client.receive_text().contains("Publish"));
}
