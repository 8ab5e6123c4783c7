//! The broker as a whole: `/api/v1/broker`, `/listeners`, `/drops`.

use ferry_core::DropReason;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::health::{certificates, health_name};
use super::metrics::collect;
use super::problem::Problem;
use super::process::ProcessFigures;
use super::request::Call;
use super::state::InForce;
use crate::config::Limits;
use crate::config::option::Section;

/// Version, uptime, totals, limits.
///
/// # Errors
/// A shard does not answer in time.
pub(super) async fn broker(call: &Call) -> Result<Answer, Problem> {
    let figures = collect(&call.state).await?;
    let process = ProcessFigures::read();
    let config = &call.in_force.config;
    let limits: Map<String, Value> = Limits::SPEC
        .options
        .iter()
        .filter_map(|option| {
            let setting = config.limits.setting(option.key)?;
            Some((option.key.to_owned(), option.kind.show(&setting).into()))
        })
        .collect();
    Ok(Answer::json(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "name": config.server.name,
        "uptime_seconds": figures.uptime.as_secs(),
        "shards": figures.shard_count,
        "process": {
            "id": std::process::id(),
            "resident_bytes": process.as_ref().map(|process| process.resident_bytes),
            "cpu_seconds": process.as_ref().map(|process| process.cpu_seconds),
        },
        "clients_connected": figures.clients_connected,
        "connections": figures.connections,
        "sessions": figures.sessions,
        "subscriptions": figures.subscriptions + figures.shared_subscriptions,
        "retained_messages": figures.retained_messages,
        "retained_bytes": figures.retained_bytes,
        "queue_messages": figures.queued_messages,
        "queue_bytes": figures.queued_bytes,
        "inflight_messages": figures.inflight_messages,
        "messages_dropped": figures.totals.publish_dropped,
        "storage": figures.storage.as_ref().map_or("memory", |storage| health_name(&storage.health)),
        "traces": traces(&call.in_force),
        "certificates": certificates(&call.in_force),
        "limits": limits,
    })))
}

/// What became of spans; null while no collector is configured.
fn traces(in_force: &InForce) -> Value {
    let Some(endpoint) = &in_force.config.opentelemetry.endpoint else { return Value::Null };
    let spans = in_force.spans.figures();
    json!({
        "endpoint": endpoint,
        "spans_exported": spans.exported,
        "spans_dropped": spans.dropped(),
        "fault": spans.fault,
    })
}

/// Where clients connect.
pub(super) fn listeners(call: &Call) -> Answer {
    let authentication = &call.in_force.config.authentication;
    let items = call.in_force.listeners.iter().map(|listener| {
        let config = &listener.config;
        let versions = config.setting("protocol_versions");
        let versions = match versions {
            Some(crate::config::Setting::List(versions)) => versions,
            _ => Vec::new(),
        };
        json!({
            "address": listener.address.to_string(),
            "connections": listener.connections.taken(),
            "connections_max": config.connections_max,
            "maximum_qos": config.maximum_qos.to_byte(),
            "protocol_versions": versions,
            "allow_anonymous": config.anonymous_allowed(authentication),
        })
    });
    let items: Vec<Value> = items.collect();
    Answer::json(&json!({ "items": items, "next": null }))
}

/// What was discarded, by reason, with the client and the topic of the last copy.
///
/// # Errors
/// A shard does not answer in time.
pub(super) async fn drops(call: &Call) -> Result<Answer, Problem> {
    let ledgers = call.state.ask_all(|driver| driver.shard().counters().drops.clone()).await?;
    let items = DropReason::ALL.into_iter().map(|reason| {
        let entries = || ledgers.iter().map(move |ledger| ledger.entry(reason));
        let last = entries().filter(|entry| entry.count > 0).max_by_key(|entry| entry.count);
        json!({
            "reason": reason.name(),
            "count": entries().map(|entry| entry.count).sum::<u64>(),
            "last_client_id": last.map(|entry| &entry.last_client_id),
            "last_topic": last.map(|entry| &entry.last_topic),
        })
    });
    let items: Vec<Value> = items.collect();
    let total: u64 = ledgers.iter().map(|ledger| ledger.total()).sum();
    Ok(Answer::json(&json!({ "total": total, "items": items })))
}
