use std::sync::Arc;

use ferry_codec::QoS;

/// Who a session belongs to, as far as permissions are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The client identifier. It is the client's choice: a rule must not let it widen a pattern.
    pub client_id: Arc<str>,
    /// The name that was proven; `None` for an anonymous client.
    pub user_name: Option<Arc<str>>,
}

/// Judges who may publish and subscribe to what. Called for every PUBLISH, so it must not block.
pub trait Authorizer: Send + Sync {
    /// May `identity` publish to `topic`? Also asked for wills, at CONNECT and when they are published.
    fn may_publish(&self, identity: &Identity, topic: &str, qos: QoS, retain: bool) -> bool;

    /// May `identity` subscribe to `filter`? For a shared subscription this is the filter without
    /// `$share/group/`.
    fn may_subscribe(&self, identity: &Identity, filter: &str) -> bool;

    /// May `identity` be sent a message on `topic`? Asked for each copy, but only if
    /// [`restricts_receiving`](Self::restricts_receiving).
    fn may_receive(&self, _identity: &Identity, _topic: &str) -> bool {
        true
    }

    /// Whether the answers about publishing and receiving are always the same for the same identity and topic, until the
    /// next reload. Then the last ones are kept with each session, and the authorizer is not asked again.
    fn answers_last(&self) -> bool {
        false
    }

    /// Whether [`may_receive`](Self::may_receive) is ever `false`.
    fn restricts_receiving(&self) -> bool {
        false
    }
}

/// Everybody may do everything but publish below `$SYS`, which is the broker's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

impl Authorizer for AllowAll {
    fn may_publish(&self, _identity: &Identity, topic: &str, _qos: QoS, _retain: bool) -> bool {
        !is_sys_topic(topic)
    }

    fn may_subscribe(&self, _identity: &Identity, _filter: &str) -> bool {
        true
    }
}

/// Whether a topic is one of those that the broker tells about itself on.
pub(crate) fn is_sys_topic(topic: &str) -> bool {
    topic.strip_prefix("$SYS").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_broker_writes_below_sys() {
        let identity = Identity { client_id: "c".into(), user_name: None };
        let may = |topic| AllowAll.may_publish(&identity, topic, QoS::AtMostOnce, false);
        assert!(!may("$SYS") && !may("$SYS/broker/uptime"));
        assert!(may("$SYSTEM") && may("a/$SYS") && may("$other"));
        assert!(AllowAll.may_subscribe(&identity, "$SYS/#"));
    }
}
