use std::any::Any;
use std::sync::Arc;

use ferry_codec::QoS;

/// Who a session belongs to, as far as permissions are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The client identifier. It is the client's choice: a rule must not let it widen a pattern.
    pub client_id: Arc<str>,
    /// The name that was proven; `None` for an anonymous client.
    pub user_name: Option<Arc<str>>,
    /// Where its last connection came from. `None` unless the authorizer [asks for it](Authorizer::judges_origin) or
    /// something was granted, and for
    /// a session that was restored and whose client has not come back.
    pub origin: Option<Arc<ClientOrigin>>,
}

/// What is known of a client from its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOrigin {
    /// See [`ConnInfo::peer_address`](crate::ConnInfo::peer_address).
    pub peer_address: Box<str>,
    /// See [`ConnInfo::certificate_common_name`](crate::ConnInfo::certificate_common_name).
    pub certificate_common_name: Option<Box<str>>,
    /// See [`ConnInfo::certificate`](crate::ConnInfo::certificate).
    pub certificate: Option<Certificate>,
    /// What the authenticator has granted.
    pub grants: Option<Grants>,
}

/// The verified certificate of a client. Only the authenticator and the authorizer know what is in it.
#[derive(Clone, Debug)]
pub struct Certificate(pub Arc<dyn Any + Send + Sync>);

impl PartialEq for Certificate {
    /// The same, not others that are alike.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Certificate {}

/// What an authenticator grants to one client. Only the authorizer knows what it means.
#[derive(Clone, Debug)]
pub struct Grants(pub Arc<dyn Any + Send + Sync>);

impl PartialEq for Grants {
    /// The same, not others that are alike.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Grants {}

/// Judges who may publish and subscribe to what. Called for every PUBLISH, so it must not block.
pub trait Authorizer: Send + Sync {
    /// May `identity` publish to `topic`? Also asked for wills, at CONNECT and when they are published.
    fn may_publish(&self, identity: &Identity, topic: &str, qos: QoS, retain: bool) -> bool;

    /// May `identity` subscribe to `filter`? For a shared subscription this is the filter without
    /// `$share/group/`.
    fn may_subscribe(&self, identity: &Identity, filter: &str) -> bool;

    /// The highest QoS of a subscription to `filter`, if `identity` may make it. A higher one that is asked for is granted as
    /// this one (section 3.9.3).
    fn granted_qos(&self, _identity: &Identity, _filter: &str) -> QoS {
        QoS::ExactlyOnce
    }

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

    /// Whether [`may_subscribe`](Self::may_subscribe) is ever `false` for a subscription that another authorizer has allowed;
    /// always the same. Then the subscriptions of connected clients are judged again when this one replaces another.
    fn restricts_subscribing(&self) -> bool {
        true
    }

    /// Whether [`may_receive`](Self::may_receive) is ever `false`; always the same.
    fn restricts_receiving(&self) -> bool {
        false
    }

    /// Whether any answer depends on [`Identity::origin`]; always the same.
    fn judges_origin(&self) -> bool {
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

    fn restricts_subscribing(&self) -> bool {
        false
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
        let identity = Identity { client_id: "c".into(), user_name: None, origin: None };
        let may = |topic| AllowAll.may_publish(&identity, topic, QoS::AtMostOnce, false);
        assert!(!may("$SYS") && !may("$SYS/broker/uptime"));
        assert!(may("$SYSTEM") && may("a/$SYS") && may("$other"));
        assert!(AllowAll.may_subscribe(&identity, "$SYS/#"));
    }
}
