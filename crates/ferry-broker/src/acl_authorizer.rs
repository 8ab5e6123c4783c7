use std::sync::Arc;

use ferry_auth::{Access, AclFile, AclReason, RulesFile};
use ferry_codec::QoS;
use ferry_core::{AllowAll, Authorizer, Identity};

use crate::rules_authorizer::rule_client;

/// Judges by an ACL file. As with Mosquitto, a client may subscribe to anything: what it may not read is not sent to it. Where no
/// line matches, the rules of roles are asked, and then those that the client has by its token or from the hook.
pub(crate) struct AclAuthorizer {
    pub(crate) acl: Arc<AclFile>,
    /// Those of roles.
    pub(crate) rules: RulesFile,
    /// Whether clients may have roles and rules by their token or from the hook.
    pub(crate) expects_grants: bool,
}

impl AclAuthorizer {
    /// What a line says; `None` if none matches.
    fn says(&self, identity: &Identity, topic: &str, access: Access) -> Option<bool> {
        let decision = self.acl.decide(identity.user_name.as_deref(), &identity.client_id, topic, access);
        (decision.allowed || matches!(decision.reason, AclReason::Line(_))).then_some(decision.allowed)
    }
}

impl Authorizer for AclAuthorizer {
    fn may_publish(&self, identity: &Identity, topic: &str, qos: QoS, retain: bool) -> bool {
        let by_rules =
            || self.rules.may_publish(&rule_client(identity), topic, qos.to_byte(), retain).allowed;
        AllowAll.may_publish(identity, topic, qos, retain)
            && self.says(identity, topic, Access::Write).unwrap_or_else(by_rules)
    }

    fn may_subscribe(&self, _identity: &Identity, _filter: &str) -> bool {
        true
    }

    fn restricts_subscribing(&self) -> bool {
        false
    }

    fn may_receive(&self, identity: &Identity, topic: &str) -> bool {
        self.says(identity, topic, Access::Read)
            .unwrap_or_else(|| self.rules.may_receive(&rule_client(identity), topic).allowed)
    }

    fn answers_last(&self) -> bool {
        true
    }

    fn restricts_receiving(&self) -> bool {
        true
    }

    fn judges_origin(&self) -> bool {
        self.expects_grants || self.rules.judges_origin()
    }
}
