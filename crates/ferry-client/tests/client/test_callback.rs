use std::io::Read;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use ferry_client::callback::{Client, ClientError};
use ferry_client::{Filter, QoS};
use ferry_codec::{DecodeLimits, decode_connect, frame_length};

use crate::{PATIENCE, Place, Scheme, with_each_broker_blocking};

type Log = Sender<String>;

/// Everything that Paho's callbacks tell is said to the channel.
fn logging(place: &Place, client_id: &str) -> (Client<Log>, Receiver<String>) {
    let (log, lines) = channel();
    let mut client = Client::new(format!("{client_id}-{}", place.version.level()), log);
    client.options_mut().connect.protocol_version = place.version;
    client.on_connect(|_, log, _| Ok(log.send("connect".to_owned())?));
    client.on_disconnect(|_, log, _| Ok(log.send("disconnect".to_owned())?));
    client.on_subscribe(|_, log, (mid, codes)| Ok(log.send(format!("subscribe {mid} {}", codes?.len()))?));
    client
        .on_unsubscribe(|_, log, (mid, codes)| Ok(log.send(format!("unsubscribe {mid} {}", codes?.len()))?));
    client.on_publish(|_, log, (mid, outcome)| {
        Ok(log.send(format!("publish {mid} {}", !outcome?.reason_code.is_error()))?)
    });
    client.on_message(|_, log, message| Ok(log.send(format!("message {}", message.text()?))?));
    (client, lines)
}

fn connect(client: &mut Client<Log>, place: &Place) {
    client.connect("localhost", place.broker.port(Scheme::Tcp), 60).expect("a server");
}

fn next(lines: &Receiver<String>) -> String {
    lines.recv_timeout(PATIENCE).expect("a callback")
}

/// So many of them, in the order of the alphabet.
fn next_sorted(lines: &Receiver<String>, count: usize) -> Vec<String> {
    let mut sorted: Vec<_> = (0..count).map(|_| next(lines)).collect();
    sorted.sort();
    sorted
}

#[test]
fn callbacks_are_called() {
    with_each_broker_blocking(|place| {
        let topic = place.topic("callback");
        let (mut client, lines) = logging(&place, "callback");
        let filter = topic.clone();
        client.on_connect(move |client, _, _| {
            client.subscribe(filter.as_str())?;
            Ok(())
        });
        client.on_subscribe(move |client, _, _| {
            client.publish(topic.as_str(), "x", QoS::AtMostOnce, false)?;
            Ok(())
        });
        client.on_message(|client, log, message| {
            client.disconnect();
            Ok(log.send(format!("message {}", message.text()?))?)
        });
        connect(&mut client, &place);
        client.loop_forever().unwrap();
        assert_eq!(next_sorted(&lines, 3), ["disconnect", "message x", "publish 2 true"]);
        assert!(client.user_data().is_some());
    });
}

/// As one who knows Paho writes it: nothing is done in callbacks but to look.
#[test]
fn what_is_said_before_the_loop_is_not_lost() {
    with_each_broker_blocking(|place| {
        let topic = place.topic("callback/before");
        let (mut client, lines) = logging(&place, "before");
        connect(&mut client, &place);
        assert!(!client.is_connected());
        assert_eq!(client.subscribe((topic.as_str(), QoS::ExactlyOnce)), Ok(1));
        for (mid, qos) in [(2, QoS::AtMostOnce), (3, QoS::AtLeastOnce), (4, QoS::ExactlyOnce)] {
            assert_eq!(client.publish(topic.as_str(), mid.to_string(), qos, false), Ok(mid));
        }
        client.loop_start().unwrap();
        assert_eq!(next(&lines), "connect");
        assert!(client.is_connected());
        assert_eq!(
            next_sorted(&lines, 7),
            [
                "message 2",
                "message 3",
                "message 4",
                "publish 2 true",
                "publish 3 true",
                "publish 4 true",
                "subscribe 1 1"
            ]
        );
        assert_eq!(client.unsubscribe([topic.as_str()]), Ok(5));
        assert_eq!(next(&lines), "unsubscribe 5 1");
        assert_eq!(client.publish(topic.as_str(), "6", QoS::AtLeastOnce, false), Ok(6));
        assert_eq!(next(&lines), "publish 6 true");
        client.disconnect();
        assert_eq!(next(&lines), "disconnect");
        client.loop_stop().unwrap();
        assert!(matches!(client.publish(topic, "7", QoS::AtMostOnce, false), Err(ClientError::Publish(_))));
    });
}

#[test]
fn without_a_server_there_is_an_error() {
    let mut client = Client::new("nobody", ());
    assert_eq!(client.publish("t", "x", QoS::AtLeastOnce, false), Err(ClientError::NoServer));
    assert_eq!(client.subscribe("t"), Err(ClientError::NoServer));
    assert_eq!(client.unsubscribe("t"), Err(ClientError::NoServer));
    assert_eq!(client.loop_start().unwrap_err().to_string(), "connect first: there is no server yet");
    assert_eq!(client.loop_forever().unwrap_err().to_string(), "connect first: there is no server yet");
    assert!(matches!(client.connect("", 1883, 60), Err(ClientError::Connection(_))));
    client.disconnect();
    client.loop_stop().unwrap();
}

/// Callbacks can be exchanged under a running loop; what cannot be is an error.
#[test]
fn a_running_loop_can_be_changed() {
    with_each_broker_blocking(|place| {
        let topic = place.topic("callback/change");
        let (mut client, lines) = logging(&place, "change");
        connect(&mut client, &place);
        client.loop_start().unwrap();
        assert_eq!(next(&lines), "connect");
        assert_eq!(client.connect("localhost", 1, 60), Err(ClientError::LoopRuns));
        assert_eq!(client.connect_url("mqtt://localhost"), Err(ClientError::LoopRuns));
        assert_eq!(client.loop_start().unwrap_err().to_string(), "the loop runs: stop it first");
        assert!(client.loop_forever().is_err());
        assert!(client.user_data().is_none());
        assert_eq!(client.tls_set(None, None), Err(ClientError::TlsTooLate));
        assert_eq!(client.tls_insecure_set(true), Err(ClientError::TlsTooLate));

        client.on_message(|_, log, message| Ok(log.send(format!("other {}", message.text()?))?));
        client.on_publish(|_, _, _| Ok(()));
        client.subscribe(topic.as_str()).unwrap();
        assert_eq!(next(&lines), "subscribe 1 1");
        client.publish(topic.as_str(), "1", QoS::AtLeastOnce, false).unwrap();
        assert_eq!(next(&lines), "other 1");
        client.message_callback_add(topic.as_str(), |_, log, _| Ok(log.send("replaced".to_owned())?));
        client.message_callback_add(topic.as_str(), |_, log, _| Ok(log.send("one".to_owned())?));
        client.message_callback_add("callback/#", |_, log, _| Ok(log.send("all".to_owned())?));
        client.message_callback_add("elsewhere", |_, log, _| Ok(log.send("none".to_owned())?));
        client.publish(topic.as_str(), "2", QoS::AtLeastOnce, false).unwrap();
        assert_eq!([next(&lines), next(&lines)], ["one", "all"]);
        client.message_callback_remove(topic.as_str());
        client.message_callback_remove("callback/#");
        client.publish(topic.as_str(), "3", QoS::AtLeastOnce, false).unwrap();
        assert_eq!(next(&lines), "other 3");

        // Stopped and started, it goes on with the same connection.
        client.loop_stop().unwrap();
        client.publish(topic.as_str(), "4", QoS::AtLeastOnce, false).unwrap();
        client.loop_start().unwrap();
        assert_eq!(next(&lines), "other 4");
        client.disconnect();
        assert_eq!(next(&lines), "disconnect");
        client.loop_stop().unwrap();
        connect(&mut client, &place);
        client.loop_start().unwrap();
        assert_eq!(next(&lines), "connect");
        client.disconnect();
        client.loop_stop().unwrap();
    });
}

#[test]
fn what_a_callback_does_wrong_comes_out_of_the_loop() {
    with_each_broker_blocking(|place| {
        let (mut client, lines) = logging(&place, "wrong");
        client.on_connect(|_, _, _| Err("no".into()));
        connect(&mut client, &place);
        assert_eq!(client.loop_forever().unwrap_err().to_string(), "no");
        client.on_connect(|_, log, _| {
            log.send("connect".to_owned())?;
            panic!("a callback that panics, for a test");
        });
        connect(&mut client, &place);
        client.loop_start().unwrap();
        assert_eq!(next(&lines), "connect");
        // When the thread has ended its user data are dropped.
        assert!(lines.recv_timeout(PATIENCE).is_err());
        assert_eq!(client.loop_stop().unwrap_err().to_string(), "a callback has panicked");
        assert_eq!(client.connect("localhost", 1, 60), Err(ClientError::CallbackPanicked));
        client.on_message(|_, _, _| Ok(()));
    });
}

/// Who said what in a CONNECT.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    user_name: Option<String>,
    password: Option<Vec<u8>>,
    /// Topic, payload, QoS, RETAIN.
    will: Option<(String, Vec<u8>, QoS, bool)>,
    keep_alive_seconds: u16,
}

/// Takes the CONNECTs of so many connections, the next one when it is told to go on.
fn server_of_connects(count: usize) -> (u16, Receiver<Said>, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (said, heard) = channel();
    let (go_on, told) = channel();
    std::thread::spawn(move || {
        for _ in 0..count {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut bytes = vec![0; 4096];
            let mut filled = 0;
            let length = loop {
                filled += stream.read(&mut bytes[filled..]).expect("bytes");
                if let Ok(Some(length)) = frame_length(&bytes[..filled], &DecodeLimits::UNLIMITED)
                    && length <= filled
                {
                    break length;
                }
            };
            let connect = decode_connect(&bytes[..length], &DecodeLimits::UNLIMITED).expect("a CONNECT");
            let will = connect
                .will
                .map(|will| (will.topic.to_owned(), will.payload.to_vec(), will.qos, will.retain));
            let user_name = connect.user_name.map(str::to_owned);
            let password = connect.password.map(<[u8]>::to_vec);
            let keep_alive_seconds = connect.keep_alive_seconds;
            let _nobody = said.send(Said { user_name, password, will, keep_alive_seconds });
            let _nobody = told.recv();
        }
    });
    (port, heard, go_on)
}

#[test]
fn who_the_client_is_and_its_will_are_said() {
    let (port, heard, go_on) = server_of_connects(3);
    let mut client = Client::new("said", ());
    client.options_mut().reconnect.delay_min = Duration::from_millis(1);
    client.username_pw_set("me", "first");
    client.will_set("gone", "1", QoS::AtLeastOnce, true);
    client.connect("127.0.0.1", port, 17).unwrap();
    client.loop_start().unwrap();
    let said = heard.recv_timeout(PATIENCE).unwrap();
    let will = Some(("gone".to_owned(), b"1".to_vec(), QoS::AtLeastOnce, true));
    let (user_name, password) = (Some("me".to_owned()), Some(b"first".to_vec()));
    assert_eq!(said, Said { user_name, password, will, keep_alive_seconds: 17 });
    // What is set while the loop runs holds when it connects again.
    client.username_pw_set("me", "second");
    client.will_set("gone", "2", QoS::ExactlyOnce, false);
    go_on.send(()).unwrap();
    let said = heard.recv_timeout(PATIENCE).unwrap();
    assert_eq!(said.password, Some(b"second".to_vec()));
    assert_eq!(said.will, Some(("gone".to_owned(), b"2".to_vec(), QoS::ExactlyOnce, false)));
    client.will_clear();
    go_on.send(()).unwrap();
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap().will, None);
    client.disconnect();
    client.loop_stop().unwrap();
}

#[test]
fn a_url_says_where_and_who() {
    let (port, heard, _go_on) = server_of_connects(1);
    let mut client = Client::new("url", ());
    client.connect_url(&format!("mqtt://me:secret@127.0.0.1:{port}")).unwrap();
    client.loop_start().unwrap();
    let said = heard.recv_timeout(PATIENCE).unwrap();
    assert_eq!((said.user_name.as_deref(), said.password.as_deref()), (Some("me"), Some(&b"secret"[..])));
    assert_eq!(said.will, None);
    client.disconnect();
    client.loop_stop().unwrap();
    assert!(matches!(client.connect_url("nonsense://localhost"), Err(ClientError::Connection(_))));
}

#[test]
fn tls_is_used_when_it_is_set() {
    with_each_broker_blocking(|place| {
        let certificates = &place.broker.certificates;
        let authority = Some(certificates.authority.clone());
        let client_certificate = Some((certificates.client.clone(), certificates.client_key.clone()));
        for (scheme, authority, certificate, is_insecure, is_good) in [
            (Scheme::Tls, authority.clone(), None, false, true),
            (Scheme::Tls, None, None, false, false),
            (Scheme::Tls, None, None, true, true),
            (Scheme::TlsWithClientCertificate, authority.clone(), None, false, false),
            (Scheme::TlsWithClientCertificate, authority.clone(), client_certificate, false, true),
        ] {
            let (mut client, lines) = logging(&place, "callback-tls");
            client.options_mut().reconnect.enabled = false;
            client.tls_set(authority, certificate).unwrap();
            client.tls_insecure_set(is_insecure).unwrap();
            client.connect("localhost", place.broker.port(scheme), 60).unwrap();
            client.loop_start().unwrap();
            // A server that wants a certificate refuses after the handshake, which is over for the client.
            let expected = if is_good { "connect" } else { "disconnect" };
            assert_eq!(next(&lines), expected, "{scheme:?}");
            client.disconnect();
            assert!(client.loop_stop().is_ok() || !is_good);
        }
    });
}

/// Several at once, with their own QoS.
#[test]
fn filters_are_written_in_many_ways() {
    with_each_broker_blocking(|place| {
        let (mut client, lines) = logging(&place, "ways");
        connect(&mut client, &place);
        client.subscribe([("a", QoS::AtMostOnce), ("b", QoS::ExactlyOnce)]).unwrap();
        client.subscribe(Filter::new("c").qos(QoS::AtLeastOnce)).unwrap();
        client.subscribe("d".to_owned()).unwrap();
        assert!(matches!(client.subscribe("a/#/b"), Err(ClientError::Subscribe(_))));
        client.loop_start().unwrap();
        let answers = [next(&lines), next(&lines), next(&lines), next(&lines)];
        assert_eq!(answers, ["connect", "subscribe 1 2", "subscribe 2 1", "subscribe 3 1"]);
        client.disconnect();
        client.loop_stop().unwrap();
    });
}
