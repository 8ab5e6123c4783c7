//! `/api/v1/retained`: retained messages.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ferry_codec::topic::validate_topic_filter;
use ferry_codec::{DecodeLimits, MessageProperties, QoS};
use ferry_core::{Event, RetainedMessage, ServerPublish};
use ferry_router::RetainedCursor;
use serde_json::{Value, json};

use super::answer::Answer;
use super::paging::{SLICE_STEPS_MAX, SLICES_MAX, limit, wrong_cursor};
use super::problem::Problem;
use super::request::Call;
use super::subscriptions::check_topic;

/// Topics that one request deletes.
const DELETED_MAX: usize = 1_000;

/// Topics that are deleted within one turn: each is a message to its subscribers.
const DELETED_IN_TURN_MAX: usize = 64;

/// A page of the retained messages.
///
/// # Errors
/// A parameter is wrong.
pub(super) fn list(call: &Call) -> Result<Answer, Problem> {
    let (filter, limit) = (filter(call)?, limit(call)?);
    let mut cursor = match call.query.get("cursor") {
        None => RetainedCursor::default(),
        Some(text) => {
            let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong_cursor())?;
            let text = String::from_utf8(bytes).map_err(|_| wrong_cursor())?;
            RetainedCursor::from_text(&text).ok_or_else(wrong_cursor)?
        }
    };
    let mut items: Vec<Value> = Vec::new();
    let mut is_complete = false;
    for _ in 0..SLICES_MAX {
        // Each step may find one.
        let steps = SLICE_STEPS_MAX.min(limit - items.len());
        is_complete =
            call.state.shared.retained.for_each_matching(filter, &mut cursor, steps, |_, message| {
                items.push(message_json(message));
            });
        if is_complete || items.len() >= limit {
            break;
        }
    }
    let next = (!is_complete).then(|| URL_SAFE_NO_PAD.encode(cursor.to_text()));
    Ok(Answer::json(&json!({ "items": items, "next": next })))
}

/// One message with its payload.
///
/// # Errors
/// There is none.
pub(super) fn show(call: &Call) -> Result<Answer, Problem> {
    let topic = call.query.get("topic").unwrap_or_default();
    check_topic(topic)?;
    let Some(message) = call.state.shared.retained.get(topic) else {
        return Err(Problem::not_found(
            format!("nothing is retained for {topic:?}"),
            "see /api/v1/retained?filter=%23 for what is",
        ));
    };
    let mut json = message_json(&message);
    match std::str::from_utf8(&message.payload) {
        Ok(text) => json["payload"] = text.into(),
        Err(_) => json["payload_base64"] = STANDARD.encode(&*message.payload).into(),
    }
    Ok(Answer::json(&json))
}

/// Deletes messages as a client would: by an empty retained message for each.
///
/// # Errors
/// The filter is wrong, or the shard does not answer in time.
pub(super) async fn delete(call: &Call) -> Result<Answer, Problem> {
    let filter = filter(call)?;
    if filter.starts_with("$SYS") {
        return Err(Problem::bad_request(
            "what the broker says of itself cannot be deleted",
            "set sys.interval_seconds = 0 to switch it off",
        ));
    }
    let mut topics = Vec::new();
    let mut cursor = RetainedCursor::default();
    let mut is_complete = false;
    for _ in 0..SLICES_MAX {
        let steps = SLICE_STEPS_MAX.min(DELETED_MAX - topics.len());
        is_complete = call.state.shared.retained.for_each_matching(filter, &mut cursor, steps, |topic, _| {
            topics.push(topic.to_owned());
        });
        if is_complete || topics.len() >= DELETED_MAX {
            break;
        }
    }
    let deleted = topics.len();
    for chunk in topics.chunks(DELETED_IN_TURN_MAX).map(<[String]>::to_vec) {
        call.state.ask(0, move |driver| chunk.iter().for_each(|topic| driver.handle(clear(topic)))).await?;
    }
    Ok(Answer::json(&json!({ "deleted": deleted, "is_complete": is_complete })))
}

fn clear(topic: &str) -> Event<'_> {
    Event::Publish(ServerPublish {
        topic,
        payload: b"",
        qos: QoS::AtLeastOnce,
        retain: true,
        properties: MessageProperties::default(),
    })
}

/// # Errors
/// It is no topic filter.
fn filter(call: &Call) -> Result<&str, Problem> {
    let filter = call.query.get("filter").unwrap_or_default();
    let is_shared = filter.starts_with("$share/");
    match validate_topic_filter(filter, &DecodeLimits::UNLIMITED) {
        Ok(()) if !is_shared => Ok(filter),
        _ => Err(Problem::bad_request(
            format!("{filter:?} is no topic filter"),
            "give one such as house/#, or # for all",
        )),
    }
}

fn message_json(message: &RetainedMessage) -> Value {
    json!({
        "topic": &*message.topic,
        "payload_bytes": message.payload.len(),
        "qos": message.qos.to_byte(),
        "publisher": message.publisher.as_deref(),
        "received_at_milliseconds": message.received_at.0,
        "expires_at_milliseconds": message.expires_at.map(|time| time.0),
    })
}
