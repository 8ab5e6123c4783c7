//! `/health`: does the process work? `/ready`: is it to be sent clients?

use ferry_store::Health;
use hyper::StatusCode;
use serde_json::json;

use super::answer::Answer;
use super::problem::Problem;
use super::request::Call;

/// All shards take turns.
///
/// # Errors
/// One does not.
pub(super) async fn health(call: &Call) -> Result<Answer, Problem> {
    let shards = call.state.ask_all(|_| ()).await?;
    Ok(Answer::json(&json!({ "status": "ok", "shards": shards.len() })))
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
    let is_ready = !is_stopping && words.is_none();
    let answer = Answer::json(&json!({
        "status": if is_ready { "ready" } else { "not ready" },
        "listeners": if is_stopping { "closed" } else { "open" },
        "storage": name,
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
