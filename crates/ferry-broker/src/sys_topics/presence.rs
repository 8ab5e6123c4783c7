//! `$SYS/clients/<client identifier>/connected` and `disconnected`.

use std::fmt::Write;

use ferry_core::{LeaveReason, Presence};
use serde_json::json;

/// The topic that tells that a client has come or gone. In its identifier, what would be more than one level, or a wildcard,
/// is percent-encoded, and so is the percent sign.
pub(crate) fn presence_topic(presence: &Presence) -> String {
    let mut topic = String::from("$SYS/clients/");
    for character in presence.client_id.chars() {
        if matches!(character, '/' | '+' | '#' | '%') {
            // Writing to a `String` fails only if there is no memory.
            let _ = write!(topic, "%{:02X}", u32::from(character));
        } else {
            topic.push(character);
        }
    }
    topic.push_str(if presence.left.is_some() { "/disconnected" } else { "/connected" });
    topic
}

/// What is told of it.
pub(crate) fn presence_payload(presence: &Presence) -> String {
    json!({
        "client_id": &*presence.client_id,
        "user_name": presence.user_name.as_deref(),
        "address": &*presence.peer_address,
        "reason": presence.left.map(LeaveReason::name),
        "at_milliseconds": presence.at.0,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use ferry_core::Timestamp;

    use super::*;

    #[test]
    fn an_identifier_is_one_level() {
        let mut presence = Presence {
            client_id: "a/+#%é".into(),
            user_name: None,
            peer_address: "192.0.2.7:1".into(),
            left: None,
            at: Timestamp(5),
        };
        assert_eq!(presence_topic(&presence), "$SYS/clients/a%2F%2B%23%25é/connected");
        presence.left = Some(LeaveReason::ConnectionLost);
        assert!(presence_topic(&presence).ends_with("/disconnected"));
        assert!(presence_payload(&presence).contains("\"reason\":\"Connection lost\""));
    }
}
