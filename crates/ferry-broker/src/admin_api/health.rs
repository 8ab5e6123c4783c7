//! `/health`: does the process work? `/ready`: is it to be sent clients?

use ferry_store::Health;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::answer::Answer;
use super::problem::Problem;
use super::request::Call;
use super::state::InForce;
use crate::accept::Strain;

/// All shards take turns.
///
/// # Errors
/// One does not.
pub(super) async fn health(call: &Call) -> Result<Answer, Problem> {
    let shards = call.state.ask_all(|_| ()).await?;
    let certificates = certificates(&call.in_force);
    Ok(Answer::json(&json!({ "status": "ok", "shards": shards.len(), "certificates": certificates })))
}

/// Until when the certificates and revocation lists are good, each file once.
pub(super) fn certificates(in_force: &InForce) -> Value {
    let files = in_force.file_ends(|_| true);
    files.into_iter().map(|(file, seconds)| json!({ "file": file, "ends_at_seconds": seconds })).collect()
}

/// Clients can connect, and what they send can be stored.
pub(super) fn ready(call: &Call) -> Answer {
    let storage = call.state.storage.as_ref().map(|storage| storage.figures().health);
    let (name, words) = match &storage {
        None => ("memory", None),
        Some(health @ Health::Writable) => (health_name(health), None),
        Some(health) => (health_name(health), Some(health.to_string())),
    };
    let is_stopping = call.state.is_stopping();
    let strain = call.state.accepting.overload.strain(call.state.clock.now());
    let words = words.or_else(|| strain.map(|strain| strain.words().to_owned()));
    let is_ready = !is_stopping && words.is_none();
    let answer = Answer::json(&json!({
        "status": if is_ready { "ready" } else { "not ready" },
        "listeners": if is_stopping { "closed" } else { "open" },
        "storage": name,
        "overload": strain.map(Strain::name),
        "detail": words,
    }));
    if is_ready { answer } else { answer.with_status(StatusCode::SERVICE_UNAVAILABLE) }
}

/// The state of the store in one word.
pub(super) fn health_name(health: &Health) -> &'static str {
    match health {
        Health::Writable => "writable",
        Health::Full { .. } => "full",
        Health::Failed { .. } => "failed",
    }
}
