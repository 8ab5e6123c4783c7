//! `/api/v1/groups`: groups of users who have roles together.

use ferry_auth::ManagedGroup;
use serde_json::{Value, json};

use super::answer::Answer;
use super::clients::done;
use super::paging::page_of_list;
use super::problem::Problem;
use super::request::Call;
use super::roles::{change, check_new, description, of_program, too_many, wrong};

/// A page of the groups.
///
/// # Errors
/// A parameter is wrong, or the program judges rights itself.
pub(super) fn list(call: &Call) -> Result<Answer, Problem> {
    let listed = call.state.access.rights(|in_force| {
        let groups: Vec<(&str, &ManagedGroup)> = in_force.roles.roles().groups().collect();
        page_of_list(call, &groups, |(name, group)| group_json(name, group))
    });
    listed.unwrap_or_else(|| Err(of_program()))
}

/// One group.
///
/// # Errors
/// There is none, or the program judges rights itself.
pub(super) fn show(call: &Call) -> Result<Answer, Problem> {
    let name = &call.captured;
    let found = call
        .state
        .access
        .rights(|in_force| in_force.roles.roles().group(name).map(|group| group_json(name, group)));
    found.ok_or_else(of_program)?.map(|group| Answer::json(&group)).ok_or_else(|| no_group(name))
}

fn group_json(name: &str, group: &ManagedGroup) -> Value {
    json!({ "name": name, "description": group.description, "users": group.users })
}

/// Adds a group, or changes one.
///
/// # Errors
/// The request is wrong, there are too many groups, or they cannot be kept: then nothing has changed.
pub(super) async fn put(call: &Call) -> Result<Answer, Problem> {
    let name = &call.captured;
    let body = call.body.object(&["description", "users", "is_new"])?;
    let (description, users, is_new) = (description(&body)?, body.texts("users")?, body.flag("is_new")?);
    let roles_max = call.in_force.config.limits.roles_max as usize;
    change(call, |roles| {
        let known = roles.group(name).cloned();
        check_new(known.is_some(), is_new, "group", name)?;
        if known.is_none() && roles.len() >= roles_max {
            return Err(too_many(roles_max));
        }
        let known = known.unwrap_or_default();
        let group = ManagedGroup {
            description: description.unwrap_or(known.description),
            users: users.unwrap_or(known.users),
        };
        roles.set_group(name, group).map_err(wrong)
    })
    .await?;
    Ok(done("set"))
}

/// Removes a group, also from all roles.
///
/// # Errors
/// There is none, or the groups cannot be kept: then nothing has changed.
pub(super) async fn remove(call: &Call) -> Result<Answer, Problem> {
    let name = &call.captured;
    change(call, |roles| if roles.remove_group(name) { Ok(()) } else { Err(no_group(name)) }).await?;
    Ok(done("removed"))
}

/// Puts users into a group, or takes them out.
///
/// # Errors
/// There is no such group, or the groups cannot be kept: then nothing has changed.
pub(super) async fn set_members(call: &Call, are_members: bool) -> Result<Answer, Problem> {
    let name = &call.captured;
    let users = call.body.object(&["users"])?.texts("users")?.unwrap_or_default();
    let about = format!("users {users:?}");
    change(call, |roles| {
        let mut group = roles.group(name).cloned().ok_or_else(|| no_group(name))?;
        if are_members {
            group.users.extend(users);
        } else {
            group.users.retain(|user| !users.contains(user));
        }
        roles.set_group(name, group).map_err(wrong)
    })
    .await?;
    Ok(done(if are_members { "added" } else { "removed" }).about(about))
}

fn no_group(name: &str) -> Problem {
    Problem::not_found(format!("there is no group {name:?}"), "see /api/v1/groups for those that there are")
}
