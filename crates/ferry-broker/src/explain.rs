use std::fmt;
use std::path::Path;

use ferry_auth::{
    Access, AclFile, AclReason, ClientCertificate, Grants, ManagedRoles, RuleClient, RuleDecision,
    RuleOrigin, RuleReason, RulesFile,
};
use ferry_codec::QoS;
use ferry_codec::topic::parse_shared;

use crate::config::{Config, Place, Problem, Problems};
use crate::rights::Rights;
use crate::role_store::RoleStore;
use crate::start_error::StartError;

/// Which rule of a configuration decides about something that a client wants, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Whether it may.
    pub allowed: bool,
    words: String,
}

impl Explanation {
    /// The rule that decides, and where it is.
    pub(crate) fn words(&self) -> &str {
        &self.words
    }
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
    /// The whole subject of its certificate.
    pub certificate_subject: Option<&'a str>,
    /// Alternative names of its certificate, such as `DNS:pump-7.example`.
    pub certificate_alternative_names: &'a [String],
    /// SHA-256 of its certificate in hexadecimal digits, with or without colons.
    pub certificate_fingerprint: Option<&'a str>,
    /// Roles that it has by its token or from the hook.
    pub roles: &'a [String],
}

/// Says which rule of `config`, or of the roles in its data directory, decides whether a client may do something with `topic`, a
/// filter for subscribing.
///
/// # Errors
/// The files that the configuration names, or that of the roles, cannot be used.
pub fn explain(
    config: &Config,
    applicant: &Applicant<'_>,
    action: Action,
    topic: &str,
) -> Result<Explanation, Problems> {
    let rights = Rights::read(config)?;
    let directory = config.storage.directory().filter(|_| rights.has_roles);
    let roles = RoleStore::open(directory.as_deref()).map_err(|error| wrong_roles(&error))?;
    Ok(explain_rights(&rights, roles.roles(), applicant, action, topic))
}

/// As [`explain`], by rights that have been read.
pub(crate) fn explain_rights(
    rights: &Rights,
    roles: &ManagedRoles,
    applicant: &Applicant<'_>,
    action: Action,
    topic: &str,
) -> Explanation {
    let answer = |allowed, words: &str| Explanation { allowed, words: words.to_owned() };
    if matches!(action, Action::Publish { .. }) && (topic == "$SYS" || topic.starts_with("$SYS/")) {
        return answer(false, "only the broker publishes below $SYS");
    }
    let Some((path, acl)) = &rights.acl else {
        if rights.rules.is_none() && !rights.has_roles {
            let words = "there are no rules: neither authorization.rules_file nor acl_file nor roles is set";
            return answer(true, words);
        }
        return explain_rules(rights, roles, applicant, action, topic);
    };
    let access = match action {
        Action::Subscribe => {
            let words = "with an ACL file every subscription is accepted; each message is judged when it is to be sent: \
                         ask with `receive TOPIC`";
            return answer(true, words);
        }
        Action::Receive => Access::Read,
        Action::Publish { .. } => Access::Write,
    };
    let by_acl = explain_acl(path, acl, applicant, access, topic);
    match by_acl {
        Ok(explanation) => explanation,
        Err(_) if rights.has_roles => explain_rules(rights, roles, applicant, action, topic),
        Err(nothing) => nothing,
    }
}

/// What the lines of an ACL file say; an error if none matches.
fn explain_acl(
    path: &Path,
    acl: &AclFile,
    applicant: &Applicant<'_>,
    access: Access,
    topic: &str,
) -> Result<Explanation, Explanation> {
    let decision = acl.decide(applicant.user_name, applicant.client_id, topic, access);
    let explanation = |words| Explanation { allowed: decision.allowed, words };
    match decision.reason {
        AclReason::Line(line) => {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let rule = text.lines().nth(line - 1).unwrap_or_default().trim();
            Ok(explanation(format!("{}:{line}: {rule}", path.display())))
        }
        reason => {
            let words = explanation(format!("{}: {reason}", path.display()));
            if decision.allowed { Ok(words) } else { Err(words) }
        }
    }
}

fn explain_rules(
    rights: &Rights,
    roles: &ManagedRoles,
    applicant: &Applicant<'_>,
    action: Action,
    topic: &str,
) -> Explanation {
    let fingerprint = applicant.certificate_fingerprint.unwrap_or_default();
    let certificate = ClientCertificate {
        subject: applicant.certificate_subject.unwrap_or_default().into(),
        alternative_names: applicant
            .certificate_alternative_names
            .iter()
            .map(|name| (&**name).into())
            .collect(),
        fingerprint: fingerprint.replace(':', "").to_ascii_lowercase().into(),
    };
    let grants = Grants::of_roles(applicant.roles.iter().map(String::as_str));
    let origin = RuleOrigin {
        peer_address: applicant.peer_address,
        certificate_common_name: applicant.certificate_common_name,
        certificate: Some(&certificate),
        grants: Some(&grants),
    };
    let client =
        RuleClient { user_name: applicant.user_name, client_id: applicant.client_id, origin: Some(origin) };
    let rules = rights.rules_with(roles);
    let RuleDecision { allowed, maximum_qos, reason } = match action {
        Action::Publish { qos, retain } => rules.may_publish(&client, topic, qos.to_byte(), retain),
        // For a shared subscription the broker asks about what is behind the group.
        Action::Subscribe => {
            let shared = parse_shared(topic).ok().flatten();
            rules.may_subscribe(&client, shared.map_or(topic, |shared| shared.filter))
        }
        Action::Receive => rules.may_receive(&client, topic),
    };
    let asked = asked(rights);
    let shown = |rule: usize| shown(rights, &rules, rule);
    let words = match reason {
        RuleReason::Rule(rule) if allowed && action == Action::Subscribe && maximum_qos < 2 => {
            format!("{} (QoS {maximum_qos} is granted at most)", shown(rule))
        }
        RuleReason::Rule(rule) => shown(rule),
        RuleReason::NoRule => format!("{asked}: no rule matches"),
        RuleReason::QosAbove(rule) => format!("{} (the QoS is above that)", shown(rule)),
        RuleReason::Retain(rule) => format!("{} (and this would be retained)", shown(rule)),
        RuleReason::Reaches { topic, rule: Some(rule) } => {
            format!("{} (the filter reaches {topic})", shown(rule))
        }
        RuleReason::Reaches { topic, rule: None } => {
            format!("{asked}: no rule matches {topic}, which the filter reaches")
        }
        // Of a client that is only described there are no rules of its own.
        RuleReason::Own(_) | RuleReason::NotKnown => format!("{asked}: no rule matches"),
        RuleReason::TooManyTopics => {
            format!("{asked}: the rules tell too many of the topics apart that the filter matches")
        }
    };
    Explanation { allowed, words }
}

/// A rule with its place.
fn shown(rights: &Rights, rules: &RulesFile, rule: usize) -> String {
    let (line, words) = (rules.line(rule).unwrap_or_default(), rules.words(rule));
    match (rules.role(rule), &rights.rules) {
        (Some(role), _) => format!("role {role}, line {line}: {words}"),
        (None, Some((path, _))) => format!("{}:{line}: {words}", path.display()),
        (None, None) => words,
    }
}

/// Where it was looked for rules.
fn asked(rights: &Rights) -> String {
    let path = rights.rules.as_ref().map(|(path, _)| path).or(rights.acl.as_ref().map(|(path, _)| path));
    match (path, rights.has_roles) {
        (Some(path), false) => path.display().to_string(),
        (Some(path), true) => format!("{} and roles", path.display()),
        (None, _) => "roles".to_owned(),
    }
}

fn wrong_roles(error: &StartError) -> Problems {
    let (place, message) = match error {
        StartError::Managed { file, message } => {
            (Place::WholeFile(file.display().to_string()), message.clone())
        }
        other => (Place::Default, other.to_string()),
    };
    let remedy = "correct the file, or ask the running broker with `ferry ctl why`".to_owned();
    Problems(vec![Problem { place, option: "authorization.roles".to_owned(), message, remedy }])
}
