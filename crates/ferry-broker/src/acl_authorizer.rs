use ferry_auth::{Access, AclFile};
use ferry_codec::QoS;
use ferry_core::{AllowAll, Authorizer, Identity};

/// Judges by an ACL file. As with Mosquitto, a client may subscribe to anything: what it may not read is not sent to it.
pub(crate) struct AclAuthorizer(pub(crate) AclFile);

impl AclAuthorizer {
    fn allows(&self, identity: &Identity, topic: &str, access: Access) -> bool {
        self.0.decide(identity.user_name.as_deref(), &identity.client_id, topic, access).allowed
    }
}

impl Authorizer for AclAuthorizer {
    fn may_publish(&self, identity: &Identity, topic: &str, qos: QoS, retain: bool) -> bool {
        AllowAll.may_publish(identity, topic, qos, retain) && self.allows(identity, topic, Access::Write)
    }

    fn may_subscribe(&self, _identity: &Identity, _filter: &str) -> bool {
        true
    }

    fn restricts_subscribing(&self) -> bool {
        false
    }

    fn may_receive(&self, identity: &Identity, topic: &str) -> bool {
        self.allows(identity, topic, Access::Read)
    }

    fn answers_last(&self) -> bool {
        true
    }

    fn restricts_receiving(&self) -> bool {
        true
    }
}
