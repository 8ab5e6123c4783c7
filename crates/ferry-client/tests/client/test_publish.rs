use ferry_client::{Message, PublishError, PublishRefused, QoS, ReasonCode};

use crate::{with_each_broker, with_each_broker_of_qos_1};

const ALL: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

#[test]
fn messages_arrive_with_each_qos() {
    with_each_broker(async |place| {
        let client = place.client("each-qos").await;
        let topic = place.topic("each/qos");
        let filter = ferry_client::Filter::new(topic.as_str()).qos(QoS::ExactlyOnce);
        let mut messages = client.subscribe(filter).await.unwrap();
        for qos in ALL {
            client.publish(Message::new(topic.as_str(), "x").qos(qos)).await.unwrap();
        }
        for qos in ALL {
            let message = messages.recv().await.unwrap();
            assert_eq!((message.text(), message.qos), (Ok("x"), qos));
        }
        client.disconnect().await;
    });
}

/// Many at once, of which each is waited for.
#[test]
fn order_and_number_are_kept() {
    with_each_broker_of_qos_1(async |place| {
        let client = place.client("many").await;
        let topic = place.topic("many");
        let filter = ferry_client::Filter::new(topic.as_str()).qos(place.qos_max());
        let mut messages = client.subscribe(filter).await.unwrap();
        for qos in [QoS::AtLeastOnce, place.qos_max()] {
            let publishing: Vec<_> = (0..500)
                .map(|number: u32| client.publish(Message::new(topic.as_str(), number.to_string()).qos(qos)))
                .collect();
            for number in 0..500_u32 {
                assert_eq!(messages.recv().await.unwrap().text(), Ok(number.to_string().as_str()));
            }
            for published in publishing {
                assert_eq!(published.await.unwrap().reason_code, ReasonCode::SUCCESS);
            }
        }
        client.disconnect().await;
    });
}

#[test]
fn properties_arrive() {
    with_each_broker(async |place| {
        let client = place.client("properties").await;
        let topic = place.topic("properties");
        let mut messages = client.subscribe(topic.as_str()).await.unwrap();
        let message =
            Message::new(topic, "x").content_type("text/plain").user_property("a", "b").expiry_seconds(9);
        client.publish(message.response_topic("r").correlation_data("c")).await.unwrap();
        let received = messages.recv().await.unwrap();
        if place.is_v5() {
            let properties = received.properties.as_ref().unwrap();
            assert_eq!(properties.content_type.as_deref(), Some("text/plain"));
            assert_eq!(properties.message_expiry_interval, Some(9));
            assert_eq!(received.find_user_property("a"), Some("b"));
            assert_eq!(received.response("y").unwrap().topic, "r");
        } else {
            assert_eq!(received.properties, None);
        }
    });
}

/// Fire and forget: a bounded number of messages, and nothing is lost silently.
#[test]
fn what_does_not_fit_comes_back() {
    with_each_broker(async |place| {
        let mut options = place.options("bounded");
        options.connect.outgoing_messages_max = 10;
        let client = ferry_client::Client::new(options);
        let message = || Message::new("bounded", "x").qos(QoS::AtLeastOnce);
        let taken = (0..20).filter(|_| client.try_publish(message()).is_ok());
        assert_eq!(taken.count(), 10);
        let (back, error) = client.try_publish(message()).unwrap_err();
        assert_eq!((back, error), (message(), PublishError::Refused(PublishRefused::Full)));
        // With publish it waits for its turn instead.
        let eleventh = client.publish(message());
        client.connect().await.unwrap();
        eleventh.await.unwrap();
        client.flush().await.unwrap();
        client.disconnect().await;
    });
}

#[test]
fn large_messages_pass() {
    with_each_broker(async |place| {
        let client = place.client("large").await;
        let topic = place.topic("large");
        let mut messages = client.subscribe(topic.as_str()).await.unwrap();
        let payload: Vec<u8> = (0..600_000_u32).map(|at| at as u8).collect();
        client.publish(Message::new(topic, payload.clone()).qos(QoS::AtLeastOnce)).await.unwrap();
        assert!(messages.recv().await.unwrap().payload == payload);
    });
}
