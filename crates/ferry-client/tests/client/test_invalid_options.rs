//! Options that no packet can carry: whoever gives them is told at once, whether or not there is a server.

use std::sync::mpsc::channel;

use ferry_client::callback::{self, ClientError};
use ferry_client::{
    Client, ClientOptions, ConnectionError, DisconnectOptions, Event, PublishError, QoS, blocking,
};

use crate::brokers::free_port;
use crate::{PATIENCE, run, with_each_broker, with_each_broker_blocking};

const SAID: &str = "User Name of CONNECT: has the character U+0000";

/// Of a server that is not there.
fn invalid() -> ClientOptions {
    let options = ClientOptions::new(&format!("mqtt://127.0.0.1:{}", free_port())).expect("a URL");
    options.credentials("a\0b", "secret")
}

fn error() -> ConnectionError {
    ConnectionError::Options(SAID.to_owned())
}

/// [MQTT-1.5.4-2], [MQTT3-1.5.3-2]
#[test]
fn an_async_client_ends_at_once() {
    run(async {
        assert_eq!(invalid().connect().await.unwrap_err(), error());
        let client = Client::new(invalid());
        let mut events = client.events();
        client.start();
        assert_eq!(client.connected().await.unwrap_err(), error());
        let end = Event::Disconnected { reason: error(), retry_in_ms: None, unconfirmed_qos0: 0 };
        assert_eq!(events.recv().await, Some(end));
        assert_eq!(events.recv().await, None);
        assert_eq!(client.publish(ferry_client::Message::new("t", "")).await, Err(PublishError::Ended));
    });
}

#[test]
fn a_blocking_client_is_not_made() {
    assert_eq!(invalid().connect_blocking().unwrap_err(), error());
    assert_eq!(blocking::Client::new(invalid()).unwrap_err(), error());
}

/// What is set while a client is connected ends it when it connects again.
#[test]
fn a_callback_client_says_so() {
    let mut client = callback::Client::new("me", ());
    client.username_pw_set("a\0b", "secret");
    assert_eq!(client.connect("127.0.0.1", free_port(), 60), Err(ClientError::Connection(error())));
    assert!(client.loop_start().is_err(), "it has no server");
    with_each_broker_blocking(|place| {
        let (sender, lines) = channel();
        let mut client = callback::Client::new(format!("set-later-{}", place.version.level()), sender);
        client.options_mut().connect.protocol_version = place.version;
        client.options_mut().reconnect.after_takeover = true;
        client.on_connect(|_, lines, _| Ok(lines.send("connect".to_owned())?));
        client.on_disconnect(|_, lines, reason| Ok(lines.send(reason.to_string())?));
        client.connect("127.0.0.1", place.broker.port(crate::Scheme::Tcp), 60).unwrap();
        client.loop_start().unwrap();
        assert_eq!(lines.recv_timeout(PATIENCE).unwrap(), "connect");
        client.will_set("gone/#", "", QoS::AtMostOnce, false);
        let other = place.options("set-later").client_id(format!("set-later-{}", place.version.level()));
        let other = other.connect_blocking().unwrap();
        lines.recv_timeout(PATIENCE).unwrap();
        let said = "Topic of the will: a topic name has a wildcard";
        assert_eq!(lines.recv_timeout(PATIENCE).unwrap(), said);
        client.loop_stop().ok();
        other.disconnect();
    });
}

#[test]
fn a_client_may_make_its_options_invalid_itself() {
    let said = "Client Identifier of CONNECT: has the character U+0000";
    let spoilt =
        |options: ClientOptions| options.before_connect(|connect| connect.client_id = "a\0b".to_owned());
    with_each_broker(async |place| {
        let error = spoilt(place.options("itself")).connect().await.unwrap_err();
        assert_eq!(error, ConnectionError::Options(said.to_owned()));
    });
    with_each_broker_blocking(|place| {
        let mut client = callback::Client::new("itself", ());
        *client.options_mut() = spoilt(client.options_mut().clone());
        client.connect("127.0.0.1", place.broker.port(crate::Scheme::Tcp), 60).unwrap();
        assert_eq!(client.loop_forever().unwrap_err().to_string(), said);
    });
}

#[test]
fn a_client_goes_on_if_its_disconnect_cannot_be() {
    with_each_broker(async |place| {
        let client = place.client("disconnecting").await;
        let words =
            DisconnectOptions { reason_string: Some("\0".to_owned()), ..DisconnectOptions::default() };
        let said = "Reason String of DISCONNECT: has the character U+0000";
        assert_eq!(client.disconnect_with(words).await.unwrap_err().to_string(), said);
        assert!(client.is_connected());
        client.disconnect().await;
    });
}
