use ferry_auth::{Grants, RuleClient, RuleOrigin, RulesFile};
use ferry_codec::QoS;
use ferry_core::{AllowAll, Authorizer, Identity};

/// Judges by a rules file, and by the rules of roles behind it.
pub(crate) struct RulesAuthorizer {
    pub(crate) rules: RulesFile,
    /// Whether clients may have roles and rules by their token or from the hook.
    pub(crate) expects_grants: bool,
}

/// Who it is, in the words of rules.
pub(crate) fn rule_client(identity: &Identity) -> RuleClient<'_> {
    RuleClient {
        user_name: identity.user_name.as_deref(),
        client_id: &identity.client_id,
        origin: identity.origin.as_ref().map(|origin| RuleOrigin {
            peer_address: &origin.peer_address,
            certificate_common_name: origin.certificate_common_name.as_deref(),
            certificate: origin.certificate.as_ref().and_then(|certificate| certificate.0.downcast_ref()),
            grants: origin.grants.as_ref().and_then(|grants| grants.0.downcast_ref::<Grants>()),
        }),
    }
}

impl Authorizer for RulesAuthorizer {
    fn may_publish(&self, identity: &Identity, topic: &str, qos: QoS, retain: bool) -> bool {
        AllowAll.may_publish(identity, topic, qos, retain)
            && self.rules.may_publish(&rule_client(identity), topic, qos.to_byte(), retain).allowed
    }

    fn may_subscribe(&self, identity: &Identity, filter: &str) -> bool {
        self.rules.may_subscribe(&rule_client(identity), filter).allowed
    }

    fn granted_qos(&self, identity: &Identity, filter: &str) -> QoS {
        let maximum_qos = self.rules.may_subscribe(&rule_client(identity), filter).maximum_qos;
        QoS::from_byte(maximum_qos).unwrap_or(QoS::AtMostOnce)
    }

    fn may_receive(&self, identity: &Identity, topic: &str) -> bool {
        self.rules.may_receive(&rule_client(identity), topic).allowed
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
