//! `/api/v1/why`: which of the rules in force decides.

use ferry_codec::QoS;
use serde_json::json;

use super::answer::Answer;
use super::problem::Problem;
use super::request::Call;
use super::roles::of_program;
use crate::explain::{Action, Applicant, explain_rights};

/// What somebody may do, and why.
///
/// # Errors
/// A parameter is wrong, or the program judges rights itself.
pub(super) fn why(call: &Call) -> Result<Answer, Problem> {
    let query = &call.query;
    let action = match query.get("action") {
        Some("publish") => {
            let qos = query.number("qos", 0, 2)?.and_then(|qos| QoS::from_byte(qos as u8));
            let retain = query.flag("retain")?.unwrap_or(false);
            Action::Publish { qos: qos.unwrap_or(QoS::AtMostOnce), retain }
        }
        Some("subscribe") => Action::Subscribe,
        Some("receive") => Action::Receive,
        _ => {
            let remedy = "give publish, subscribe or receive";
            return Err(Problem::bad_request("action is nothing that a client does", remedy));
        }
    };
    let topic = query.get("topic").unwrap_or_default();
    if topic.is_empty() || topic.contains('\0') {
        return Err(Problem::bad_request("topic is neither a topic nor a filter", "give a whole one"));
    }
    let roles: Vec<String> = query.get("roles").map_or_else(Vec::new, |roles| {
        roles.split(',').filter(|role| !role.is_empty()).map(str::to_owned).collect()
    });
    let alternative_names: Vec<String> =
        query.get("certificate_san").map(str::to_owned).into_iter().collect();
    let applicant = Applicant {
        user_name: query.get("user").filter(|user| !user.is_empty()),
        client_id: query.get("client_id").unwrap_or_default(),
        peer_address: query.get("address").unwrap_or_default(),
        certificate_common_name: query.get("certificate").filter(|name| !name.is_empty()),
        certificate_subject: query.get("certificate_subject"),
        certificate_alternative_names: &alternative_names,
        certificate_fingerprint: query.get("certificate_fingerprint"),
        roles: &roles,
    };
    let explained = call.state.access.rights(|in_force| {
        explain_rights(&in_force.rights, in_force.roles.roles(), &applicant, action, topic)
    });
    let explained = explained.ok_or_else(of_program)?;
    Ok(Answer::json(&json!({ "allowed": explained.allowed, "reason": explained.words() })))
}
