use ferry_auth::{RuleClient, RuleOrigin, RulesFile};
use ferry_codec::QoS;
use ferry_core::{AllowAll, Authorizer, Identity};

/// Judges by a rules file.
pub(crate) struct RulesAuthorizer(pub(crate) RulesFile);

fn client(identity: &Identity) -> RuleClient<'_> {
    RuleClient {
        user_name: identity.user_name.as_deref(),
        client_id: &identity.client_id,
        origin: identity.origin.as_ref().map(|origin| RuleOrigin {
            peer_address: &origin.peer_address,
            certificate_common_name: origin.certificate_common_name.as_deref(),
        }),
    }
}

impl Authorizer for RulesAuthorizer {
    fn may_publish(&self, identity: &Identity, topic: &str, qos: QoS, retain: bool) -> bool {
        AllowAll.may_publish(identity, topic, qos, retain)
            && self.0.may_publish(&client(identity), topic, qos.to_byte(), retain).allowed
    }

    fn may_subscribe(&self, identity: &Identity, filter: &str) -> bool {
        self.0.may_subscribe(&client(identity), filter).allowed
    }

    fn granted_qos(&self, identity: &Identity, filter: &str) -> QoS {
        let maximum_qos = self.0.may_subscribe(&client(identity), filter).maximum_qos;
        QoS::from_byte(maximum_qos).unwrap_or(QoS::AtMostOnce)
    }

    fn may_receive(&self, identity: &Identity, topic: &str) -> bool {
        self.0.may_receive(&client(identity), topic).allowed
    }

    fn answers_last(&self) -> bool {
        true
    }

    fn restricts_receiving(&self) -> bool {
        true
    }

    fn judges_origin(&self) -> bool {
        self.0.judges_origin()
    }
}
