//! `/api/v1/clients/{client_id}/history`: why a client was refused, disconnected, or not delivered to.

use ferry_core::DropReason;
use serde_json::{Value, json};

use super::answer::Answer;
use super::problem::Problem;
use super::request::Call;
use crate::driver::Decision;

/// What is remembered of a client, which need not have a session.
///
/// # Errors
/// The shard does not answer in time.
pub(super) async fn history(call: &Call) -> Result<Answer, Problem> {
    let client_id = call.captured.clone();
    let found = call.state.ask_home(&call.captured, move |driver| {
        let shard = driver.shard();
        let session = shard.session(&client_id).map(|session| session.conn.is_some());
        (driver.decisions(&client_id), shard.counters().drops.of_client(&client_id).cloned(), session)
    });
    let (decisions, drops, connected) = found.await?;
    let counted = drops.iter().flat_map(|drops| DropReason::ALL.into_iter().zip(drops.counts));
    let counted = counted.filter(|(_, count)| *count > 0);
    let counted: Vec<Value> =
        counted.map(|(reason, count)| json!({ "reason": reason.name(), "count": count })).collect();
    Ok(Answer::json(&json!({
        "client_id": call.captured,
        "has_session": connected.is_some(),
        "is_connected": connected == Some(true),
        "decisions": decisions.iter().map(decision_json).collect::<Vec<_>>(),
        "drops": counted,
        "last_dropped_topic": drops.map(|drops| drops.last_topic),
    })))
}

fn decision_json(decision: &Decision) -> Value {
    json!({
        "what": decision.what.name(),
        "at_milliseconds": decision.at.0,
        "reason_code": decision.reason_code.code(),
        "reason": decision.reason_code.name(),
        "detail": decision.detail,
        "address": decision.peer_address,
        "listener": decision.listener.name,
        "count": decision.count,
    })
}
