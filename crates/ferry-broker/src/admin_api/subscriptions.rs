//! Who has subscribed to what: `/api/v1/subscriptions`, `/clients/{client_id}/subscriptions`, `/topics`.

use ferry_codec::DecodeLimits;
use ferry_codec::topic::validate_topic_name;
use ferry_core::SubscriptionView;
use serde_json::{Value, json};

use super::answer::Answer;
use super::clients::no_session;
use super::paging::{SLICE_STEPS_MAX, limit, number_of_cursor, page_of_shards};
use super::problem::Problem;
use super::request::Call;

/// Subscribers of a topic that are named; the others are counted.
const SUBSCRIBERS_MAX: usize = 1_000;

/// A page of the subscriptions of all clients.
///
/// # Errors
/// A parameter is wrong, or a shard does not answer in time.
pub(super) async fn list(call: &Call) -> Result<Answer, Problem> {
    let search = call.query.get("search").unwrap_or_default().to_owned();
    page_of_shards(call, move |shard, from, room| {
        let mut found = Vec::new();
        let rest = shard.visit_subscriptions(from, SLICE_STEPS_MAX, |client_id, subscription| {
            if found.len() == room {
                return false;
            }
            if subscription.filter.contains(&search) {
                found.push(subscription_json(client_id, &subscription));
            }
            true
        });
        (found, rest)
    })
    .await
}

/// A page of the subscriptions of one client.
///
/// # Errors
/// It has no session, a parameter is wrong, or the shard does not answer in time.
pub(super) async fn of_client(call: &Call) -> Result<Answer, Problem> {
    let (limit, skipped) = (limit(call)?, number_of_cursor(call)?);
    let client_id = call.captured.clone();
    let page = call.state.ask_home(&call.captured, move |driver| {
        let shard = driver.shard();
        shard.session(&client_id)?;
        let subscriptions = shard.client_subscriptions(&client_id, skipped).take(limit + 1);
        Some(
            subscriptions
                .map(|subscription| subscription_json(&client_id, &subscription))
                .collect::<Vec<_>>(),
        )
    });
    let Some(mut items) = page.await? else { return Err(no_session(&call.captured)) };
    let is_more = items.len() > limit;
    items.truncate(limit);
    let next = is_more.then(|| (u64::from(skipped) + limit as u64).to_string());
    Ok(Answer::json(&json!({ "items": items, "next": next })))
}

/// Who would be sent a message on a topic, without members of share groups, of which one would be chosen.
///
/// # Errors
/// It is no topic, or a shard does not answer in time.
pub(super) async fn topic(call: &Call) -> Result<Answer, Problem> {
    let topic = call.query.get("topic").unwrap_or_default().to_owned();
    check_topic(&topic)?;
    let is_retained = call.state.shared.retained.get(&topic).is_some();
    let asked = topic.clone();
    let found = call.state.ask_all(move |driver| {
        let (mut count, mut named) = (0_usize, Vec::new());
        driver.shard().visit_subscribers(&asked, |client_id, maximum_qos| {
            count += 1;
            if named.len() < SUBSCRIBERS_MAX {
                named.push(json!({ "client_id": client_id, "maximum_qos": maximum_qos.to_byte() }));
            }
        });
        (count, named)
    });
    let found = found.await?;
    let count: usize = found.iter().map(|(count, _)| count).sum();
    let named: Vec<Value> = found.into_iter().flat_map(|(_, named)| named).take(SUBSCRIBERS_MAX).collect();
    Ok(Answer::json(&json!({
        "topic": topic,
        "subscriber_count": count,
        "subscribers": named,
        "is_retained": is_retained,
    })))
}

/// # Errors
/// It is no topic name.
pub(super) fn check_topic(topic: &str) -> Result<(), Problem> {
    validate_topic_name(topic, &DecodeLimits::UNLIMITED).map_err(|error| {
        Problem::bad_request(format!("{topic:?} is no topic name: {error}"), "give one without wildcards")
    })
}

fn subscription_json(client_id: &str, subscription: &SubscriptionView<'_>) -> Value {
    let options = &subscription.options;
    json!({
        "client_id": client_id,
        "filter": subscription.filter,
        "maximum_qos": options.maximum_qos.to_byte(),
        "no_local": options.no_local,
        "retain_as_published": options.retain_as_published,
        "retain_handling": options.retain_handling as u8,
        "subscription_id": subscription.subscription_id,
    })
}
