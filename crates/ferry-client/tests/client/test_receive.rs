//! What is received does not grow without a limit, in 3.1.1 either, where a server cannot be told of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ferry_broker::config::{Config, Durability};
use ferry_broker::{Broker, RunningBroker};
use ferry_client::{Client, ClientOptions, Connector, Event, Filter, Message, ProtocolVersion, QoS};
use ferry_codec::{Connack, Packet, PacketId, Publish, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::run;

const MESSAGES: u16 = 400;

/// One that has no limit of its own for 3.1.1.
fn broker() -> (RunningBroker, ClientOptions) {
    let mut config = Config::default();
    config.listeners.truncate(1);
    config.listeners[0].address = "tcp://127.0.0.1:0".parse().expect("an address");
    config.storage.durability = Durability::Memory;
    config.limits.inflight_messages_max = std::num::NonZeroU16::MAX;
    let broker = Broker::start(config).expect("a broker");
    let port = broker.local_addresses()[0].host_port().expect("on the network").port;
    let options = ClientOptions::new(&format!("mqtt://127.0.0.1:{port}")).expect("a URL");
    (broker, options.protocol_version(ProtocolVersion::V311))
}

/// A client in 3.1.1 that publishes and waits within its handler, while its server sends all that it has.
#[test]
fn a_handler_that_publishes_gets_all_messages() {
    run(async {
        let (_broker, options) = broker();
        let subscriber = || {
            let mut options = options.clone().client_id("handler").clean_start(false);
            options.connect.receive_maximum = 8;
            options.reconnect.delay_min = Duration::from_millis(1);
            options
        };
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let first = subscriber().connect().await.unwrap();
            first.subscribe(Filter::new("work").qos(qos)).await.unwrap();
            first.disconnect().await;
            let publisher = options.clone().client_id("publisher").connect().await.unwrap();
            for number in 0..MESSAGES {
                let _outcome = publisher.publish(Message::new("work", number.to_string()).qos(qos));
            }
            publisher.flush().await.unwrap();

            let client = Client::new(subscriber());
            let mut events = client.events();
            let mut work = client.listen(["work"]);
            client.connect().await.unwrap();
            let mut next = 0;
            while next < MESSAGES {
                let number: u16 = work.recv().await.unwrap().text().unwrap().parse().unwrap();
                // With QoS 1 some come twice, and none is missing.
                assert!(number == next || (qos == QoS::AtLeastOnce && number < next), "{number} not {next}");
                next = next.max(number + 1);
                client.publish(Message::new("done", "").qos(QoS::AtLeastOnce)).await.unwrap();
            }
            client.disconnect().await;
            while let Some(event) = events.recv().await {
                assert!(!matches!(event, Event::Overflowed { .. } | Event::Unclaimed { .. }), "{event:?}");
            }
        }
    });
}

/// Sends messages as fast as they are taken, and counts them.
async fn flood(mut stream: DuplexStream, sent: Arc<AtomicU64>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    stream.read_buf(&mut bytes).await?;
    bytes.clear();
    encode(&Packet::Connack(Connack::default()), ProtocolVersion::V311, &mut bytes);
    for number in 1..=MESSAGES {
        let publish = Publish {
            topic: "flood",
            payload: &[7; 100],
            qos: QoS::AtLeastOnce,
            packet_id: PacketId::new(number),
            ..Publish::default()
        };
        encode(&Packet::Publish(publish), ProtocolVersion::V311, &mut bytes);
        stream.write_all(&bytes).await?;
        bytes.clear();
        sent.fetch_add(1, Ordering::Relaxed);
    }
    std::future::pending().await
}

#[test]
fn a_program_that_takes_nothing_is_sent_little() {
    for (receive_maximum, receive_bytes_max) in [(10, usize::MAX), (u16::MAX, 10 * 100)] {
        run(async {
            let sent = Arc::new(AtomicU64::new(0));
            let of_server = Arc::clone(&sent);
            let mut options =
                ClientOptions::new("mqtt://memory").unwrap().protocol_version(ProtocolVersion::V311);
            options.connect.receive_maximum = receive_maximum;
            options.connect.receive_bytes_max_v3 = receive_bytes_max;
            options.transport.connector = Some(Connector::new(move |_| {
                let (near, far) = tokio::io::duplex(256);
                tokio::spawn(flood(far, Arc::clone(&of_server)));
                std::future::ready(Ok(near))
            }));
            let client = Client::new(options);
            let mut messages = client.listen(["flood"]);
            client.connect().await.unwrap();
            // Everything is in memory: by then nothing moves any more.
            for _ in 0..10_000 {
                tokio::task::yield_now().await;
            }
            let count = sent.load(Ordering::Relaxed);
            assert!((8..20).contains(&count), "{count} messages were read");
            for _ in 0..MESSAGES {
                assert_eq!(messages.recv().await.unwrap().payload.len(), 100);
            }
        });
    }
}
