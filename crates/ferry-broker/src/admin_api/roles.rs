//! `/api/v1/roles`: roles that are managed at run time.

use std::collections::BTreeSet;

use ferry_auth::{ManagedRole, ManagedRoles, ManagedRolesError, RuleProblem};
use hyper::StatusCode;
use serde_json::{Value, json};

use super::answer::Answer;
use super::clients::done;
use super::paging::page_of_list;
use super::problem::Problem;
use super::request::Call;
use super::users::{cannot_keep, conflict};
use crate::access::RolesNotChanged;

/// Characters of a description.
pub(super) const DESCRIPTION_CHARACTERS_MAX: usize = 1_000;

/// A page of the roles.
///
/// # Errors
/// A parameter is wrong, or the program judges rights itself.
pub(super) fn list(call: &Call) -> Result<Answer, Problem> {
    let listed = call.state.access.rights(|in_force| {
        let roles: Vec<(&str, &ManagedRole)> = in_force.roles.roles().iter().collect();
        page_of_list(call, &roles, |(name, role)| role_json(name, role, in_force.rights.has_roles))
    });
    listed.unwrap_or_else(|| Err(of_program()))
}

/// One role.
///
/// # Errors
/// There is none, or the program judges rights itself.
pub(super) fn show(call: &Call) -> Result<Answer, Problem> {
    let name = &call.captured;
    let found = call.state.access.rights(|in_force| {
        let role = in_force.roles.roles().get(name);
        role.map(|role| role_json(name, role, in_force.rights.has_roles))
    });
    found.ok_or_else(of_program)?.map(|role| Answer::json(&role)).ok_or_else(|| no_role(name))
}

fn role_json(name: &str, role: &ManagedRole, is_asked: bool) -> Value {
    json!({
        "name": name,
        "description": role.description,
        "rules": role.text(),
        "users": role.users,
        "groups": role.groups,
        "is_asked": is_asked,
    })
}

/// Adds a role, or changes one.
///
/// # Errors
/// The request or a rule is wrong, there are too many roles, or they cannot be kept: then nothing has changed.
pub(super) async fn put(call: &Call) -> Result<Answer, Problem> {
    let name = &call.captured;
    let body = call.body.object(&["description", "rules", "users", "groups", "is_new"])?;
    let (description, rules, is_new) = (description(&body)?, body.text("rules")?, body.flag("is_new")?);
    let (users, groups) = (body.texts("users")?, body.texts("groups")?);
    let roles_max = call.in_force.config.limits.roles_max as usize;
    change(call, |roles| {
        let known = roles.get(name).cloned();
        check_new(known.is_some(), is_new, "role", name)?;
        if known.is_none() && roles.len() >= roles_max {
            return Err(too_many(roles_max));
        }
        let mut role = known.unwrap_or_default();
        if let Some(description) = description {
            role.description = description;
        }
        if let Some(users) = users {
            role.users = users;
        }
        if let Some(groups) = groups {
            role.groups = groups;
        }
        roles.set_role(name, role, rules).map_err(wrong)
    })
    .await?;
    Ok(done("set"))
}

/// Removes a role.
///
/// # Errors
/// There is none, or the roles cannot be kept: then nothing has changed.
pub(super) async fn remove(call: &Call) -> Result<Answer, Problem> {
    let name = &call.captured;
    change(call, |roles| if roles.remove_role(name) { Ok(()) } else { Err(no_role(name)) }).await?;
    Ok(done("removed"))
}

/// Gives a role to users and groups, or takes it from them.
///
/// # Errors
/// There is no such role or group, or the roles cannot be kept: then nothing has changed.
pub(super) async fn set_members(call: &Call, are_members: bool) -> Result<Answer, Problem> {
    let name = &call.captured;
    let body = call.body.object(&["users", "groups"])?;
    let users = body.texts("users")?.unwrap_or_default();
    let groups = body.texts("groups")?.unwrap_or_default();
    let about = format!("users {users:?}, groups {groups:?}");
    change(call, |roles| {
        let mut role = roles.get(name).cloned().ok_or_else(|| no_role(name))?;
        if are_members {
            role.users.extend(users);
            role.groups.extend(groups);
        } else {
            role.users.retain(|user| !users.contains(user));
            role.groups.retain(|group| !groups.contains(group));
        }
        roles.set_role(name, role, None).map_err(wrong)
    })
    .await?;
    Ok(done(if are_members { "granted" } else { "revoked" }).about(about))
}

/// Changes roles and groups.
///
/// # Errors
/// What `change` fails with, or they would be too large, or cannot be kept: then nothing has changed.
pub(super) async fn change(
    call: &Call,
    change: impl FnOnce(&mut ManagedRoles) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let access = &call.state.access;
    if access.rights(|_| ()).is_none() {
        return Err(of_program());
    }
    let bytes_max = call.in_force.config.limits.roles_bytes_max;
    access.change_roles(bytes_max, change, |not_changed| match not_changed {
        RolesNotChanged::TooLarge => {
            let detail = format!("all roles together would have more than {bytes_max} bytes");
            conflict("limit", detail, "remove some, or raise limits.roles_bytes_max")
        }
        RolesNotChanged::NotKept(words) => cannot_keep(words),
    })?;
    call.state.await_shards().await;
    Ok(())
}

/// # Errors
/// There is one, and it was to be new, or the other way round.
pub(super) fn check_new(is_there: bool, is_new: Option<bool>, what: &str, name: &str) -> Result<(), Problem> {
    match (is_there, is_new) {
        (true, Some(true)) => {
            let detail = format!("there is a {what} {name:?} already");
            Err(conflict("exists", detail, "choose another name, or change that one"))
        }
        (false, Some(false)) => {
            let detail = format!("there is no {what} {name:?}");
            Err(Problem::not_found(detail, "make it first"))
        }
        _ => Ok(()),
    }
}

/// # Errors
/// It is too long, or has several lines.
pub(super) fn description(body: &super::json_body::JsonObject) -> Result<Option<String>, Problem> {
    let description = body.text("description")?;
    let is_wrong =
        |text: &str| text.chars().count() > DESCRIPTION_CHARACTERS_MAX || text.chars().any(char::is_control);
    if description.as_deref().is_some_and(is_wrong) {
        let detail =
            format!("the description has more than {DESCRIPTION_CHARACTERS_MAX} characters, or control ones");
        return Err(Problem::bad_request(detail, "write a shorter one, in one line"));
    }
    Ok(description)
}

pub(super) fn too_many(roles_max: usize) -> Problem {
    let detail = format!("there are {roles_max} roles and groups already");
    conflict("limit", detail, "remove some, or raise limits.roles_max")
}

pub(super) fn wrong(error: ManagedRolesError) -> Problem {
    match &error {
        ManagedRolesError::Rules { problems, .. } => {
            let remedies: BTreeSet<&str> =
                problems.iter().map(|RuleProblem { remedy, .. }| &**remedy).collect();
            let remedies: Vec<&str> = remedies.into_iter().filter(|remedy| !remedy.is_empty()).collect();
            conflict("rules", error.to_string(), &remedies.join("; "))
        }
        ManagedRolesError::NoGroup(_) => {
            Problem::not_found(error, "make the group first; see /api/v1/groups")
        }
        _ => Problem::bad_request(error, "choose another name"),
    }
}

pub(super) fn of_program() -> Problem {
    Problem::new(
        StatusCode::NOT_IMPLEMENTED,
        "no-rights",
        "The rights are not the broker's",
        "this broker was started by a program that judges rights itself",
        "ask that program",
    )
}

fn no_role(name: &str) -> Problem {
    Problem::not_found(
        format!("there is no role {name:?} that is managed at run time"),
        "see /api/v1/roles for those that there are",
    )
}
