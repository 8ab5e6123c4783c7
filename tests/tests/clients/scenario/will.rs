//! Wills: what a client's death tells.

use crate::arena::Arena;
use crate::client::Client;

const WILL: &str = "will_topic=will/one will_payload=gone will_qos=1 will_retain=1";

fn observer(arena: &Arena) -> Client {
    let mut observer = arena.connected("observer", "");
    observer.does("subscribe filter=will/# qos=2", "subscribed codes=2");
    observer
}

/// [MQTT-3.1.2-8] [MQTT-3.1.2-14] [MQTT-3.1.2-15] [MQTT3-3.1.2-8] [MQTT3-3.1.2-17]
pub(super) fn after_failure(arena: &Arena) {
    let mut observer = observer(arena);
    arena.connected("one", WILL).kill();
    observer.expect("message topic=will/one payload=gone qos=1 retain=0");
    observer.disconnect();
    let mut late = arena.connected("late", "");
    late.does("subscribe filter=will/one qos=2", "subscribed codes=2");
    late.expect("message topic=will/one payload=gone qos=1 retain=1");
    late.disconnect();
}

/// [MQTT-3.14.4-3] [MQTT3-3.1.2-10] [MQTT3-3.14.4-3]
pub(super) fn none_after_disconnect(arena: &Arena) {
    let mut observer = observer(arena);
    arena.connected("one", WILL).disconnect();
    // The same client id: the broker has done with the first connection when it accepts the second.
    let mut again = arena.connected("one", "");
    again.does("publish topic=will/after payload=x qos=1", "published reason=0");
    observer.expect("message topic=will/after payload=x qos=1 retain=0");
    observer.disconnect();
}

/// A client that is back in time keeps its will to itself; one that stays away does not. [MQTT-3.1.3-9]
pub(super) fn delayed(arena: &Arena) {
    let mut observer = observer(arena);
    let long = "session_expiry=100 will_topic=will/long will_payload=gone will_qos=0 will_delay=100";
    arena.connected("back", long).kill();
    let mut back = arena.connecting("id=back clean=0 session_expiry=100");
    back.expect("connected session_present=1");
    let short = "session_expiry=100 will_topic=will/short will_payload=gone will_qos=2 will_delay=1 \
                 will_content_type=text/plain will_user=a%3Db will_user=c%3Dd";
    arena.connected("away", short).kill();
    observer.expect(
        "message topic=will/short payload=gone qos=2 retain=0 content_type=text/plain user=a%3Db user=c%3Dd",
    );
    back.disconnect();
    observer.disconnect();
}

/// [MQTT-3.14.4-3] [MQTT-3.1.2-10]
pub(super) fn with_disconnect(arena: &Arena) {
    let mut observer = observer(arena);
    let mut one = arena.connected("one", WILL);
    if arena.library == crate::library::Library::Rumqttc {
        // Its DISCONNECT always says 0x00.
        one.does("disconnect", "closed");
        return;
    }
    one.order("disconnect reason=4");
    observer.expect("message topic=will/one payload=gone qos=1 retain=0");
    observer.disconnect();
}
