use std::fmt;
use std::path::Path;

use ferry_auth::{Access, AclReason, RuleClient, RuleDecision, RuleOrigin, RuleReason, RulesFile};
use ferry_codec::QoS;
use ferry_codec::topic::parse_shared;

use crate::config::{Config, Problems, read_acl_file, read_rules_file};

/// Which rule of a configuration decides about something that a client wants, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Whether it may.
    pub allowed: bool,
    words: String,
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", if self.allowed { "allowed" } else { "denied" }, self.words)
    }
}

/// What a client may want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Publish to a topic.
    Publish {
        /// How.
        qos: QoS,
        /// As the topic's retained message.
        retain: bool,
    },
    /// Subscribe to a filter.
    Subscribe,
    /// Be sent a message on a topic.
    Receive,
}

/// Who wants something.
#[derive(Clone, Copy, Debug, Default)]
pub struct Applicant<'a> {
    /// The name that was proven; `None` for an anonymous client.
    pub user_name: Option<&'a str>,
    /// The client identifier.
    pub client_id: &'a str,
    /// Its address, with or without a port; rules about addresses are not for an empty one.
    pub peer_address: &'a str,
    /// Common name of its verified certificate.
    pub certificate_common_name: Option<&'a str>,
}

/// Says which rule of `config` decides whether a client may do something with `topic`, a filter for subscribing.
///
/// # Errors
/// The files that the configuration names cannot be used.
pub fn explain(
    config: &Config,
    applicant: &Applicant<'_>,
    action: Action,
    topic: &str,
) -> Result<Explanation, Problems> {
    let answer = |allowed, words: &str| Ok(Explanation { allowed, words: words.to_owned() });
    if matches!(action, Action::Publish { .. }) && (topic == "$SYS" || topic.starts_with("$SYS/")) {
        return answer(false, "only the broker publishes below $SYS");
    }
    let authorization = &config.authorization;
    if let Some(path) = &authorization.rules_file {
        let file = read_rules_file(path, &mut Vec::new()).map_err(Problems)?;
        return Ok(explain_rules(path, &file, applicant, action, topic));
    }
    let Some(path) = &authorization.acl_file else {
        let words = "there are no rules: neither authorization.rules_file nor authorization.acl_file is set";
        return answer(true, words);
    };
    let file = read_acl_file(path, &mut Vec::new()).map_err(Problems)?;
    let access = match action {
        Action::Subscribe => {
            let words = "with an ACL file every subscription is accepted; each message is judged when it is to be sent: \
                         ask with `receive TOPIC`";
            return answer(true, words);
        }
        Action::Receive => Access::Read,
        Action::Publish { .. } => Access::Write,
    };
    let decision = file.decide(applicant.user_name, applicant.client_id, topic, access);
    let words = match decision.reason {
        AclReason::Line(line) => {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let rule = text.lines().nth(line - 1).unwrap_or_default().trim();
            format!("{}:{line}: {rule}", path.display())
        }
        reason => format!("{}: {reason}", path.display()),
    };
    answer(decision.allowed, &words)
}

fn explain_rules(
    path: &Path,
    file: &RulesFile,
    applicant: &Applicant<'_>,
    action: Action,
    topic: &str,
) -> Explanation {
    let origin = RuleOrigin {
        peer_address: applicant.peer_address,
        certificate_common_name: applicant.certificate_common_name,
        grants: None,
    };
    let client =
        RuleClient { user_name: applicant.user_name, client_id: applicant.client_id, origin: Some(origin) };
    let RuleDecision { allowed, maximum_qos, reason } = match action {
        Action::Publish { qos, retain } => file.may_publish(&client, topic, qos.to_byte(), retain),
        // For a shared subscription the broker asks about what is behind the group.
        Action::Subscribe => {
            let shared = parse_shared(topic).ok().flatten();
            file.may_subscribe(&client, shared.map_or(topic, |shared| shared.filter))
        }
        Action::Receive => file.may_receive(&client, topic),
    };
    let place = path.display();
    let shown = |rule: usize| {
        let line = file.line(rule).unwrap_or_default();
        format!("{place}:{line}: {}", file.words(rule))
    };
    let words = match reason {
        RuleReason::Rule(rule) if allowed && action == Action::Subscribe && maximum_qos < 2 => {
            format!("{} (QoS {maximum_qos} is granted at most)", shown(rule))
        }
        RuleReason::Rule(rule) => shown(rule),
        RuleReason::NoRule => format!("{place}: no rule matches"),
        RuleReason::QosAbove(rule) => format!("{} (the QoS is above that)", shown(rule)),
        RuleReason::Retain(rule) => format!("{} (and this would be retained)", shown(rule)),
        RuleReason::Reaches { topic, rule: Some(rule) } => {
            format!("{} (the filter reaches {topic})", shown(rule))
        }
        RuleReason::Reaches { topic, rule: None } => {
            format!("{place}: no rule matches {topic}, which the filter reaches")
        }
        // Of a client that is only described there are no grants.
        RuleReason::Own(_) | RuleReason::NotKnown => format!("{place}: no rule matches"),
        RuleReason::TooManyTopics => {
            format!("{place}: the rules tell too many of the topics apart that the filter matches")
        }
    };
    Explanation { allowed, words }
}
