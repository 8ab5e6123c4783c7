use ferry_client::{Client, Event, Filter, Message, QoS, ReasonCode, SubscribeError};

use crate::brokers::BrokerKind;
use crate::{with_each_broker, with_each_broker_of_qos_1};

/// NATS sends one copy for each subscription, and 3.1.1 has nothing to tell them apart.
#[test]
fn each_stream_gets_what_it_asked_for() {
    with_each_broker(async |place| {
        let client = place.client("streams").await;
        let base = place.topic("streams");
        let mut one = client.subscribe(format!("{base}/one")).await.unwrap();
        let mut all = client.subscribe([format!("{base}/#"), "nothing".to_owned()]).await.unwrap();
        assert_eq!(all.reason_codes(), [ReasonCode::GRANTED_QOS_1, ReasonCode::GRANTED_QOS_1]);
        for topic in ["one", "two"] {
            client.publish(Message::new(format!("{base}/{topic}"), topic)).await.unwrap();
        }
        assert_eq!(one.recv().await.unwrap().text(), Ok("one"));
        assert_eq!(all.recv().await.unwrap().text(), Ok("one"));
        assert_eq!(all.recv().await.unwrap().text(), Ok("two"));
        assert!(one.try_recv().is_none());
        assert!(!one.unsubscribe().await.unwrap()[0].is_error());
        client.disconnect().await;
        assert!(all.recv().await.is_none());
    });
}

#[test]
fn retained_messages_come_with_the_subscription() {
    with_each_broker_of_qos_1(async |place| {
        let client = place.client("retained").await;
        let topic = place.topic("retained");
        client
            .publish(Message::new(topic.as_str(), "kept").qos(QoS::AtLeastOnce).retain(true))
            .await
            .unwrap();
        let mut messages = client.subscribe(topic.as_str()).await.unwrap();
        let message = messages.recv().await.unwrap();
        assert!(message.retain && message.text() == Ok("kept"));
    });
}

/// A handler that publishes and waits, with more messages on their way than the client takes.
#[test]
fn a_handler_that_publishes_does_not_block_itself() {
    with_each_broker_of_qos_1(async |place| {
        let mut options = place.options("handler");
        // Mosquitto 2.0.11 sends two messages for each acknowledgement, and soon far more than a small maximum.
        if place.broker.kind == BrokerKind::Ferry {
            // In 3.1.1 a server cannot be told, and Ferry sends all at the same time: twice the maximum is taken then.
            options.connect.receive_maximum = if place.is_v5() { 2 } else { 100 };
        }
        options.receive_messages_max = 4;
        let client = options.connect().await.unwrap();
        let [requests, answers] = ["requests", "answers"].map(|topic| place.topic(topic));
        let mut received = client.subscribe(requests.as_str()).await.unwrap();
        let publisher = place.client("publisher").await;
        let sending: Vec<_> = (0..200)
            .map(|_| publisher.publish(Message::new(requests.as_str(), "x").qos(QoS::AtLeastOnce)))
            .collect();
        for _ in 0..200 {
            let (message, acknowledgement) = received.recv_unacknowledged().await.unwrap();
            client
                .publish(Message::new(answers.as_str(), message.payload).qos(QoS::AtLeastOnce))
                .await
                .unwrap();
            acknowledgement.send();
        }
        for sent in sending {
            sent.await.unwrap();
        }
        client.disconnect().await;
    });
}

/// With a slow reader of QoS 0 messages the server is slowed down; nothing is discarded.
#[test]
fn a_slow_reader_slows_the_server_down() {
    with_each_broker_of_qos_1(async |place| {
        let mut options = place.options("slow");
        options.receive_messages_max = 10;
        let client = options.connect().await.unwrap();
        let mut events = client.events();
        let topic = place.topic("slow");
        let mut messages = client.subscribe(topic.as_str()).await.unwrap();
        let publisher = place.client("fast").await;
        for number in 0..300 {
            publisher.try_publish(Message::new(topic.as_str(), number.to_string())).unwrap();
        }
        for number in 0..300 {
            assert_eq!(messages.recv().await.unwrap().text(), Ok(number.to_string().as_str()));
        }
        client.disconnect().await;
        while let Some(event) = events.recv().await {
            assert!(!matches!(event, Event::Overflowed { .. }));
        }
    });
}

/// A session that outlives its client: what came meanwhile is there when it is back, unacknowledged messages too.
#[test]
fn a_session_goes_on() {
    with_each_broker(async |place| {
        let persistent = || place.options("persistent").clean_start(false).session_expiry(60);
        let topic = place.topic("persistent");
        let first = persistent().connect().await.unwrap();
        let mut messages = first.subscribe(Filter::new(topic.as_str()).qos(QoS::ExactlyOnce)).await.unwrap();
        let publisher = place.client("others").await;
        let publish = |payload, qos| publisher.publish(Message::new(topic.as_str(), payload).qos(qos));
        publish("kept", QoS::AtLeastOnce).await.unwrap();
        let (_, kept) = messages.recv_unacknowledged().await.unwrap();
        first.disconnect().await;
        drop((kept, messages, first));
        publish("meanwhile", QoS::ExactlyOnce).await.unwrap();
        let second = Client::new(persistent());
        let mut messages = second.listen([topic.as_str()]);
        assert!(second.connect().await.unwrap().session_present);
        assert_eq!(messages.recv().await.unwrap().text(), Ok("kept"));
        assert_eq!(messages.recv().await.unwrap().text(), Ok("meanwhile"));
        assert!(!second.unsubscribe([topic]).await.unwrap()[0].is_error());
        second
            .disconnect_with(ferry_client::DisconnectOptions {
                session_expiry_interval: Some(0),
                ..Default::default()
            })
            .await
            .unwrap();
    });
}

#[test]
fn what_nobody_wants_is_told() {
    with_each_broker_of_qos_1(async |place| {
        let client = place.client("unclaimed").await;
        let topic = place.topic("unclaimed");
        drop(client.subscribe(topic.as_str()).await.unwrap());
        let mut events = client.events();
        client.publish(Message::new(topic.as_str(), "x").qos(QoS::AtLeastOnce)).await.unwrap();
        assert_eq!(events.recv().await, Some(Event::Unclaimed { topic: topic.clone() }));
        let mut rest = client.listen(());
        client.publish(Message::new(topic.as_str(), "y")).await.unwrap();
        assert_eq!(rest.recv().await.unwrap().text(), Ok("y"));
    });
}

#[test]
fn a_filter_that_is_none_is_refused() {
    with_each_broker_of_qos_1(async |place| {
        let client = place.client("bad-filter").await;
        assert!(matches!(client.subscribe("a/#/b").await, Err(SubscribeError::Refused(_))));
        assert!(client.is_connected());
    });
}

/// Whatever is dropped first: a message that no stream has taken comes again with the next connection.
#[test]
fn what_a_dropped_stream_has_not_taken_comes_again() {
    with_each_broker(async |place| {
        let persistent = || place.options("dropped").clean_start(false).session_expiry(60);
        let topic = place.topic("dropped");
        let filter = || Filter::new(topic.as_str()).qos(QoS::ExactlyOnce);
        let first = persistent().connect().await.unwrap();
        drop(first.subscribe(filter()).await.unwrap());
        first.disconnect().await;
        let publisher = place.client("publisher-of-dropped").await;
        for number in 0..12 {
            let qos = if number < 6 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
            let message = Message::new(topic.as_str(), number.to_string()).qos(qos);
            publisher.publish(message).await.unwrap();
        }
        let mut last = None;
        while last != Some(11) {
            let client = Client::new(persistent());
            let mut events = client.events();
            let mut messages = client.listen([topic.as_str()]);
            client.connect().await.unwrap();
            let message = messages.recv().await.unwrap();
            let number: u32 = message.text().unwrap().parse().unwrap();
            // The server may take the new connection before it has read the acknowledgement on the old one.
            let next = last.map_or(0, |last| last + 1);
            assert!(number == next || (message.dup && last == Some(number)), "{number} after {last:?}");
            last = Some(number);
            drop(messages);
            drop(client);
            while let Some(event) = events.recv().await {
                assert!(!matches!(event, Event::Unclaimed { .. }), "{event:?}");
            }
        }
        let client = persistent().connect().await.unwrap();
        client
            .disconnect_with(ferry_client::DisconnectOptions {
                session_expiry_interval: Some(0),
                ..Default::default()
            })
            .await
            .unwrap();
    });
}

/// A client that goes on does not keep the server waiting for messages that nobody takes.
#[test]
fn a_dropped_stream_does_not_stop_the_others() {
    with_each_broker(async |place| {
        let mut options = place.options("goes-on").clean_start(false).session_expiry(60);
        options.connect.receive_maximum = 5;
        let client = options.connect().await.unwrap();
        let [left, kept] = ["left", "kept"].map(|topic| place.topic(topic));
        let dropped = client.subscribe(left.as_str()).await.unwrap();
        let mut messages = client.subscribe(kept.as_str()).await.unwrap();
        let mut events = client.events();
        let publisher = place.client("publisher-of-left").await;
        for _ in 0..20 {
            publisher.try_publish(Message::new(left.as_str(), "x").qos(QoS::AtLeastOnce)).unwrap();
        }
        publisher.publish(Message::new(kept.as_str(), "y").qos(QoS::AtLeastOnce)).await.unwrap();
        drop(dropped);
        assert_eq!(messages.recv().await.unwrap().text(), Ok("y"));
        let mut unclaimed = 0;
        while unclaimed < 20 {
            unclaimed += usize::from(matches!(events.recv().await, Some(Event::Unclaimed { .. })));
        }
        client
            .disconnect_with(ferry_client::DisconnectOptions {
                session_expiry_interval: Some(0),
                ..Default::default()
            })
            .await
            .unwrap();
    });
}
