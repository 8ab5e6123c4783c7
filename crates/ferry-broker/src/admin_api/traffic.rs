//! `/api/v1/top-talkers` and `/api/v1/slow-subscribers`: who is much work, and for whom much waits.

use std::time::Duration;

use ferry_core::{DropReason, SessionCursor, SessionView, Shard, Timestamp};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::answer::Answer;
use super::client_rows::client_json;
use super::paging::SLICE_STEPS_MAX;
use super::problem::Problem;
use super::request::Call;

/// Clients in one list.
pub(super) const CLIENTS_MAX: u64 = 100;

const CLIENTS_DEFAULT: u64 = 20;

/// How long sessions are looked through for one request.
const SEARCH_MAX: Duration = Duration::from_secs(2);

/// Clients and the bytes that wait for each, most first.
type Slowest = Vec<(usize, String)>;

/// The clients with most traffic in the last one to two minutes.
///
/// # Errors
/// A parameter is wrong, or a shard does not answer in time.
pub(super) async fn top_talkers(call: &Call) -> Result<Answer, Problem> {
    let limit = limit(call)?;
    let shards = call.state.ask_all(move |driver| driver.top_talkers(limit)).await?;
    let now = call.state.clock.now();
    let error_bytes_max = shards.iter().map(|shard| shard.error_bytes_max).max().unwrap_or(0);
    let mut clients: Vec<_> = shards
        .into_iter()
        .flat_map(|shard| {
            let milliseconds = now.0.saturating_sub(shard.since.0).max(1);
            shard.clients.into_iter().map(move |(client_id, traffic)| (client_id, traffic, milliseconds))
        })
        .collect();
    clients.sort_by_key(|(_, traffic, _)| std::cmp::Reverse(traffic.bytes()));
    clients.truncate(limit);
    let items: Vec<Value> = clients
        .into_iter()
        .map(|(client_id, traffic, milliseconds)| {
            let per_second = |number: u64| number.saturating_mul(1000) / milliseconds;
            json!({
                "client_id": client_id,
                "bytes_received": traffic.bytes_received,
                "bytes_sent": traffic.bytes_sent,
                "messages_received": traffic.messages_received,
                "messages_sent": traffic.messages_sent,
                "bytes_per_second": per_second(traffic.bytes()),
                "messages_received_per_second": per_second(traffic.messages_received),
                "messages_sent_per_second": per_second(traffic.messages_sent),
                "seconds": milliseconds / 1000,
            })
        })
        .collect();
    Ok(Answer::json(&json!({ "items": items, "error_bytes_max": error_bytes_max })))
}

/// The clients for which most bytes wait, in their queues and to be written.
///
/// # Errors
/// A parameter is wrong, or a shard does not answer in time.
pub(super) async fn slow_subscribers(call: &Call) -> Result<Answer, Problem> {
    let limit = limit(call)?;
    let connected = call.query.flag("connected")?;
    let until = Instant::now() + SEARCH_MAX;
    let mut slowest = Slowest::new();
    let mut is_complete = true;
    for shard in 0..call.state.mailboxes.len() {
        let mut next = Some(SessionCursor::default());
        while let Some(cursor) = next {
            if Instant::now() >= until {
                is_complete = false;
                break;
            }
            let found = call.state.ask(shard, move |driver| slice(&driver.shard(), cursor, connected, limit));
            let (found, rest) = found.await?;
            slowest.extend(found);
            keep_slowest(&mut slowest, limit);
            next = rest;
        }
    }
    let mut items = Vec::with_capacity(slowest.len());
    for (_, client_id) in slowest {
        let now = call.state.clock.now();
        let asked = client_id.clone();
        let row = call.state.ask_home(&client_id, move |driver| {
            let shard = driver.shard();
            shard.session(&asked).map(|session| row(&shard, &session, now))
        });
        items.extend(row.await?);
    }
    Ok(Answer::json(&json!({ "items": items, "is_complete": is_complete })))
}

fn limit(call: &Call) -> Result<usize, Problem> {
    // It is at most 100.
    Ok(call.query.number("limit", 1, CLIENTS_MAX)?.unwrap_or(CLIENTS_DEFAULT) as usize)
}

fn slice(
    shard: &Shard,
    cursor: SessionCursor,
    connected: Option<bool>,
    limit: usize,
) -> (Slowest, Option<SessionCursor>) {
    let mut slowest: Vec<(usize, &str)> = Vec::new();
    let rest = shard.visit_sessions(cursor, SLICE_STEPS_MAX, |session| {
        let bytes = waiting_bytes(shard, &session);
        if bytes > 0 && connected.is_none_or(|connected| connected == session.conn.is_some()) {
            slowest.push((bytes, session.client_id));
        }
        true
    });
    keep_slowest(&mut slowest, limit);
    (slowest.into_iter().map(|(bytes, client_id)| (bytes, client_id.to_owned())).collect(), rest)
}

fn keep_slowest<T: Ord>(slowest: &mut Vec<(usize, T)>, limit: usize) {
    slowest.sort_unstable_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    slowest.truncate(limit);
}

fn waiting_bytes(shard: &Shard, session: &SessionView<'_>) -> usize {
    let conn = session.conn.and_then(|conn| shard.conn_view(conn));
    session.queued_bytes + conn.map_or(0, |conn| conn.unwritten_bytes)
}

/// What is told of a client for which something waits.
fn row(shard: &Shard, session: &SessionView<'_>, now: Timestamp) -> Value {
    let mut row = client_json(shard, session, now);
    let oldest = session.oldest_queued_at.map(|at| now.0.saturating_sub(at.0));
    row["waiting_bytes"] = waiting_bytes(shard, session).into();
    row["oldest_waiting_milliseconds"] = oldest.into();
    let drops = shard.counters().drops.of_client(session.client_id);
    let counted = drops.into_iter().flat_map(|drops| DropReason::ALL.into_iter().zip(drops.counts));
    let counted = counted.filter(|(_, count)| *count > 0);
    row["drops"] = Value::Object(
        counted.map(|(reason, count)| (reason.name().to_owned(), count.into())).collect::<Map<_, _>>(),
    );
    row
}
