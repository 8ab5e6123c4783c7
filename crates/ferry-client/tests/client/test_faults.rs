use std::time::Duration;

use ferry_client::{Client, ClientOptions, ConnectionError, Event, Filter, Message, QoS, ReconnectOptions};

use crate::brokers::BrokerKind;
use crate::fault_proxy::FaultProxy;
use crate::{Place, Scheme, with_each_broker};

const MESSAGES: usize = 300;

/// One that comes back at once, over the proxy.
fn options(place: &Place, proxy: &FaultProxy, client_id: &str) -> ClientOptions {
    let reconnect = ReconnectOptions {
        delay_min: Duration::from_millis(1),
        delay_max: Duration::from_millis(5),
        ..ReconnectOptions::default()
    };
    let client_id = format!("{client_id}-{}", place.version.level());
    let options = ClientOptions::new(&format!("mqtt://127.0.0.1:{}", proxy.port)).expect("a URL");
    let options = options.client_id(client_id).protocol_version(place.version).reconnect(reconnect);
    options.clean_start(false).session_expiry(60)
}

fn is_before(message: &Message, number: usize) -> bool {
    message.text().ok().and_then(|text| text.parse().ok()).is_some_and(|other: usize| other < number)
}

async fn proxy(place: &Place) -> FaultProxy {
    FaultProxy::start(place.broker.port(Scheme::Tcp)).await
}

/// [MQTT-4.4.0-1], [MQTT-4.3.3-6]: however often the connection breaks, each message arrives once, in order.
#[test]
fn what_is_published_with_qos_2_arrives_once() {
    with_each_broker(async |place| {
        let proxy = proxy(&place).await;
        let topic = place.topic("cut/publish");
        let watcher = place.client("cut-watcher").await;
        let mut arrived = watcher.subscribe(Filter::new(topic.as_str()).qos(QoS::ExactlyOnce)).await.unwrap();
        let client = options(&place, &proxy, "cut-publisher").connect().await.unwrap();
        let mut publishing = Vec::new();
        for number in 0..MESSAGES {
            publishing
                .push(client.publish(Message::new(topic.as_str(), number.to_string()).qos(QoS::ExactlyOnce)));
            if number % 20 == 10 {
                proxy.cut();
                proxy.reconnected().await;
            }
        }
        for (number, published) in publishing.into_iter().enumerate() {
            assert!(published.await.is_ok());
            assert_eq!(arrived.recv().await.unwrap().text(), Ok(number.to_string().as_str()));
        }
        assert!(arrived.try_recv().is_none());
        assert!(proxy.connections() > 10, "{}", proxy.connections());
        client.disconnect().await;
    });
}

/// [MQTT-4.3.3-10]: the same in the other direction.
#[test]
fn what_is_received_with_qos_2_comes_once() {
    with_each_broker(async |place| {
        let proxy = proxy(&place).await;
        let topic = place.topic("cut/receive");
        let client = options(&place, &proxy, "cut-receiver").connect().await.unwrap();
        let mut messages = client.subscribe(Filter::new(topic.as_str()).qos(QoS::ExactlyOnce)).await.unwrap();
        let publisher = place.client("cut-sender").await;
        let publishing: Vec<_> = (0..MESSAGES)
            .map(|number| {
                publisher.publish(Message::new(topic.as_str(), number.to_string()).qos(QoS::ExactlyOnce))
            })
            .collect();
        for number in 0..MESSAGES {
            let mut message = messages.recv().await.unwrap();
            // Mosquitto 2.0.11 sends PUBLISH again after PUBREL, against [MQTT-4.3.3-6], if two connections break.
            while place.broker.kind == BrokerKind::Mosquitto && message.dup && is_before(&message, number) {
                message = messages.recv().await.unwrap();
            }
            assert_eq!(message.text(), Ok(number.to_string().as_str()));
            if number % 40 == 20 {
                proxy.cut();
                proxy.reconnected().await;
            }
        }
        for published in publishing {
            published.await.unwrap();
        }
        assert!(proxy.connections() > 5, "{}", proxy.connections());
        client.disconnect().await;
    });
}

/// A server behind a cable that was pulled is noticed by its silence, also by a client that only sends.
#[test]
fn a_half_open_connection_is_noticed() {
    with_each_broker(async |place| {
        let proxy = proxy(&place).await;
        let mut options = options(&place, &proxy, "half-open").keep_alive(1);
        options.connect.ping_timeout_ms = 100;
        let client = options.connect().await.unwrap();
        let mut events = client.events();
        proxy.fall_silent();
        let published = client.publish(Message::new("half/open", "x").qos(QoS::AtLeastOnce));
        proxy.reconnected().await;
        assert!(!published.await.unwrap().reason_code.is_error());
        let Some(Event::Disconnected { reason, .. }) = events.recv().await else { panic!("no event") };
        assert_eq!(reason, ConnectionError::Session(ferry_client::CloseReason::PingTimeout));
        client.disconnect().await;
    });
}

/// A slow way is no broken one: what comes late is waited for, and what was late when the connection broke arrives once.
#[test]
fn late_answers_are_waited_for() {
    with_each_broker(async |place| {
        let proxy = proxy(&place).await;
        let topic = place.topic("late");
        let watcher = place.client("late-watcher").await;
        let mut arrived = watcher.subscribe(Filter::new(topic.as_str()).qos(QoS::ExactlyOnce)).await.unwrap();
        let mut options = options(&place, &proxy, "late").keep_alive(1);
        options.connect.ping_timeout_ms = 10_000;
        let client = options.connect().await.unwrap();
        proxy.delay(Duration::from_millis(80));
        let message = |number: usize| Message::new(topic.as_str(), number.to_string()).qos(QoS::ExactlyOnce);
        // Longer than a Keep Alive altogether.
        for number in 0..4 {
            client.publish(message(number)).await.unwrap();
            assert_eq!(arrived.recv().await.unwrap().text(), Ok(number.to_string().as_str()));
        }
        assert_eq!(proxy.connections(), 1);
        let publishing: Vec<_> = (4..40).map(|number| client.publish(message(number))).collect();
        for (number, published) in (4..).zip(publishing) {
            if number % 10 == 5 {
                proxy.cut();
                proxy.reconnected().await;
            }
            published.await.unwrap();
            assert_eq!(arrived.recv().await.unwrap().text(), Ok(number.to_string().as_str()));
        }
        assert!(arrived.try_recv().is_none());
        client.disconnect().await;
    });
}

/// A server that sends nonsense is left, and found again.
#[test]
fn damage_ends_the_connection_and_not_the_client() {
    with_each_broker(async |place| {
        let proxy = proxy(&place).await;
        let client = options(&place, &proxy, "damage").connect().await.unwrap();
        let mut events = client.events();
        proxy.corrupt();
        client.publish(Message::new("damage", "x").qos(QoS::ExactlyOnce)).await.unwrap();
        let Some(Event::Disconnected { reason, .. }) = events.recv().await else { panic!("no event") };
        assert!(matches!(reason, ConnectionError::Session(ferry_client::CloseReason::Fault(_))), "{reason}");
        client.disconnect().await;
    });
}

/// The broker is killed under its client and started anew, without anything that it knew.
#[test]
fn a_broker_that_lost_everything() {
    crate::run(async {
        let port = crate::brokers::free_port();
        let broker = || {
            let mut config = ferry_broker::config::Config::default();
            config.listeners.truncate(1);
            config.listeners[0].address = format!("tcp://127.0.0.1:{port}").parse().unwrap();
            config.storage.durability = ferry_broker::config::Durability::Memory;
            ferry_broker::Broker::start(config).unwrap()
        };
        let first = broker();
        let mut options = ClientOptions::new(&format!("mqtt://127.0.0.1:{port}")).unwrap().client_id("loyal");
        options.reconnect.delay_min = Duration::from_millis(1);
        options.reconnect.delay_max = Duration::from_millis(20);
        let client = Client::new(options.session_expiry(60));
        let mut events = client.events();
        client.connect().await.unwrap();
        let mut messages = client.subscribe("kept/#").await.unwrap();
        first.shutdown();
        first.join();
        let published = client.publish(Message::new("kept/x", "after").qos(QoS::AtLeastOnce));
        let _second = broker();
        published.await.unwrap();
        while !matches!(events.recv().await, Some(Event::Resubscribed { .. })) {}
        client.publish(Message::new("kept/x", "again").qos(QoS::AtLeastOnce)).await.unwrap();
        let texts = async { while messages.recv().await.unwrap().text() != Ok("again") {} };
        tokio::time::timeout(crate::PATIENCE, texts).await.unwrap();
        client.disconnect().await;
    });
}
