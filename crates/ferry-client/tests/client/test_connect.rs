use std::time::Duration;

use ferry_client::{
    Client, ClientOptions, ConnectionError, Event, Message, PublishError, QoS, ReasonCode, ReconnectOptions,
    Will,
};

use ferry_codec::{DecodeLimits, decode_connect, frame_length};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::brokers::{BrokerKind, free_port};
use crate::fault_proxy::FaultProxy;
use crate::{run, text, with_each_broker, with_each_broker_of_qos_1};

#[test]
fn a_connection_begins_and_ends() {
    with_each_broker_of_qos_1(async |place| {
        let client = place.client("begins").await;
        assert!(client.is_connected());
        let connected = client.connected().await.unwrap();
        assert!(!connected.session_present);
        client.disconnect().await;
        assert!(!client.is_connected());
        assert_eq!(
            client.ended().await,
            ConnectionError::Session(ferry_client::CloseReason::Requested(ReasonCode::SUCCESS))
        );
        assert_eq!(client.publish(Message::new("t", "x")).await, Err(PublishError::Ended));
        assert!(client.subscribe("t").await.is_err());
    });
}

#[test]
fn nobody_listens() {
    run(async {
        let options = ClientOptions::new(&format!("mqtt://127.0.0.1:{}", free_port())).unwrap();
        let error = options.connect().await.unwrap_err();
        assert!(matches!(error, ConnectionError::Io { kind: std::io::ErrorKind::ConnectionRefused, .. }));
        assert!(error.to_string().starts_with("cannot connect to mqtt://127.0.0.1:"), "{error}");
    });
}

#[test]
fn the_next_server_is_tried_when_one_is_not_there() {
    with_each_broker_of_qos_1(async |place| {
        let first = format!("mqtt://127.0.0.1:{}", free_port());
        let options = ClientOptions::new(&first).unwrap();
        let options = options.server(&place.broker.url(crate::Scheme::Tcp)).unwrap();
        let client = Client::new(options.protocol_version(place.version).client_id("fail-over"));
        let mut events = client.events();
        client.connect().await.unwrap();
        let mut connecting = 0;
        while let Some(event) = events.recv().await {
            match event {
                Event::Connecting(_) => connecting += 1,
                Event::Disconnected { retry_in_ms, .. } => assert_eq!(retry_in_ms, Some(0)),
                Event::Connected(_) => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(connecting, 2);
    });
}

#[test]
fn a_will_is_published_when_the_client_asks_for_it() {
    with_each_broker(async |place| {
        let topic = place.topic("will");
        let watcher = place.client("watcher").await;
        let mut wills = watcher.subscribe(topic.as_str()).await.unwrap();
        let will = Will::new(Message::new(topic, "gone").qos(QoS::AtLeastOnce));
        let client = place.options("dying").will(will).connect().await.unwrap();
        let reason_code = ReasonCode::DISCONNECT_WITH_WILL_MESSAGE;
        let end = ferry_client::DisconnectOptions { reason_code, ..Default::default() };
        client.disconnect_with(end).await.unwrap();
        assert_eq!(wills.recv().await.unwrap().text(), Ok("gone"));
    });
}

/// Two clients with one identifier do not throw each other out for ever.
#[test]
fn a_client_that_was_taken_over_stays_away() {
    with_each_broker(async |place| {
        // Mosquitto 2.0.11 does not say why it closes a connection; then only the delays grow.
        if !place.is_v5() || place.broker.kind != BrokerKind::Ferry {
            return;
        }
        let first = place.client("twin").await;
        let second = place.client("twin").await;
        let reason = first.ended().await;
        assert_eq!(reason.reason_code(), Some(ReasonCode::SESSION_TAKEN_OVER), "{}", text(&reason));
        assert!(second.is_connected());
    });
}

/// One that is told to come back does, and throws the other one out.
#[test]
fn a_client_can_insist() {
    with_each_broker(async |place| {
        if !place.is_v5() || place.broker.kind != BrokerKind::Ferry {
            return;
        }
        let (after_takeover, delay_min) = (true, Duration::from_millis(1));
        let reconnect = ReconnectOptions { after_takeover, delay_min, ..ReconnectOptions::default() };
        let first = Client::new(place.options("insistent").reconnect(reconnect));
        let mut events = first.events();
        first.connect().await.unwrap();
        let second = place.client("insistent").await;
        assert_eq!(second.ended().await.reason_code(), Some(ReasonCode::SESSION_TAKEN_OVER));
        let mut connections = 0;
        while connections < 2 {
            connections += usize::from(matches!(events.recv().await, Some(Event::Connected(_))));
        }
        assert!(first.publish(Message::new("t", "x").qos(QoS::AtLeastOnce)).await.is_ok());
    });
}

/// What was published without a connection is sent when there is one; the client is told of each attempt.
#[test]
fn it_starts_before_the_server() {
    run(async {
        let port = free_port();
        let delay = ReconnectOptions { delay_min: Duration::from_millis(5), ..ReconnectOptions::default() };
        let options = ClientOptions::new(&format!("mqtt://127.0.0.1:{port}")).unwrap().reconnect(delay);
        let client = Client::new(options);
        let mut events = client.events();
        client.start();
        let published = client.publish(Message::new("t", "x").qos(QoS::AtLeastOnce));
        let mut failures = 0;
        while failures < 3 {
            if let Some(Event::Disconnected { retry_in_ms, .. }) = events.recv().await {
                assert!(retry_in_ms.is_some());
                failures += 1;
            }
        }
        let mut config = ferry_broker::config::Config::default();
        config.listeners.truncate(1);
        config.listeners[0].address = format!("tcp://127.0.0.1:{port}").parse().unwrap();
        config.storage.durability = ferry_broker::config::Durability::Memory;
        let _broker = ferry_broker::Broker::start(config).unwrap();
        assert!(!published.await.unwrap().reason_code.is_error());
        client.disconnect().await;
    });
}

/// A server that was good is not left for another one because a connection was lost.
#[test]
fn the_same_server_is_tried_first_after_a_good_connection() {
    with_each_broker(async |place| {
        let proxy = FaultProxy::start(place.broker.port(crate::Scheme::Tcp)).await;
        let first = format!("mqtt://127.0.0.1:{}", proxy.port);
        let options =
            ClientOptions::new(&first).unwrap().server(&place.broker.url(crate::Scheme::Tcp)).unwrap();
        let (delay_min, good_after) = (Duration::from_millis(1), Duration::ZERO);
        let reconnect = ReconnectOptions { delay_min, good_after, ..ReconnectOptions::default() };
        let client =
            Client::new(options.protocol_version(place.version).client_id("faithful").reconnect(reconnect));
        let mut events = client.events();
        client.connect().await.unwrap();
        let mut tried = Vec::new();
        while tried.len() < 4 {
            match events.recv().await {
                Some(Event::Connecting(address)) => tried.push(address.to_string()),
                Some(Event::Connected(_)) => proxy.cut(),
                Some(Event::Disconnected { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(tried.iter().all(|server| *server == first), "{tried:?}");
        client.disconnect().await;
    });
}

/// Takes one CONNECT and closes the connection: user name and password.
async fn credentials_said(listener: TcpListener) -> (Option<String>, Option<Vec<u8>>) {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut bytes = Vec::new();
    loop {
        stream.read_buf(&mut bytes).await.expect("bytes");
        if let Ok(Some(length)) = frame_length(&bytes, &DecodeLimits::UNLIMITED)
            && length <= bytes.len()
        {
            let connect = decode_connect(&bytes[..length], &DecodeLimits::UNLIMITED).expect("a CONNECT");
            return (connect.user_name.map(str::to_owned), connect.password.map(<[u8]>::to_vec));
        }
    }
}

/// What is meant for one server is not told another one.
#[test]
fn each_server_gets_its_own_credentials() {
    run(async {
        let mut servers = Vec::new();
        let mut options: Option<ClientOptions> = None;
        for credentials in ["one:first@", "two:second@", ""] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("mqtt://{credentials}{}", listener.local_addr().unwrap());
            servers.push(tokio::spawn(credentials_said(listener)));
            options = Some(match options {
                None => ClientOptions::new(&url).unwrap(),
                Some(options) => options.server(&url).unwrap(),
            });
        }
        let options = options.unwrap().credentials("all", "others");
        assert!(!format!("{options:?}").contains("first"));
        assert!(options.connect().await.is_err());
        for (server, (user_name, password)) in
            servers.into_iter().zip([("one", "first"), ("two", "second"), ("all", "others")])
        {
            assert_eq!(server.await.unwrap(), (Some(user_name.to_owned()), Some(password.into())));
        }
    });
}
