use std::time::Duration;

use ferry_client::blocking::Client;
use ferry_client::{CloseReason, ConnectionError, Event, Message, QoS, ReasonCode, RequestError, Will};

use crate::{PATIENCE, with_each_broker_blocking};

#[test]
fn a_thread_can_wait() {
    with_each_broker_blocking(|place| {
        let client = place.options("waiting").connect_blocking().unwrap();
        let mut events = client.events();
        let mut messages = client.subscribe(place.topic("blocking")).unwrap();
        client.publish(Message::new(place.topic("blocking"), "1").qos(QoS::ExactlyOnce)).unwrap();
        client.try_publish(Message::new(place.topic("blocking"), "2")).unwrap();
        client.flush().unwrap();
        assert_eq!(client.published_count(), 2);
        assert_eq!(messages.filters(), [place.topic("blocking")]);
        assert!(!client.re_authenticate(), "there is no mechanism");
        assert_eq!(events.recv_timeout(Duration::from_millis(1)), None);
        assert_eq!(messages.recv().unwrap().text(), Ok("1"));
        assert_eq!(messages.next().unwrap().text(), Ok("2"));
        assert_eq!(messages.recv_timeout(Duration::from_millis(1)), None);
        client.disconnect();
        assert_eq!(messages.next(), None);
        assert!(matches!(events.recv(), Some(Event::Disconnected { retry_in_ms: None, .. })));
        assert_eq!(events.next(), None);
        let requested = CloseReason::Requested(ReasonCode::SUCCESS);
        assert_eq!(client.ended(), ConnectionError::Session(requested));
    });
}

/// With a thread that answers: each of two answers once.
#[test]
fn a_thread_can_ask() {
    with_each_broker_blocking(|place| {
        let client = place.options("asking").connect_blocking().unwrap();
        let request = || Message::new("ask/thread", "?").qos(QoS::AtLeastOnce);
        if !place.is_v5() {
            assert!(matches!(client.request_many(request()), Err(RequestError::NotSupported)));
            return;
        }
        let answering = place.options("answering").connect_blocking().unwrap();
        assert!(answering.is_connected());
        let mut requests = answering.subscribe("ask/thread").unwrap();
        let thread = std::thread::spawn(move || {
            let request = requests.recv().unwrap();
            for text in ["1", "2"] {
                answering.publish(request.response(text).unwrap().qos(QoS::AtLeastOnce)).unwrap();
            }
            let again = requests.recv().unwrap();
            answering.publish(again.response("3").unwrap()).unwrap();
            assert_eq!(requests.try_recv(), None);
            let codes = requests.unsubscribe().unwrap();
            assert!(codes.iter().all(|code| !code.is_error()) && codes.len() == 1);
            answering.disconnect();
            assert!(!answering.is_connected());
        });
        let mut answers = client.request_many(request()).unwrap();
        assert_eq!(answers.recv().unwrap().text(), Ok("1"));
        assert_eq!(answers.recv_timeout(PATIENCE).unwrap().text(), Ok("2"));
        assert_eq!(answers.recv_timeout(Duration::from_millis(1)), None);
        assert_eq!(client.request(request(), PATIENCE).unwrap().text(), Ok("3"));
        thread.join().unwrap();
    });
}

/// A session that a thread takes up: what came meanwhile comes before anything is subscribed to.
#[test]
fn a_thread_can_listen_before_it_connects() {
    with_each_broker_blocking(|place| {
        let topic = place.topic("blocking/kept");
        let persistent = || place.options("blocking-kept").clean_start(false).session_expiry(60);
        let first = persistent().connect_blocking().unwrap();
        drop(first.subscribe(topic.as_str()).unwrap());
        first.disconnect();
        let other = place.options("blocking-other").connect_blocking().unwrap();
        other.publish(Message::new(topic.as_str(), "meanwhile").qos(QoS::AtLeastOnce)).unwrap();

        let second = Client::new(persistent()).unwrap();
        let mut messages = second.listen(&topic);
        let mut others = second.listen(());
        assert!(!second.is_connected());
        assert!(second.connect().unwrap().session_present);
        assert_eq!(messages.recv().unwrap().text(), Ok("meanwhile"));
        assert_eq!(others.try_recv(), None);
        assert!(!second.unsubscribe(&topic).unwrap()[0].is_error());
        let end = ferry_client::DisconnectOptions { session_expiry_interval: Some(0), ..Default::default() };
        second.disconnect_with(end).unwrap();
    });
}

/// Begun without waiting, and waited for later.
#[test]
fn a_thread_can_go_on_while_the_client_connects() {
    with_each_broker_blocking(|place| {
        let client = Client::new(place.options("later")).unwrap();
        client.start();
        let connected = client.connected().unwrap();
        assert_eq!(connected.client_id, place.options("later").connect.client_id);
        client.disconnect();
    });
}

/// [MQTT-3.1.2-10], [MQTT3-3.1.2-10]: a client that is dropped has disconnected, so nobody gets its will.
#[test]
fn a_client_that_is_dropped_disconnects() {
    with_each_broker_blocking(|place| {
        let topic = place.topic("blocking/will");
        let watcher = place.options("will-watcher").connect_blocking().unwrap();
        let mut wills = watcher.subscribe(topic.as_str()).unwrap();
        for _ in 0..5 {
            let will = Will::new(Message::new(topic.as_str(), "gone").qos(QoS::AtLeastOnce));
            let client = place.options("dropped").will(will).connect_blocking().unwrap();
            client.publish(Message::new(topic.as_str(), "here").qos(QoS::AtLeastOnce)).unwrap();
            assert_eq!(wills.recv().unwrap().text(), Ok("here"));
        }
        watcher.publish(Message::new(topic.as_str(), "last").qos(QoS::AtLeastOnce)).unwrap();
        assert_eq!(wills.recv().unwrap().text(), Ok("last"));
    });
}
