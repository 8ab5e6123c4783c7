//! Lists in pieces: each mail to a shard looks at a bounded number of places, and so does each request.

use ferry_core::{SessionCursor, Shard};
use serde_json::{Value, json};

use super::answer::Answer;
use super::problem::Problem;
use super::request::Call;
use super::routes::PAGE_MAX;

/// Sessions, subscriptions or topics that are looked at within one turn.
pub(super) const SLICE_STEPS_MAX: usize = 1_024;

/// Items that are described within one turn, which takes longer than to look at one.
const SLICE_ITEMS_MAX: usize = 128;

/// Slices in one request: what is found by then is the page.
pub(super) const SLICES_MAX: usize = 64;

/// Items on a page if nobody says how many.
const PAGE_DEFAULT: u64 = 100;

/// Where a walk over all shards stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cursor {
    shard: usize,
    sessions: SessionCursor,
}

impl Cursor {
    /// The cursor of the request.
    ///
    /// # Errors
    /// It is none of ours.
    fn of(call: &Call) -> Result<Self, Problem> {
        let Some(text) = call.query.get("cursor") else { return Ok(Self::default()) };
        let mut parts = text.split('.').map(number);
        let (shard, place, seen, rest) = (parts.next(), parts.next(), parts.next(), parts.next());
        match (shard.flatten(), place.flatten(), seen.flatten(), rest) {
            (Some(shard), Some(place), Some(subscriptions_seen), None) => {
                let sessions = SessionCursor { place, subscriptions_seen };
                Ok(Self { shard: shard as usize, sessions })
            }
            _ => Err(wrong_cursor()),
        }
    }

    fn to_text(self) -> String {
        format!("{}.{}.{}", self.shard, self.sessions.place, self.sessions.subscriptions_seen)
    }

    /// The cursor after a slice that ended at `next` on its shard; `None` at the end of the last of `shards`.
    fn after(self, next: Option<SessionCursor>, shards: usize) -> Option<Self> {
        match next {
            Some(sessions) => Some(Self { sessions, ..self }),
            None if self.shard + 1 < shards => {
                Some(Self { shard: self.shard + 1, sessions: SessionCursor::default() })
            }
            None => None,
        }
    }
}

/// Items of a slice, described, and where the next one begins.
pub(super) type Slice = (Vec<Value>, Option<SessionCursor>);

/// A page of what all shards have, from the cursor of the request. `slice` finds at most so many items on a shard, from a
/// place on; it runs within a turn.
///
/// # Errors
/// A parameter is wrong, or a shard does not answer in time.
pub(super) async fn page_of_shards(
    call: &Call,
    slice: impl Fn(&Shard, SessionCursor, usize) -> Slice + Clone + Send + 'static,
) -> Result<Answer, Problem> {
    let (limit, shards) = (limit(call)?, call.state.mailboxes.len());
    let mut next = Some(Cursor::of(call)?).filter(|cursor| cursor.shard < shards);
    let mut items: Vec<Value> = Vec::new();
    for _ in 0..SLICES_MAX {
        let Some(cursor) = next.filter(|_| items.len() < limit) else { break };
        let (slice, room) = (slice.clone(), SLICE_ITEMS_MAX.min(limit - items.len()));
        let found = call.state.ask(cursor.shard, move |driver| slice(&driver.shard(), cursor.sessions, room));
        let (found, rest) = found.await?;
        items.extend(found);
        next = cursor.after(rest, shards);
    }
    Ok(Answer::json(&json!({ "items": items, "next": next.map(Cursor::to_text) })))
}

/// A page of a list that is here as a whole, from the place that the cursor of the request names.
///
/// # Errors
/// A parameter is wrong.
pub(super) fn page_of_list<T>(
    call: &Call,
    list: &[T],
    describe: impl Fn(&T) -> Value,
) -> Result<Answer, Problem> {
    let (limit, skipped) = (limit(call)?, number_of_cursor(call)? as usize);
    let items: Vec<Value> = list.iter().skip(skipped).take(limit).map(describe).collect();
    let next = (list.len() > skipped.saturating_add(limit)).then(|| (skipped + limit).to_string());
    Ok(Answer::json(&json!({ "items": items, "next": next })))
}

/// The cursor of the request, where it is the number of items before.
///
/// # Errors
/// It is none of ours.
pub(super) fn number_of_cursor(call: &Call) -> Result<u32, Problem> {
    call.query.get("cursor").map_or(Ok(0), |text| number(text).ok_or_else(wrong_cursor))
}

/// How many items the request wants.
///
/// # Errors
/// It wants too many, or none.
pub(super) fn limit(call: &Call) -> Result<usize, Problem> {
    let limit = call.query.number("limit", 1, PAGE_MAX)?.unwrap_or(PAGE_DEFAULT);
    // It is at most 1,000.
    Ok(limit as usize)
}

/// A number of a cursor: digits alone.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A cursor is opaque to those who use it, so to them one that is not ours leads to a page that is not there.
pub(super) fn wrong_cursor() -> Problem {
    Problem::not_found("no page has this cursor", "give the next of the page before, or none to begin anew")
}
