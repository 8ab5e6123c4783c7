//! Retained messages.

use crate::arena::Arena;

/// [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-8] [MQTT-3.3.1-9] [MQTT-3.3.1-12] [MQTT3-3.3.1-5] [MQTT3-3.3.1-8] [MQTT3-3.3.1-9] [MQTT3-3.3.1-10]
pub(super) fn kept_and_cleared(arena: &Arena) {
    let mut publisher = arena.connected("publisher", "");
    let nobody = arena.no_matching_subscribers();
    publisher.does("publish topic=state/1 payload=old qos=1 retain=1", nobody);
    publisher.does("publish topic=state/1 payload=new qos=1 retain=1", nobody);
    publisher.does("publish topic=state/1 payload=fleeting qos=1", nobody);
    let mut subscriber = arena.connected("subscriber", "");
    subscriber.does("subscribe filter=state/+ qos=1", "subscribed codes=1");
    subscriber.expect("message topic=state/1 payload=new qos=1 retain=1");
    publisher.does("publish topic=state/2 payload=live qos=1 retain=1", "published reason=0");
    subscriber.expect("message topic=state/2 payload=live qos=1 retain=0");
    publisher.does("publish topic=state/1 payload= qos=1 retain=1", "published reason=0");
    subscriber.expect("message topic=state/1 payload= qos=1 retain=0");
    subscriber.disconnect();
    let mut late = arena.connected("late", "");
    late.does("subscribe filter=state/# qos=0", "subscribed codes=0");
    late.expect("message topic=state/2 payload=live qos=0 retain=1");
    publisher.does("publish topic=state/end payload=x qos=0", "published reason=0");
    late.expect("message topic=state/end payload=x qos=0 retain=0");
    late.disconnect();
}

/// [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] [MQTT-3.3.1-13]
pub(super) fn options(arena: &Arena) {
    let mut one = arena.connected("one", "");
    one.does("publish topic=t payload=kept qos=1 retain=1", arena.no_matching_subscribers());
    one.does("subscribe filter=t qos=1 retain_handling=2", "subscribed codes=1");
    one.does("subscribe filter=t qos=1 retain_handling=1 retain_as_published=1", "subscribed codes=1");
    one.does("publish topic=t payload=live qos=1 retain=1", "published reason=0");
    one.expect("message topic=t payload=live qos=1 retain=1");
    one.does("subscribe filter=t qos=1 retain_handling=0", "subscribed codes=1");
    one.expect("message topic=t payload=live qos=1 retain=1");
    one.does("unsubscribe filter=t", "unsubscribed");
    one.does("subscribe filter=t qos=1 retain_handling=1", "subscribed codes=1");
    one.expect("message topic=t payload=live qos=1 retain=1");
    one.disconnect();
}
