//! Who may connect and do what, as a script's header says.

use ferry_codec::topic::matches;
use ferry_codec::{QoS, ReasonCode};
use ferry_core::{AllowAll, AuthOutcome, AuthStep, Authorizer, Credentials, Identity, Timestamp};

use crate::script::Header;

/// Passwords and denials.
#[derive(Debug, Clone, Default)]
pub struct Access {
    passwords: Vec<(String, String)>,
    /// `publish FILTER`, `subscribe FILTER`, `receive FILTER`
    denials: Vec<(String, String)>,
}

impl Access {
    /// What a script asks for.
    #[must_use]
    pub fn new(header: &Header) -> Self {
        let mut access = Self { passwords: header.passwords.clone(), denials: Vec::new() };
        header.deny.iter().for_each(|rule| access.deny(rule));
        access
    }

    /// One rule more, `publish FILTER` or the like.
    pub fn deny(&mut self, rule: &str) {
        let (action, filter) = rule.split_once(' ').unwrap_or((rule, "#"));
        self.denials.push((action.to_owned(), filter.to_owned()));
    }

    fn allows(&self, action: &str, topic: &str) -> bool {
        !self
            .denials
            .iter()
            .any(|(denied, filter)| denied == action && (filter == topic || matches(filter, topic)))
    }
}

impl Authorizer for Access {
    fn may_publish(&self, identity: &Identity, topic: &str, qos: QoS, retain: bool) -> bool {
        AllowAll.may_publish(identity, topic, qos, retain) && self.allows("publish", topic)
    }

    fn may_subscribe(&self, _identity: &Identity, filter: &str) -> bool {
        self.allows("subscribe", filter)
    }

    fn may_receive(&self, _identity: &Identity, topic: &str) -> bool {
        self.allows("receive", topic)
    }

    fn restricts_receiving(&self) -> bool {
        self.denials.iter().any(|(action, _)| action == "receive")
    }
}

/// The answer to one step of a client's authentication.
pub(super) fn judge(access: &Access, enhanced_method: Option<&str>, step: &AuthStep) -> AuthOutcome {
    match step {
        AuthStep::Connect(credentials) => password(access, credentials),
        AuthStep::Start { method, .. } if Some(method.as_ref()) != enhanced_method => {
            reject(ReasonCode::BAD_AUTHENTICATION_METHOD)
        }
        AuthStep::Start { data, .. } | AuthStep::Continue { data } => match data.as_deref() {
            Some(b"right") => AuthOutcome::Accept {
                user_name: None,
                data: Some((*b"done").into()),
                until: Timestamp::NEVER,
                grants: None,
            },
            Some(b"wrong") => reject(ReasonCode::NOT_AUTHORIZED),
            _ => AuthOutcome::Continue { data: Some((*b"more?").into()) },
        },
    }
}

fn password(access: &Access, credentials: &Credentials) -> AuthOutcome {
    let user_name = credentials.user_name.clone();
    let given = (credentials.user_name.as_deref(), credentials.password.as_deref());
    let known =
        |(user, password): &(String, String)| given == (Some(user.as_str()), Some(password.as_bytes()));
    if access.passwords.is_empty() || access.passwords.iter().any(known) {
        AuthOutcome::Accept { user_name, data: None, until: Timestamp::NEVER, grants: None }
    } else {
        reject(ReasonCode::BAD_USER_NAME_OR_PASSWORD)
    }
}

fn reject(reason_code: ReasonCode) -> AuthOutcome {
    AuthOutcome::Reject {
        reason_code,
        reason_string: Some("not you".into()),
        server_reference: None,
        detail: None,
    }
}
