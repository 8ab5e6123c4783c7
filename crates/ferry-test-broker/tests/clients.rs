//! Clients of a broker in the same process, in a time that is not real.

use std::time::{Duration, Instant};

use ferry_client::{CloseReason, ConnectionError, Event, Filter, Message, QoS};
use ferry_test_broker::TestBroker;

const HOUR: Duration = Duration::from_secs(3600);

fn message(payload: &str) -> Message {
    Message::new("house/door", payload).qos(QoS::ExactlyOnce)
}

#[tokio::test(start_paused = true)]
async fn messages_go_from_client_to_client() {
    let broker = TestBroker::start();
    let (one, other) =
        (broker.options("one").connect().await.unwrap(), broker.options("other").connect().await.unwrap());
    let mut doors = other.subscribe(Filter::new("house/#").qos(QoS::ExactlyOnce)).await.unwrap();
    for number in 0..1000 {
        one.publish(message(&number.to_string())).await.unwrap();
        assert_eq!(doors.recv().await.unwrap().text(), Ok(number.to_string().as_str()));
    }
    broker.publish(&message("from the broker").retain(true));
    assert_eq!(doors.recv().await.unwrap().text(), Ok("from the broker"));
    assert_eq!(broker.retained("house/door"), Some(b"from the broker".to_vec()));
    let ids: Vec<_> = broker.sessions().into_iter().map(|session| session.client_id).collect();
    assert_eq!(ids, ["one", "other"]);
    one.disconnect().await;
    assert!(!broker.is_connected("one"));
}

/// A day with a Keep Alive of a minute takes no time, and the broker sees each PINGREQ.
#[tokio::test(start_paused = true)]
async fn time_passes_when_the_test_wants() {
    let started_at = Instant::now();
    let broker = TestBroker::start();
    let client = broker.options("patient").keep_alive(60).connect().await.unwrap();
    let mut events = client.events();
    broker.advance(24 * HOUR).await;
    assert!(broker.is_connected("patient"));
    client.publish(message("still here")).await.unwrap();
    assert_eq!(broker.drop_connections(), 1);
    assert!(matches!(events.recv().await, Some(Event::Disconnected { .. })));
    assert!(started_at.elapsed() < Duration::from_secs(20), "{:?}", started_at.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_will_is_published_when_a_connection_breaks() {
    let broker = TestBroker::start();
    let mut options = broker.options("lamp").will(Message::new("lamp/online", "0").retain(true));
    options.reconnect.enabled = false;
    let lamp = options.connect().await.unwrap();
    assert!(broker.drop_connection("lamp"));
    assert_eq!(lamp.ended().await, ConnectionError::ClosedByServer);
    assert_eq!(broker.retained("lamp/online"), Some(b"0".to_vec()));
    assert!(!broker.drop_connection("lamp"));
}

/// Without a connection for hours: published messages wait in the client, those for it in the broker, as long as the session.
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_while_the_broker_is_away() {
    let broker = TestBroker::start();
    let client = broker.options("away").session_expiry(7 * 3600).connect().await.unwrap();
    let mut doors = client.subscribe(Filter::new("house/#").qos(QoS::ExactlyOnce)).await.unwrap();
    broker.set_reachable(false);
    let published = client.publish(message("from the client"));
    broker.publish(&message("from the broker"));
    broker.advance(6 * HOUR).await;
    assert_eq!(broker.session("away").unwrap().queued_messages, 1);
    broker.set_reachable(true);
    published.await.unwrap();
    let mut arrived =
        [doors.recv().await.unwrap(), doors.recv().await.unwrap()].map(|it| it.text().unwrap().to_owned());
    arrived.sort();
    assert_eq!(arrived, ["from the broker", "from the client"]);
    broker.set_reachable(false);
    broker.advance(8 * HOUR).await;
    assert_eq!(broker.session("away"), None);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_forgets_is_told_again() {
    let broker = TestBroker::start();
    let client = broker.options("loyal").session_expiry(3600).connect().await.unwrap();
    let mut events = client.events();
    let mut doors = client.subscribe("house/#").await.unwrap();
    broker.forget();
    assert_eq!(broker.sessions(), []);
    while !matches!(events.recv().await, Some(Event::Resubscribed { .. })) {}
    broker.publish(&message("again"));
    assert_eq!(doors.recv().await.unwrap().text(), Ok("again"));
}

/// [MQTT-3.1.4-3]
#[tokio::test(start_paused = true)]
async fn a_session_is_taken_over() {
    let broker = TestBroker::start();
    let first = broker.options("same").connect().await.unwrap();
    let _second = broker.options("same").connect().await.unwrap();
    let reason = first.ended().await;
    assert!(matches!(reason, ConnectionError::Session(CloseReason::Disconnected(_))), "{reason}");
}
