//! Properties of MQTT 5.0.

use crate::arena::Arena;
use crate::library::Library;

/// [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20] [MQTT-3.8.4-5]
pub(super) fn forwarded(arena: &Arena) {
    let mut subscriber = arena.connected("subscriber", "");
    let mut publisher = arena.connected("publisher", "");
    subscriber.does("subscribe filter=t qos=2 subscription_id=268435455", "subscribed codes=2");
    // MQTT.js keeps user properties by name, so that those of one name must stand together.
    let properties = "format=1 expiry=3600 content_type=text/plain response=re/ply correlation=%00%01%FF \
                      user=b%3D1 user=b%3D2 user=a%3D%C3%A9";
    for qos in 0..=2 {
        publisher
            .does(&format!("publish topic=t payload=%C3%BC qos={qos} {properties}"), "published reason=0");
        let message = subscriber.next("message");
        let expiry = message.number("expiry").expect("it is forwarded");
        assert!((3590..=3600).contains(&expiry), "{message}");
        let expected = format!(
            "message topic=t payload=%C3%BC qos={qos} retain=0 {properties} subscription_id=268435455"
        );
        let expected = crate::line::Line::parse(&expected).without("expiry").to_string();
        assert_eq!(message.without("expiry").to_string(), expected);
    }
    subscriber.disconnect();
    publisher.disconnect();
}

/// [MQTT-3.3.2-15] [MQTT-3.3.2-16]
pub(super) fn request_and_response(arena: &Arena) {
    let mut responder = arena.connected("responder", "");
    let mut requester = arena.connected("requester", "");
    responder.does("subscribe filter=ask qos=1", "subscribed codes=1");
    requester.does("subscribe filter=answers/requester qos=1", "subscribed codes=1");
    requester.does(
        "publish topic=ask payload=2%2B2 qos=1 response=answers/requester correlation=%17",
        "published reason=0",
    );
    let request = responder.next("message");
    let response = crate::line::Line::new("publish")
        .with("topic", request.text("response").expect("where to"))
        .with_bytes("correlation", request.bytes("correlation").expect("what for"))
        .with("payload", 4)
        .with("qos", 1);
    responder.order_line(&response);
    responder.expect("published reason=0");
    requester.expect("message topic=answers/requester payload=4 qos=1 retain=0 correlation=%17");
    responder.disconnect();
    requester.disconnect();
}

/// [MQTT-3.3.4-3] [MQTT-3.3.4-4]
pub(super) fn subscription_ids(arena: &Arena) {
    let mut one = arena.connected("one", "");
    one.does("subscribe filter=a/+ qos=0 subscription_id=1", "subscribed codes=0");
    one.does("subscribe filter=+/b qos=2 subscription_id=2", "subscribed codes=2");
    one.does("publish topic=a/b payload=x qos=2", "published reason=0");
    let message = one.next("message");
    assert_eq!(message.text("qos"), Some("2"));
    let text = message.to_string();
    assert!(text.contains("subscription_id=1") && text.contains("subscription_id=2"), "{text}");
    one.disconnect();
}

/// [MQTT-3.8.3-3]
pub(super) fn no_local(arena: &Arena) {
    let mut one = arena.connected("one", "");
    let mut other = arena.connected("other", "");
    one.does("subscribe filter=t qos=1 no_local=1", "subscribed codes=1");
    one.does("publish topic=t payload=mine qos=1", arena.no_matching_subscribers());
    other.does("publish topic=t payload=yours qos=1", "published reason=0");
    one.expect("message topic=t payload=yours qos=1 retain=0");
    one.disconnect();
    other.disconnect();
}

/// A publisher's aliases stay its own; a subscriber that allows aliases gets the broker's, and its library puts the
/// topic back. [MQTT-3.3.2-7] [MQTT-3.3.2-12] [MQTT-3.1.2-26]
pub(super) fn topic_aliases(arena: &Arena) {
    // MQTT.js is the only one that puts the topic back.
    let resolves = arena.library == Library::MqttJs;
    let mut subscriber = arena.connected("subscriber", if resolves { "topic_alias_maximum=10" } else { "" });
    let mut publisher = arena.connected("publisher", "");
    subscriber.does("subscribe filter=long/# qos=1", "subscribed codes=1");
    publisher.does("publish topic=long/topic payload=0 qos=1 alias=1", "published reason=0");
    subscriber.expect("message topic=long/topic payload=0 qos=1 retain=0");
    for number in 1..10 {
        // Paho C and rumqttc do not publish without a topic.
        let topic = match arena.library {
            Library::PahoPython | Library::MqttJs => "",
            Library::PahoC | Library::Rumqttc => "long/topic",
        };
        publisher
            .does(&format!("publish topic={topic} payload={number} qos=1 alias=1"), "published reason=0");
        subscriber.expect(&format!("message topic=long/topic payload={number} qos=1 retain=0"));
    }
    subscriber.disconnect();
    publisher.disconnect();
}
