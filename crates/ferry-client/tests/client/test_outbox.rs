use std::time::Duration;

use ferry_client::{
    Client, ClientOptions, Filter, Message, NotPublished, OutgoingOverflow, PublishError, QoS,
};

use crate::fault_proxy::FaultProxy;
use crate::scratch_directory::ScratchDirectory;
use crate::{PATIENCE, Place, Scheme, run, with_each_broker_blocking};

const MESSAGES: usize = 200;

fn options(place: &Place, url: &str, directory: &ScratchDirectory) -> ClientOptions {
    let client_id = format!("outbox-{}", place.version.level());
    let mut options = ClientOptions::new(url).expect("a URL").client_id(client_id);
    options.reconnect.delay_min = Duration::from_millis(1);
    options.reconnect.delay_max = Duration::from_millis(10);
    let options = options.protocol_version(place.version).clean_start(false).session_expiry(60);
    options.outbox(directory.path().join("outbox"))
}

/// What is published without a connection is sent by the next process; a runtime that is dropped ends as abruptly as a
/// process.
#[test]
fn messages_published_offline_survive() {
    with_each_broker_blocking(|place| {
        let directory = ScratchDirectory::new();
        let topic = place.topic("outbox/offline");
        let url = place.broker.url(Scheme::Tcp);
        run(async {
            let client = Client::new(options(&place, &url, &directory));
            for number in 0..MESSAGES {
                let qos = if number % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
                client.try_publish(Message::new(topic.as_str(), number.to_string()).qos(qos)).unwrap();
            }
        });
        run(async {
            let watcher = place.client("outbox-watcher").await;
            let filter = Filter::new(topic.as_str()).qos(QoS::ExactlyOnce);
            let mut arrived = watcher.subscribe(filter).await.unwrap();
            let client = Client::new(options(&place, &url, &directory));
            client.connect().await.unwrap();
            // In order for each QoS; a server may pass on QoS 2 later.
            let mut received = [Vec::new(), Vec::new()];
            for _ in 0..MESSAGES {
                let message = arrived.recv().await.unwrap();
                let number: usize = message.text().unwrap().parse().unwrap();
                received[number % 2].push(number);
            }
            let expected = |first| (first..MESSAGES).step_by(2).collect::<Vec<_>>();
            assert_eq!(received, [expected(0), expected(1)]);
            client.flush().await.unwrap();
            client.disconnect().await;
        });
        // Nothing is left.
        run(async {
            let client = Client::new(options(&place, &url, &directory));
            client.flush().await.unwrap();
        });
    });
}

/// [MQTT-4.3.3-6], [MQTT-4.3.3-7]: the process ends again and again, in the middle of everything; each QoS 2 message arrives
/// once, in order.
#[test]
fn messages_in_flight_survive_exactly_once() {
    with_each_broker_blocking(|place| {
        let directory = ScratchDirectory::new();
        let topic = place.topic("outbox/in-flight");
        let watching = run(async {
            let options = place.options("outbox-inflight-watcher").clean_start(false).session_expiry(60);
            let watcher = options.connect().await.unwrap();
            drop(watcher.subscribe(Filter::new(topic.as_str()).qos(QoS::ExactlyOnce)).await.unwrap());
            watcher.disconnect().await;
            place.options("outbox-inflight-watcher").clean_start(false).session_expiry(60)
        });
        for life in 0..8 {
            run(async {
                let proxy = FaultProxy::start(place.broker.port(Scheme::Tcp)).await;
                let url = format!("mqtt://127.0.0.1:{}", proxy.port);
                let client = Client::new(options(&place, &url, &directory));
                client.connect().await.unwrap();
                let mut published = Vec::new();
                for number in life * 25..(life + 1) * 25 {
                    let message = Message::new(topic.as_str(), number.to_string()).qos(QoS::ExactlyOnce);
                    published.push(client.publish(message));
                }
                // Some are done, some half done, some not begun.
                for published in published.into_iter().take(life * 3) {
                    published.await.unwrap();
                }
            });
        }
        run(async {
            let url = place.broker.url(Scheme::Tcp);
            let client = Client::new(options(&place, &url, &directory));
            client.connect().await.unwrap();
            client.flush().await.unwrap();
            client.disconnect().await;
            let watcher = Client::new(watching);
            let mut arrived = watcher.listen([topic.as_str()]);
            watcher.connect().await.unwrap();
            for number in 0..MESSAGES {
                let message = tokio::time::timeout(PATIENCE, arrived.recv()).await.unwrap().unwrap();
                assert_eq!(message.text(), Ok(number.to_string().as_str()));
            }
            assert!(arrived.try_recv().is_none());
            watcher.disconnect().await;
        });
    });
}

#[test]
fn a_full_outbox_refuses_or_makes_room() {
    let directory = ScratchDirectory::new();
    run(async {
        let mut options =
            ClientOptions::new("mqtt://127.0.0.1:9").unwrap().outbox(directory.path().join("outbox"));
        options.connect.outgoing_messages_max = 3;
        let message = |text| Message::new("t", text).qos(QoS::AtLeastOnce);
        let client = Client::new(options.clone());
        for text in ["1", "2", "3"] {
            client.try_publish(message(text)).unwrap();
        }
        assert!(client.try_publish(message("4")).is_err());
        drop(client);
        options.connect.outgoing_overflow = OutgoingOverflow::DropOldest;
        let client = Client::new(options);
        let fourth = client.publish(message("4"));
        for text in ["5", "6", "7"] {
            client.try_publish(message(text)).unwrap();
        }
        assert_eq!(fourth.await, Err(PublishError::NotPublished(NotPublished::DroppedOldest)));
    });
}

#[test]
fn a_directory_belongs_to_one_client() {
    let directory = ScratchDirectory::new();
    run(async {
        let options = ClientOptions::new("mqtt://127.0.0.1:9").unwrap().outbox(directory.path());
        let _first = Client::new(options.clone());
        let error = Client::new(options).connect().await.unwrap_err();
        assert!(matches!(error, ferry_client::ConnectionError::Outbox(_)), "{error}");
    });
}
