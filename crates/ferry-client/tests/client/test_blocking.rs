use std::time::Duration;

use ferry_client::blocking::Client;
use ferry_client::callback;
use ferry_client::{Event, Message, QoS};

use crate::with_each_broker_blocking;

#[test]
fn a_thread_can_wait() {
    with_each_broker_blocking(|place| {
        let client = Client::connect(place.options("waiting")).unwrap();
        let mut events = client.events();
        let mut messages = client.subscribe(place.topic("blocking")).unwrap();
        client.publish(Message::new(place.topic("blocking"), "1").qos(QoS::ExactlyOnce)).unwrap();
        client.try_publish(Message::new(place.topic("blocking"), "2")).unwrap();
        client.flush().unwrap();
        assert_eq!(messages.recv().unwrap().text(), Ok("1"));
        assert_eq!(messages.next().unwrap().text(), Ok("2"));
        assert_eq!(messages.recv_timeout(Duration::from_millis(1)), None);
        client.disconnect();
        assert_eq!(messages.next(), None);
        assert!(matches!(events.next(), Some(Event::Disconnected { retry_in_ms: None, .. })));
        assert_eq!(events.next(), None);
    });
}

/// Everything that Paho's callbacks tell, and user data.
#[test]
fn callbacks_are_called() {
    with_each_broker_blocking(|place| {
        let topic = place.topic("callback");
        let mut client = callback::Client::new(format!("callback-{}", place.version.level()), Vec::new());
        client.options_mut().connect.protocol_version = place.version;
        let filter = topic.clone();
        client.on_connect(move |client, log, _| {
            log.push("connect".to_owned());
            client.subscribe(filter.as_str())?;
            Ok(())
        });
        client.on_subscribe(move |client, log: &mut Vec<String>, (mid, codes)| {
            log.push(format!("subscribe {mid} {}", codes?.len()));
            client.publish(topic.as_str(), "x", QoS::AtLeastOnce, false)?;
            Ok(())
        });
        client.on_publish(|_, log, (mid, outcome)| {
            log.push(format!("publish {mid} {}", outcome.is_ok()));
            Ok(())
        });
        client.on_message(|client, log, message| {
            log.push(format!("message {}", message.text()?));
            client.disconnect();
            Ok(())
        });
        let (ended, end) = std::sync::mpsc::channel();
        client.on_disconnect(move |_, log, _| {
            log.push("disconnect".to_owned());
            ended.send(())?;
            Ok(())
        });
        client.connect("localhost", place.broker.port(crate::Scheme::Tcp), 60).unwrap();
        if place.is_v5() {
            client.loop_forever().unwrap();
        } else {
            client.loop_start().unwrap();
            end.recv().unwrap();
            client.loop_stop().unwrap();
        }
        let log = client.user_data().unwrap();
        log.retain(|line| !line.starts_with("publish"));
        assert_eq!(*log, ["connect", "subscribe 1 1", "message x", "disconnect"]);
    });
}
