//! `/api/v1/clients`: sessions, connected or not.

use ferry_codec::ReasonCode;
use ferry_core::{Event, SessionView, Shard};
use serde_json::json;

use super::answer::Answer;
use super::client_rows::client_json;
use super::paging::{SLICE_STEPS_MAX, page_of_shards};
use super::problem::Problem;
use super::request::Call;

/// Which sessions are wanted.
#[derive(Clone, Debug, Default)]
struct Wanted {
    /// In lower case.
    search: Option<String>,
    connected: Option<bool>,
    queued: Option<bool>,
}

impl Wanted {
    fn of(call: &Call) -> Result<Self, Problem> {
        Ok(Self {
            search: call.query.get("search").map(str::to_lowercase).filter(|search| !search.is_empty()),
            connected: call.query.flag("connected")?,
            queued: call.query.flag("queued")?,
        })
    }

    fn includes(&self, shard: &Shard, session: &SessionView<'_>) -> bool {
        self.connected.is_none_or(|connected| connected == session.conn.is_some())
            && self.queued.is_none_or(|queued| queued == (session.queued_messages > 0))
            && self.search.as_deref().is_none_or(|search| {
                let address = session.conn.and_then(|conn| shard.peer_address(conn));
                let texts = [Some(session.client_id), session.user_name, address];
                texts.into_iter().flatten().any(|text| text.to_lowercase().contains(search))
            })
    }
}

/// A page of the sessions.
///
/// # Errors
/// A parameter is wrong, or a shard does not answer in time.
pub(super) async fn list(call: &Call) -> Result<Answer, Problem> {
    let (wanted, now) = (Wanted::of(call)?, call.state.clock.now());
    page_of_shards(call, move |shard, from, room| {
        let mut found = Vec::new();
        let rest = shard.visit_sessions(from, SLICE_STEPS_MAX, |session| {
            if found.len() == room {
                return false;
            }
            if wanted.includes(shard, &session) {
                found.push(client_json(shard, &session, now));
            }
            true
        });
        (found, rest)
    })
    .await
}

/// One session.
///
/// # Errors
/// The client has none, or the shard does not answer in time.
pub(super) async fn show(call: &Call) -> Result<Answer, Problem> {
    let (client_id, now) = (call.captured.clone(), call.state.clock.now());
    let found = call.state.ask_home(&call.captured, move |driver| {
        let shard = driver.shard();
        shard.session(&client_id).map(|session| client_json(&shard, &session, now))
    });
    match found.await? {
        Some(client) => Ok(Answer::json(&client)),
        None => Err(no_session(&call.captured)),
    }
}

/// Ends the connection of a client.
///
/// # Errors
/// It is not connected, the request is wrong, or the shard does not answer in time.
pub(super) async fn disconnect(call: &Call) -> Result<Answer, Problem> {
    let body = call.body.object(&["reason_code", "reason", "server_reference"])?;
    let reason_code = match body.number("reason_code", 0x80, 0xA2)? {
        // It is at most 0xA2.
        Some(code) => ReasonCode::new(code as u8),
        None => ReasonCode::ADMINISTRATIVE_ACTION,
    };
    let (reason, server_reference) = (body.text("reason")?, body.text("server_reference")?);
    for text in [&reason, &server_reference].into_iter().flatten() {
        if text.chars().count() > TEXT_CHARACTERS_MAX || text.contains('\0') {
            let detail = format!("a text has more than {TEXT_CHARACTERS_MAX} characters, or U+0000 in it");
            return Err(Problem::bad_request(detail, "send a shorter one"));
        }
    }
    let is_referring = [ReasonCode::USE_ANOTHER_SERVER, ReasonCode::SERVER_MOVED].contains(&reason_code);
    if server_reference.is_some() && !is_referring {
        let detail = "a server_reference goes with the reason codes 156 and 157 only";
        return Err(Problem::bad_request(detail, "leave it out, or give one of these reason codes"));
    }
    let client_id = call.captured.clone();
    let was_connected = call.state.ask_home(&call.captured, move |driver| {
        let is_connected = driver.shard().session(&client_id).is_some_and(|session| session.conn.is_some());
        driver.handle(Event::Disconnect {
            client_id: &client_id,
            reason_code,
            reason_string: reason.as_deref(),
            server_reference: server_reference.as_deref(),
        });
        is_connected
    });
    if was_connected.await? {
        return Ok(done("disconnected"));
    }
    let detail = format!("the client {:?} is not connected", call.captured);
    Err(Problem::not_found(detail, "see /api/v1/clients?connected=true for those that are"))
}

/// Characters of a reason, and of a server reference.
pub(super) const TEXT_CHARACTERS_MAX: usize = 1_000;

/// Ends a session.
///
/// # Errors
/// The client has none, or the shard does not answer in time.
pub(super) async fn end_session(call: &Call) -> Result<Answer, Problem> {
    let client_id = call.captured.clone();
    let existed = call.state.ask_home(&call.captured, move |driver| {
        let existed = driver.shard().session(&client_id).is_some();
        driver.handle(Event::EndSession { client_id: &client_id });
        existed
    });
    if existed.await? { Ok(done("deleted")) } else { Err(no_session(&call.captured)) }
}

pub(super) fn done(what: &str) -> Answer {
    Answer::json(&json!({ "done": what }))
}

pub(super) fn no_session(client_id: &str) -> Problem {
    let detail = format!("the client {client_id:?} has no session");
    Problem::not_found(detail, "see /api/v1/clients for those that have one")
}
