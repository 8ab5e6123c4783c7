use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ferry_client::{Client, Event, Message, QoS, ReconnectOptions, Will};
use tracing_subscriber::fmt::MakeWriter;

use crate::fault_proxy::FaultProxy;
use crate::{Scheme, with_each_broker};

/// What was logged by this thread, as lines.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().expect("nobody panics with it")
    }

    /// The lines that have all these words.
    fn lines(&self, words: &[&str]) -> Vec<String> {
        let text = String::from_utf8(self.bytes().clone()).expect("UTF-8");
        let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
        text.lines().filter(has_all).map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Two clients over one proxy, which breaks their connections: one keeps its session, the other one cannot.
#[test]
fn clients_can_be_told_apart_in_the_log() {
    with_each_broker(async |place| {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let proxy = FaultProxy::start(place.broker.port(Scheme::Tcp)).await;
        let delay_min = Duration::from_millis(1);
        let url = format!("mqtt://127.0.0.1:{}", proxy.port);
        let options = |client_id: &str| {
            let mut options = ferry_client::ClientOptions::new(&url).unwrap();
            options.connect.protocol_version = place.version;
            options
                .client_id(client_id)
                .credentials("somebody", "topsecret")
                .will(Will::new(Message::new("will", "topsecret")))
                .reconnect(ReconnectOptions { delay_min, ..ReconnectOptions::default() })
        };
        let [keeping, losing] =
            ["log-keeps", "log-loses"].map(|name| format!("{name}-{}", place.version.level()));
        let keeps = Client::new(options(&keeping).clean_start(false).session_expiry(60));
        let loses = Client::new(options(&losing));
        let mut events = [keeps.events(), loses.events()];
        for client in [&keeps, &loses] {
            client.connect().await.unwrap();
            drop(client.subscribe("logged").await.unwrap());
            client.publish(Message::new("logged", "topsecret").qos(QoS::AtLeastOnce)).await.unwrap();
        }
        proxy.cut();
        for events in &mut events {
            let mut connections = 0;
            while connections < 2 {
                connections += usize::from(matches!(events.recv().await, Some(Event::Connected(_))));
            }
        }
        while !matches!(events[1].recv().await, Some(Event::Resubscribed { .. })) {}
        keeps.disconnect().await;
        loses.disconnect().await;

        let version = format!("protocol_version={}", place.version);
        for (client_id, second_time) in [(&keeping, "the session goes on"), (&losing, "with a new session")] {
            let count = |words: &[&str]| {
                let of_client = [client_id.as_str(), url.as_str(), version.as_str(), "mqtt_connection{"];
                log.lines(&[&of_client, words].concat()).len()
            };
            assert_eq!(count(&["DEBUG", "connecting", "attempt=1"]), 2);
            assert!(count(&["INFO", "connected, with a new session"]) >= 1);
            assert!(count(&["INFO", second_time]) >= 1);
            assert_eq!(count(&["WARN", "no connection, trying again", "retry_in_ms="]), 1);
            assert_eq!(count(&["DEBUG", "subscribed", "logged"]), 1);
            assert_eq!(count(&["INFO", "disconnected"]), 1);
            let again = usize::from(*client_id == losing);
            assert_eq!(count(&["INFO", "the session was lost, subscribed again"]), again);
        }
        assert_eq!(log.lines(&["topsecret"]), Vec::<String>::new());
    });
}

/// A server that is not there: the attempts are numbered. A name that the server gives is in the log too.
#[test]
fn attempts_are_numbered_and_names_are_known() {
    with_each_broker(async |place| {
        if !place.is_v5() {
            return;
        }
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let first = format!("mqtt://127.0.0.1:{}", crate::brokers::free_port());
        let options = ferry_client::ClientOptions::new(&first).unwrap();
        let client = options.server(&place.broker.url(Scheme::Tcp)).unwrap().connect().await.unwrap();
        let client_id = client.connected().await.unwrap().client_id;
        assert_eq!(log.lines(&["WARN", &first, "attempt=1", "retry_in_ms=0"]).len(), 1);
        assert_eq!(log.lines(&["INFO", "attempt=2", &client_id, "connected"]).len(), 1);
        client.disconnect().await;
    });
}
