use ferry_codec::QoS;
use ferry_core::{AllowAll, Authorizer, Identity};

use crate::rules_authorizer::rule_client;

/// Judges clients by the rules that they have by their token or from the hook, where no file says anything; those without may do
/// what [`AllowAll`] allows.
///
/// Of a client that has not come back after a restart nobody knows the rules. Only its will could be published, which was judged
/// when it connected; what it is sent is judged again when it is back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GrantsAuthorizer;

impl Authorizer for GrantsAuthorizer {
    fn may_publish(&self, identity: &Identity, topic: &str, qos: QoS, retain: bool) -> bool {
        let client = rule_client(identity);
        AllowAll.may_publish(identity, topic, qos, retain)
            && client
                .own_rules()
                .is_none_or(|own| own.may_publish(&client, topic, qos.to_byte(), retain).allowed)
    }

    fn may_subscribe(&self, identity: &Identity, filter: &str) -> bool {
        let client = rule_client(identity);
        client.own_rules().is_none_or(|own| own.may_subscribe(&client, filter).allowed)
    }

    fn granted_qos(&self, identity: &Identity, filter: &str) -> QoS {
        let client = rule_client(identity);
        let decision = client.own_rules().map(|own| own.may_subscribe(&client, filter));
        let maximum_qos = decision.map_or(2, |decision| decision.maximum_qos);
        QoS::from_byte(maximum_qos).unwrap_or(QoS::AtMostOnce)
    }

    fn may_receive(&self, identity: &Identity, topic: &str) -> bool {
        let client = rule_client(identity);
        client.own_rules().is_none_or(|own| own.may_receive(&client, topic).allowed)
    }

    fn answers_last(&self) -> bool {
        true
    }

    fn restricts_receiving(&self) -> bool {
        true
    }

    fn judges_origin(&self) -> bool {
        true
    }
}
