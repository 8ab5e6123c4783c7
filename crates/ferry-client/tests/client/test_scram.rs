//! SCRAM with Ferry: each method, over TCP and TLS.

use ferry_auth::{HashCost, PasswordFileText, PasswordHash};
use ferry_broker::config::{Config, Durability, Listener};
use ferry_broker::{Broker, RunningBroker};
use ferry_client::{Client, ClientOptions, ConnectionError, Event, ReasonCode, Scram, ScramHash};

use crate::certificates::Certificates;
use crate::run;
use crate::scratch_directory::ScratchDirectory;

const USERS: [(&str, ScramHash); 3] =
    [("one", ScramHash::Sha1), ("b\u{fc}rger, 256=", ScramHash::Sha256), ("two", ScramHash::Sha512)];

const PASSWORD: &str = "p\u{e4}\u{df}wort";

/// A broker with a user for each method, on TCP and on TLS.
struct Place {
    broker: RunningBroker,
    certificates: Certificates,
    _directory: ScratchDirectory,
}

impl Place {
    fn new() -> Self {
        let directory = ScratchDirectory::new();
        let certificates = Certificates::new(&directory);
        let mut users = PasswordFileText::default();
        for (name, hash) in USERS {
            let cost = HashCost::Scram { hash, iterations: 4096 };
            users
                .set(name, &PasswordHash::create(PASSWORD.as_bytes(), cost).expect("a hash"))
                .expect("a name");
        }
        let mut listeners = ["tcp://127.0.0.1:0", "tls://127.0.0.1:0"]
            .map(|address| Listener { address: address.parse().expect("an address"), ..Listener::default() });
        listeners[1].tls_certificate_file = Some(certificates.server.clone());
        listeners[1].tls_key_file = Some(certificates.server_key.clone());
        let mut config = Config { listeners: listeners.to_vec(), ..Config::default() };
        config.authentication.password_file = Some(directory.write("passwords", &users.to_string()));
        config.sys.interval_seconds = 0;
        config.storage.durability = Durability::Memory;
        Self { broker: Broker::start(config).expect("a broker"), certificates, _directory: directory }
    }

    /// For the listener of this scheme.
    fn options(&self, scheme: &str) -> ClientOptions {
        let at = usize::from(scheme == "mqtts");
        let port = self.broker.local_addresses()[at].host_port().expect("a port").port;
        let mut options = ClientOptions::new(&format!("{scheme}://localhost:{port}")).expect("a URL");
        options.transport.tls.ca_file = Some(self.certificates.authority.clone());
        options
    }

    async fn connect(
        &self,
        scheme: &str,
        hash: ScramHash,
        user: &str,
        password: &str,
    ) -> Result<Client, ConnectionError> {
        let scram = Scram::new(hash, user, password);
        self.options(scheme).authentication(move || scram.clone()).connect().await
    }
}

fn refusal(result: Result<Client, ConnectionError>) -> Option<ReasonCode> {
    result.map(drop).expect_err("not let in").reason_code()
}

#[test]
fn each_method_on_each_way() {
    run(async {
        let place = Place::new();
        for scheme in ["mqtt", "mqtts"] {
            for (user, hash) in USERS {
                let client = place.connect(scheme, hash, user, PASSWORD).await.unwrap();
                let mut events = client.events();
                assert!(client.re_authenticate());
                while !matches!(events.recv().await.expect("an event"), Event::Authenticated) {}
                let mut messages = client.subscribe("t").await.unwrap();
                client.publish(ferry_client::Message::new("t", "x")).await.unwrap();
                assert_eq!(messages.recv().await.unwrap().text().unwrap(), "x");
                client.disconnect().await;
                let wrong = place.connect(scheme, hash, user, "passwort").await;
                assert_eq!(refusal(wrong), Some(ReasonCode::BAD_USER_NAME_OR_PASSWORD));
                let nobody = place.connect(scheme, hash, "nobody", PASSWORD).await;
                assert_eq!(refusal(nobody), Some(ReasonCode::BAD_USER_NAME_OR_PASSWORD));
            }
        }
        // A user of another method.
        let other = place.connect("mqtt", ScramHash::Sha512, "one", PASSWORD).await;
        assert_eq!(refusal(other), Some(ReasonCode::BAD_USER_NAME_OR_PASSWORD));
        // And the password itself, as before.
        let (user, _) = USERS[1];
        let client = place.options("mqtts").credentials(user, PASSWORD).connect().await.unwrap();
        client.disconnect().await;
    });
}

#[test]
fn a_server_without_the_method_says_so() {
    run(async {
        let mut config = Config {
            listeners: vec![Listener {
                address: "tcp://127.0.0.1:0".parse().unwrap(),
                ..Listener::default()
            }],
            ..Config::default()
        };
        config.storage.durability = Durability::Memory;
        let broker = Broker::start(config).unwrap();
        let port = broker.local_addresses()[0].host_port().unwrap().port;
        let options = ClientOptions::new(&format!("mqtt://localhost:{port}")).unwrap();
        let scram = || Scram::new(ScramHash::Sha256, "one", PASSWORD);
        let result = options.authentication(scram).connect().await;
        assert_eq!(refusal(result), Some(ReasonCode::BAD_AUTHENTICATION_METHOD));
    });
}
