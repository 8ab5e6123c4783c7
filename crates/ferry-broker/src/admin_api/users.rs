//! `/api/v1/users`: users that are managed at run time.

use ferry_auth::{HashCost, ManagedUser, ManagedUsers, PasswordHash, ScramHash};
use hyper::StatusCode;
use serde_json::{Value, json};

use super::answer::Answer;
use super::clients::done;
use super::paging::page_of_list;
use super::problem::Problem;
use super::request::Call;

/// Characters of a password: what MQTT has room for.
pub(super) const PASSWORD_CHARACTERS_MAX: usize = 65_535;

/// How passwords can be kept.
pub(super) const KINDS: [&str; 4] = ["argon2id", "scram-sha-256", "scram-sha-512", "scram-sha-1"];

/// A page of the users.
///
/// # Errors
/// A parameter is wrong, or the program judges its clients itself.
pub(super) fn list(call: &Call) -> Result<Answer, Problem> {
    let listed = call.state.access.users(|users, is_asked| {
        let users: Vec<(&str, &ManagedUser)> = users.iter().collect();
        page_of_list(call, &users, |(name, user)| user_json(name, user, is_asked, &roles_of(call, name)))
    });
    listed.unwrap_or_else(|| Err(of_program()))
}

/// One user.
///
/// # Errors
/// There is none, or the program judges its clients itself.
pub(super) fn show(call: &Call) -> Result<Answer, Problem> {
    let name = &call.captured;
    let found = call.state.access.users(|users, is_asked| {
        users.get(name).map(|user| user_json(name, user, is_asked, &roles_of(call, name)))
    });
    found.ok_or_else(of_program)?.map(|user| Answer::json(&user)).ok_or_else(|| no_user(name))
}

/// The roles that are managed at run time which a user has.
fn roles_of(call: &Call, name: &str) -> Vec<String> {
    let roles = call
        .state
        .access
        .rights(|in_force| in_force.roles.roles().roles_of(name).map(str::to_owned).collect::<Vec<String>>());
    roles.unwrap_or_default()
}

fn user_json(name: &str, user: &ManagedUser, is_asked: bool, roles: &[String]) -> Value {
    // `$argon2id$...` or `SCRAM-SHA-256$...`; the rest is nobody's business.
    let hash = user.hash.to_string();
    let kind = hash.split('$').find(|part| !part.is_empty()).unwrap_or_default().to_ascii_lowercase();
    json!({ "name": name, "is_disabled": user.is_disabled, "kind": kind, "roles": roles, "is_asked": is_asked })
}

/// Adds a user, or changes one.
///
/// # Errors
/// The request is wrong, there are too many users or passwords to be hashed, or the users cannot be kept: then nothing has
/// changed.
pub(super) async fn put(call: &Call) -> Result<Answer, Problem> {
    let name = &call.captured;
    let body = call.body.object(&["password", "kind", "is_disabled", "is_new"])?;
    let (is_disabled, is_new) = (body.flag("is_disabled")?, body.flag("is_new")?);
    let cost = cost(&body.text("kind")?.unwrap_or_else(|| KINDS[0].to_owned()))?;
    let hash = match body.text("password")? {
        None => None,
        Some(password) => Some(hash(call, password, cost).await?),
    };
    let users_max = call.in_force.config.limits.users_max as usize;
    let change = |users: &mut ManagedUsers| {
        let known = users.get(name).cloned();
        match (&known, is_new) {
            (Some(_), Some(true)) => {
                let detail = format!("there is a user {name:?} already");
                return Err(conflict(
                    "exists",
                    detail,
                    "choose another name, or change that user's password",
                ));
            }
            (None, Some(false)) => return Err(no_user(name)),
            (None, _) if users.len() >= users_max => {
                let detail = format!("there are {users_max} users already");
                return Err(conflict("limit", detail, "remove some, or raise limits.users_max"));
            }
            _ => {}
        }
        let was_disabled = known.as_ref().is_some_and(|user| user.is_disabled);
        let hash = hash.or(known.map(|user| user.hash)).ok_or_else(|| no_user(name))?;
        let user = ManagedUser { hash, is_disabled: is_disabled.unwrap_or(was_disabled) };
        users.set(name, user).map_err(|error| Problem::bad_request(error, "choose another name"))
    };
    call.state.access.change_users(change, cannot_keep)?;
    call.state.await_shards().await;
    Ok(done("set"))
}

/// Removes a user.
///
/// # Errors
/// There is none, or the users cannot be kept: then nothing has changed.
pub(super) async fn remove(call: &Call) -> Result<Answer, Problem> {
    let name = &call.captured;
    if call.state.access.is_of_program() {
        return Err(of_program());
    }
    let change = |users: &mut ManagedUsers| if users.remove(name) { Ok(()) } else { Err(no_user(name)) };
    call.state.access.change_users(change, cannot_keep)?;
    call.state.await_shards().await;
    Ok(done("removed"))
}

/// Hashes a password where that holds up nobody.
async fn hash(call: &Call, password: String, cost: HashCost) -> Result<PasswordHash, Problem> {
    if !(1..=PASSWORD_CHARACTERS_MAX).contains(&password.chars().count()) {
        let detail = format!("the password has no, or more than {PASSWORD_CHARACTERS_MAX} characters");
        return Err(Problem::bad_request(detail, "choose another one"));
    }
    let queue = call.state.access.hash_queue().ok_or_else(of_program)?;
    let busy = || {
        let title = "Too many passwords wait";
        let detail = "limits.password_checks_waiting_max passwords wait to be checked or hashed";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", title, detail, "try again in a while")
    };
    let hashed = queue.submit(move || PasswordHash::create(password.as_bytes(), cost)).ok_or_else(busy)?;
    hashed.await.map_err(|_| busy())?.map_err(cannot_keep)
}

/// # Errors
/// It is no kind of hash.
fn cost(kind: &str) -> Result<HashCost, Problem> {
    if kind == KINDS[0] {
        return Ok(HashCost::ARGON2ID);
    }
    match ScramHash::of_method(&kind.to_ascii_uppercase()).filter(|_| KINDS.contains(&kind)) {
        Some(hash) => Ok(HashCost::scram(hash)),
        None => Err(Problem::bad_request(
            format!("no password is kept as {kind:?}"),
            format!("give one of {}", KINDS.join(", ")),
        )),
    }
}

pub(super) fn conflict(kind: &'static str, detail: String, remedy: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, kind, "It cannot be so", detail, remedy)
}

pub(super) fn cannot_keep(words: impl std::fmt::Display) -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "not-kept",
        "It could not be written",
        format!("nothing has changed: {words}"),
        "see to the disk, then do it again",
    )
}

fn no_user(name: &str) -> Problem {
    let detail = format!("there is no user {name:?} that is managed at run time");
    Problem::not_found(detail, "see /api/v1/users; to add a user, give a password")
}

fn of_program() -> Problem {
    Problem::new(
        StatusCode::NOT_IMPLEMENTED,
        "no-users",
        "The users are not the broker's",
        "this broker was started by a program that judges its clients itself",
        "ask that program",
    )
}
