use std::fmt;

use ferry_auth::{Access, AclReason};

use crate::config::{Config, Problems, read_acl_file};

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
    Publish,
    /// Subscribe to a filter.
    Subscribe,
    /// Be sent a message on a topic.
    Receive,
}

/// Says which rule of `config` decides whether a client, anonymous without `user_name`, may do something with `topic`.
///
/// # Errors
/// The files that the configuration names cannot be used.
pub fn explain(
    config: &Config,
    user_name: Option<&str>,
    client_id: &str,
    action: Action,
    topic: &str,
) -> Result<Explanation, Problems> {
    let answer = |allowed, words: &str| Ok(Explanation { allowed, words: words.to_owned() });
    if action == Action::Publish && (topic == "$SYS" || topic.starts_with("$SYS/")) {
        return answer(false, "only the broker publishes below $SYS");
    }
    let Some(path) = &config.authorization.acl_file else {
        return answer(true, "there are no rules: authorization.acl_file is not set");
    };
    let file = read_acl_file(path, &mut Vec::new()).map_err(Problems)?;
    let access = match action {
        Action::Subscribe => {
            let words = "with an ACL file every subscription is accepted; each message is judged when it is to be sent: \
                         ask with `receive TOPIC`";
            return answer(true, words);
        }
        Action::Receive => Access::Read,
        Action::Publish => Access::Write,
    };
    let decision = file.decide(user_name, client_id, topic, access);
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
