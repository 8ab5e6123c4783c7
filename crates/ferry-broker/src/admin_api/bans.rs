//! `/api/v1/bans`: who may not connect.

use std::net::IpAddr;

use ferry_codec::ReasonCode;
use ferry_core::{Event, SessionCursor};
use ferry_session::Timestamp;
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::answer::Answer;
use super::clients::done;
use super::paging::{SLICE_STEPS_MAX, page_of_list};
use super::problem::Problem;
use super::request::Call;
use crate::accept::{BanOrigin, Kept, ip_of};
use crate::config::{Ban, Network};

/// Characters of a reason.
pub(super) const REASON_CHARACTERS_MAX: usize = 1_000;

/// Characters of a user name or client identifier: what MQTT has room for.
pub(super) const NAME_CHARACTERS_MAX: usize = 65_535;

/// Longest time from now: a century.
pub(super) const SECONDS_MAX: u64 = 100 * 366 * 86_400;

/// A page of the bans in force.
///
/// # Errors
/// A parameter is wrong.
pub(super) fn list(call: &Call) -> Result<Answer, Problem> {
    let mut bans = call.state.accepting.bans.all(call.state.clock.now());
    bans.sort_by_cached_key(|(ban, _)| ban.to_string());
    page_of_list(call, &bans, |(ban, origin)| ban_json(ban, *origin))
}

fn ban_json(ban: &Ban, origin: BanOrigin) -> Value {
    json!({
        "address": ban.network.map(|network| network.to_string()),
        "user": ban.user_name,
        "client_id": ban.client_id,
        "until_milliseconds": ban.until.map(|until| until.0),
        "reason": ban.reason,
        "origin": match origin {
            BanOrigin::Configuration => "configuration",
            BanOrigin::Automatic => "automatic",
            BanOrigin::Operator => "operator",
        },
    })
}

/// Adds a ban, and disconnects those whom it is about.
///
/// # Errors
/// It is wrong, there are too many, or a shard does not answer in time.
pub(super) async fn add(call: &Call) -> Result<Answer, Problem> {
    let body = call.body.object(&["address", "user", "client_id", "seconds", "reason"])?;
    let (address, user, client_id) = (body.text("address")?, body.text("user")?, body.text("client_id")?);
    let about = about(address.as_deref(), user, client_id)?;
    if about.is_about_same(&Ban::default()) {
        let remedy = "name one or more of address, user and client_id";
        return Err(Problem::bad_request("the ban is about nobody", remedy));
    }
    let now = call.state.clock.now();
    let seconds = body.number("seconds", 1, SECONDS_MAX)?;
    let until = seconds.map(|seconds| Timestamp(now.0.saturating_add(seconds * 1_000)));
    let reason = body.text("reason")?.unwrap_or_default();
    if reason.chars().count() > REASON_CHARACTERS_MAX || reason.chars().any(char::is_control) {
        let detail = format!("the reason has more than {REASON_CHARACTERS_MAX} characters, or control ones");
        return Err(Problem::bad_request(detail, "write a shorter one, in one line"));
    }
    let ban = Ban { until, reason, ..about };
    let bans = &call.state.accepting.bans;
    bans.add(now, ban.clone(), BanOrigin::Operator).map_err(|full| {
        let remedy = "remove some, or ban a network in the place of its addresses";
        Problem::new(StatusCode::CONFLICT, "limit", "There are too many", full, remedy)
    })?;
    let keeping = call.state.accepting.keep_bans();
    // It is in force, whatever becomes of the file.
    let disconnected = disconnect(call, &ban).await?;
    kept(keeping).await?;
    let answer = Answer::json(&json!({ "done": "banned", "disconnected": disconnected }));
    Ok(answer.about(ban.to_string()))
}

/// Lifts the ban of exactly this address, user and client identifier.
///
/// # Errors
/// There is none, or the configuration has it.
pub(super) async fn remove(call: &Call) -> Result<Answer, Problem> {
    let text = |name| call.query.get(name).map(str::to_owned);
    let about = about(call.query.get("address"), text("user"), text("client_id"))?;
    if call.state.accepting.bans.lift(&about) {
        kept(call.state.accepting.keep_bans()).await?;
        return Ok(done("lifted").about(about.to_string()));
    }
    let all = call.state.accepting.bans.all(call.state.clock.now());
    if all.iter().any(|(ban, _)| ban.is_about_same(&about)) {
        let detail = "the configuration has this ban";
        let remedy = "remove it under [[abuse.ban]], then reload";
        return Err(Problem::new(StatusCode::CONFLICT, "configured", "It is configured", detail, remedy));
    }
    let remedy = "name the same address, user and client_id as the ban does; see /api/v1/bans";
    Err(Problem::not_found(format!("there is no ban of {about}"), remedy))
}

/// Whom a ban is about.
///
/// # Errors
/// The address is none, or a name.
fn about(
    address: Option<&str>,
    user_name: Option<String>,
    client_id: Option<String>,
) -> Result<Ban, Problem> {
    let network = match address {
        None => None,
        Some(text) => Some(network_of(text).ok_or_else(|| {
            let remedy = "write such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32";
            Problem::bad_request(format!("{text:?} is neither an address nor a network"), remedy)
        })?),
    };
    let is_none = |name: &String| name.chars().count() > NAME_CHARACTERS_MAX || name.contains('\0');
    if [&user_name, &client_id].into_iter().flatten().any(is_none) {
        let detail = format!("a name has more than {NAME_CHARACTERS_MAX} characters, or U+0000 in it");
        return Err(Problem::bad_request(detail, "no client can have this one"));
    }
    Ok(Ban { network, user_name, client_id, ..Ban::default() })
}

/// An address, or the network around one.
fn network_of(text: &str) -> Option<Network> {
    let Some((address, prefix_bits)) = text.split_once('/') else { return text.parse().ok() };
    let address: IpAddr = address.parse().ok()?;
    let prefix_bits =
        prefix_bits.parse().ok().filter(|_| prefix_bits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    (prefix_bits <= bits).then(|| Network::new(address, prefix_bits))
}

/// Waits until the bans are on the disk, if they are kept.
///
/// # Errors
/// They are in force, but not kept.
async fn kept(answer: Option<oneshot::Receiver<Kept>>) -> Result<(), Problem> {
    let Some(answer) = answer else { return Ok(()) };
    let words = match answer.await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(words)) => words,
        Err(_) => "the thread that keeps bans has ended".to_owned(),
    };
    Err(Problem::not_kept(words))
}

/// Ends the connections of those who fit; how many.
///
/// # Errors
/// A shard does not answer in time.
async fn disconnect(call: &Call, ban: &Ban) -> Result<usize, Problem> {
    let mut disconnected = 0;
    for shard in 0..call.state.mailboxes.len() {
        let mut from = Some(SessionCursor::default());
        while let Some(cursor) = from {
            let ban = ban.clone();
            let slice = call.state.ask(shard, move |driver| {
                let mut found: Vec<String> = Vec::new();
                let rest = {
                    let shard = driver.shard();
                    shard.visit_sessions(cursor, SLICE_STEPS_MAX, |session| {
                        if let Some(conn) = session.conn {
                            let address = shard.peer_address(conn).and_then(ip_of);
                            if ban.fits(address, session.user_name, Some(session.client_id)) {
                                found.push(session.client_id.to_owned());
                            }
                        }
                        true
                    })
                };
                for client_id in &found {
                    driver.handle(Event::Disconnect {
                        client_id,
                        reason_code: ReasonCode::ADMINISTRATIVE_ACTION,
                        reason_string: None,
                        server_reference: None,
                    });
                }
                (found.len(), rest)
            });
            let (found, rest) = slice.await?;
            disconnected += found;
            from = rest;
        }
    }
    Ok(disconnected)
}
