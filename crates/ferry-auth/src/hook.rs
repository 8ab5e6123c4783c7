//! What a hook, a server that is asked who a client is, is told, and what it answers.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::shown::shown;
use crate::{Credentials, Grants, GrantsFault};

/// Bytes of a user name: what MQTT has room for (section 1.5.4).
const USER_NAME_BYTES_MAX: usize = 65_535;

/// What a hook says about a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookAnswer {
    /// It is let in.
    Allow {
        /// The name that permissions go by, if it is not the one that the client has given.
        user_name: Option<Box<str>>,
        /// When its connection is to end; `None` for never.
        until_unix_seconds: Option<u64>,
        /// What it may do beyond what is said of its name.
        grants: Option<Arc<Grants>>,
    },
    /// It is not let in.
    Deny {
        /// Why, for the log, shortened.
        reason: Option<Box<str>>,
    },
    /// The next judge is asked.
    Ignore,
}

/// Why an answer is none. It never repeats the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookFault {
    /// It is not a JSON object.
    NotJson,
    /// A member is missing, or not of its type.
    Member(&'static str),
    /// What it grants cannot be read.
    Grants(GrantsFault),
}

impl fmt::Display for HookFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => formatter.write_str("its answer is not a JSON object"),
            Self::Grants(fault) => fault.fmt(formatter),
            Self::Member(name) => {
                write!(formatter, "its answer has no {name}, or one that is not what it must be")
            }
        }
    }
}

impl std::error::Error for HookFault {}

/// The JSON object that a hook is sent about a client.
#[must_use]
pub fn hook_question(credentials: &Credentials) -> String {
    let password = credentials.password.as_deref();
    let password_text = password.and_then(|password| std::str::from_utf8(password).ok());
    let certificate = credentials.certificate.as_deref();
    let mut question = json!({
        "client_id": credentials.client_id,
        "user_name": credentials.user_name,
        "password": password_text,
        "address": credentials.host(),
        "listener": credentials.listener,
        "certificate_common_name": credentials.certificate_common_name,
        "certificate_subject": certificate.map(|certificate| &certificate.subject),
        "certificate_alternative_names": certificate.map(|certificate| &certificate.alternative_names),
        "certificate_fingerprint": certificate.map(|certificate| &certificate.fingerprint),
        "protocol_version": credentials.protocol_version,
    });
    if let (Some(password), None) = (password, password_text) {
        question["password_base64"] = STANDARD.encode(password).into();
    }
    question.to_string()
}

impl HookAnswer {
    /// Reads the body of an answer. Members that are not known are skipped.
    ///
    /// # Errors
    /// It is not what a hook may answer.
    pub fn parse(body: &[u8]) -> Result<Self, HookFault> {
        let answer: Map<String, Value> = serde_json::from_slice(body).map_err(|_| HookFault::NotJson)?;
        match answer.get("result").and_then(Value::as_str) {
            Some("allow") => Self::allow(&answer),
            Some("deny") => {
                let reason = answer.get("reason").and_then(Value::as_str);
                Ok(Self::Deny { reason: reason.map(|reason| shown(reason).into()) })
            }
            Some("ignore") => Ok(Self::Ignore),
            _ => Err(HookFault::Member("result")),
        }
    }

    fn allow(answer: &Map<String, Value>) -> Result<Self, HookFault> {
        let is_name =
            |name: &&str| !name.is_empty() && name.len() <= USER_NAME_BYTES_MAX && !name.contains('\0');
        let user_name = present(answer, "user_name")
            .map(|name| name.as_str().filter(is_name).ok_or(HookFault::Member("user_name")))
            .transpose()?;
        let until_unix_seconds = present(answer, "expire_at")
            .map(|time| time.as_u64().ok_or(HookFault::Member("expire_at")))
            .transpose()?;
        let grants = Grants::parse(present(answer, "roles"), present(answer, "acl"));
        let grants = grants.map_err(HookFault::Grants)?;
        Ok(Self::Allow { user_name: user_name.map(Into::into), until_unix_seconds, grants })
    }
}

/// A member, unless it is `null`.
fn present<'a>(answer: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    answer.get(name).filter(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let parse = |body: &str| HookAnswer::parse(body.as_bytes());
        let allow = |user_name: Option<&str>, until_unix_seconds| {
            Ok(HookAnswer::Allow { user_name: user_name.map(Into::into), until_unix_seconds, grants: None })
        };
        assert_eq!(parse(r#"{"result":"allow","x":[]}"#), allow(None, None));
        assert_eq!(
            parse(r#"{"result":"allow","user_name":"ada","expire_at":1900000000}"#),
            allow(Some("ada"), Some(1_900_000_000))
        );
        assert_eq!(parse(r#"{"result":"allow","user_name":null,"expire_at":null}"#), allow(None, None));
        assert_eq!(parse(r#"{"result":"ignore","user_name":7}"#), Ok(HookAnswer::Ignore));
        let Ok(HookAnswer::Deny { reason: Some(reason) }) =
            parse(&format!(r#"{{"result":"deny","reason":"{}"}}"#, "x".repeat(1000)))
        else {
            panic!("not denied");
        };
        assert!(reason.len() < 100, "{reason}");
        assert_eq!(parse(r#"{"result":"deny","reason":7}"#), Ok(HookAnswer::Deny { reason: None }));
        assert_eq!(parse("null"), Err(HookFault::NotJson));
        assert_eq!(parse("{}"), Err(HookFault::Member("result")));
        assert_eq!(parse(r#"{"result":"allow","user_name":"a\u0000"}"#), Err(HookFault::Member("user_name")));
        assert_eq!(parse(r#"{"result":"allow","expire_at":1.5}"#), Err(HookFault::Member("expire_at")));
    }
}
