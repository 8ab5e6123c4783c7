//! `ferry ctl roles` and `ferry ctl groups`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::confirmation::Confirmation;
use super::failure::Failure;
use super::http::{Api, encoded};
use super::pages;
use super::print::{Printer, text};
use crate::output;

/// Bytes of a file of rules: the broker takes less.
const RULES_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What to do with roles.
#[derive(Debug, Subcommand)]
pub(super) enum RolesAct {
    /// Which roles there are, and who has them
    List {
        /// Show so many at most
        #[arg(long, value_name = "NUMBER", default_value = "1000")]
        limit: usize,
    },
    /// One role with its rules
    Show {
        /// The role
        #[arg(value_name = "ROLE")]
        name: String,
    },
    /// Add a role, or change its rules or description; users keep it
    Set {
        /// The role
        #[arg(value_name = "ROLE")]
        name: String,
        /// A file with blocks of `[[rule]]`, as in a rules file; - is standard input
        #[arg(long, value_name = "FILE")]
        rules: Option<PathBuf>,
        /// Words for people
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Remove a role from everybody
    Delete {
        /// The role
        #[arg(value_name = "ROLE")]
        name: String,
    },
    /// Give a role to users and groups
    Grant {
        #[command(flatten)]
        members: RoleMembers,
    },
    /// Take a role from users and groups
    Revoke {
        #[command(flatten)]
        members: RoleMembers,
    },
}

/// A role and whom it is for.
#[derive(Debug, Args)]
pub(super) struct RoleMembers {
    /// The role
    #[arg(value_name = "ROLE")]
    name: String,
    /// Names of users
    #[arg(value_name = "USER", required_unless_present = "groups")]
    users: Vec<String>,
    /// A group of users; may be given several times
    #[arg(short, long = "group", value_name = "GROUP")]
    groups: Vec<String>,
}

/// What to do with groups.
#[derive(Debug, Subcommand)]
pub(super) enum GroupsAct {
    /// Which groups there are, and who is in them
    List {
        /// Show so many at most
        #[arg(long, value_name = "NUMBER", default_value = "1000")]
        limit: usize,
    },
    /// Add a group, or change its description
    Set {
        /// The group
        #[arg(value_name = "GROUP")]
        name: String,
        /// Words for people
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Remove a group, also from the roles that it has
    Delete {
        /// The group
        #[arg(value_name = "GROUP")]
        name: String,
    },
    /// Put users into a group
    Add {
        #[command(flatten)]
        members: GroupMembers,
    },
    /// Take users out of a group
    Remove {
        #[command(flatten)]
        members: GroupMembers,
    },
}

/// A group and who is in it.
#[derive(Debug, Args)]
pub(super) struct GroupMembers {
    /// The group
    #[arg(value_name = "GROUP")]
    name: String,
    /// Names of users
    #[arg(value_name = "USER", required = true)]
    users: Vec<String>,
}

/// What somebody wants to do.
#[derive(Debug, Args)]
pub(super) struct WhyAct {
    /// The user name [default: an anonymous client]
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// The client identifier
    #[arg(short = 'i', long, value_name = "ID")]
    client_id: Option<String>,
    /// Where the client comes from [default: rules about addresses do not match]
    #[arg(short, long, value_name = "ADDRESS")]
    address: Option<String>,
    /// Common name of the client's certificate [default: it has none]
    #[arg(long, value_name = "NAME")]
    certificate: Option<String>,
    /// Subject of the client's certificate, such as CN=pump-7,O=Example
    #[arg(long, value_name = "SUBJECT")]
    certificate_subject: Option<String>,
    /// Alternative name of its certificate, such as DNS:pump-7.example
    #[arg(long, value_name = "NAME")]
    certificate_san: Option<String>,
    /// SHA-256 of its certificate, in hexadecimal digits
    #[arg(long, value_name = "SHA256")]
    certificate_fingerprint: Option<String>,
    /// A role that the client has by its token or from the hook; may be given several times
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// The QoS to publish with
    #[arg(short, long, value_name = "QOS", value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: Option<u8>,
    /// Publish a retained message
    #[arg(short, long)]
    retain: bool,
    /// What the client wants: publish, subscribe, or receive a message
    #[arg(value_name = "ACTION", value_parser = ["publish", "subscribe", "receive"])]
    action: String,
    /// The topic; for subscribe, the topic filter
    #[arg(value_name = "TOPIC")]
    topic: String,
}

pub(super) fn roles(
    api: &Api,
    printer: Printer,
    confirmation: Confirmation,
    act: &RolesAct,
) -> Result<(), Failure> {
    let path = |name: &str| format!("/roles/{}", encoded(name));
    match act {
        RolesAct::List { limit } => {
            let roles = pages(api, "/roles", &[], *limit)?;
            printer.list(&roles, &["ROLE", "RULES", "USERS", "GROUPS", "DESCRIPTION"], |role| {
                let rules = text(&role["rules"]);
                let rules = rules.lines().filter(|line| line.trim_start().starts_with("[[")).count();
                let [users, groups] = ["users", "groups"].map(|name| joined(&role[name]));
                vec![text(&role["name"]), rules.to_string(), users, groups, text(&role["description"])]
            })
        }
        RolesAct::Show { name } => {
            let role = api.get(&path(name))?;
            let of = |name: &str| (text(&role[name]), joined(&role[name]));
            printer.members(
                &role,
                &[
                    ("role", of("name").0),
                    ("description", of("description").0),
                    ("users", of("users").1),
                    ("groups", of("groups").1),
                ],
            )?;
            if !printer.json {
                for (line, number) in of("rules").0.lines().zip(1..) {
                    output::line(&super::table::visible(&format!("{number:>4}  {line}")));
                }
            }
            Ok(())
        }
        RolesAct::Set { name, rules, description } => {
            let mut body = json!({});
            if let Some(file) = rules {
                body["rules"] = read_rules(file)?.into();
            }
            if let Some(description) = description {
                body["description"] = description.as_str().into();
            }
            let answer = api.put(&path(name), &body)?;
            if api.get(&path(name))?["is_asked"] == false {
                output::note(format_args!(
                    "warning: nobody is judged by these roles yet: set authorization.roles = true"
                ));
            }
            printer.done(&answer)
        }
        RolesAct::Delete { name } => {
            confirmation.ask(&format!("Delete the role {name}, and take it from everybody who has it?"))?;
            printer.done(&api.delete(&path(name))?)
        }
        RolesAct::Grant { members } => {
            printer.done(&api.post(&format!("{}/grant", path(&members.name)), &members.body())?)
        }
        RolesAct::Revoke { members } => {
            printer.done(&api.post(&format!("{}/revoke", path(&members.name)), &members.body())?)
        }
    }
}

pub(super) fn groups(
    api: &Api,
    printer: Printer,
    confirmation: Confirmation,
    act: &GroupsAct,
) -> Result<(), Failure> {
    let path = |name: &str| format!("/groups/{}", encoded(name));
    match act {
        GroupsAct::List { limit } => {
            let groups = pages(api, "/groups", &[], *limit)?;
            printer.list(&groups, &["GROUP", "USERS", "DESCRIPTION"], |group| {
                vec![text(&group["name"]), joined(&group["users"]), text(&group["description"])]
            })
        }
        GroupsAct::Set { name, description } => {
            let body = description.as_ref().map_or(json!({}), |words| json!({ "description": words }));
            printer.done(&api.put(&path(name), &body)?)
        }
        GroupsAct::Delete { name } => {
            confirmation
                .ask(&format!("Delete the group {name}, and take it out of the roles that it has?"))?;
            printer.done(&api.delete(&path(name))?)
        }
        GroupsAct::Add { members } => {
            let body = json!({ "users": members.users });
            printer.done(&api.post(&format!("{}/add", path(&members.name)), &body)?)
        }
        GroupsAct::Remove { members } => {
            let body = json!({ "users": members.users });
            printer.done(&api.post(&format!("{}/remove", path(&members.name)), &body)?)
        }
    }
}

/// Prints whether it is allowed, and which rule in force decides. The exit code says it too.
pub(super) fn why(api: &Api, printer: Printer, act: &WhyAct) -> Result<ExitCode, Failure> {
    let mut path = format!("/why?action={}&topic={}", act.action, encoded(&act.topic));
    let roles = Some(act.roles.join(",")).filter(|roles| !roles.is_empty());
    let parameters = [
        ("user", act.user.clone()),
        ("client_id", act.client_id.clone()),
        ("address", act.address.clone()),
        ("certificate", act.certificate.clone()),
        ("certificate_subject", act.certificate_subject.clone()),
        ("certificate_san", act.certificate_san.clone()),
        ("certificate_fingerprint", act.certificate_fingerprint.clone()),
        ("roles", roles),
        ("qos", act.qos.map(|qos| qos.to_string())),
        ("retain", act.retain.then(|| "true".to_owned())),
    ];
    for (name, value) in parameters.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        path.push_str(&format!("&{name}={}", encoded(&value)));
    }
    let why = api.get(&path).map_err(Failure::of_question)?;
    let (word, code) = match why["allowed"] == true {
        true => ("allowed", ExitCode::SUCCESS),
        false => ("denied", ExitCode::from(output::DENIED)),
    };
    if printer.json {
        printer.members(&why, &[])?;
    } else {
        output::line(&super::table::visible(&format!("{word}: {}", text(&why["reason"]))));
    }
    Ok(code)
}

impl RoleMembers {
    fn body(&self) -> Value {
        json!({ "users": self.users, "groups": self.groups })
    }
}

fn read_rules(file: &Path) -> Result<String, Failure> {
    let mut rules = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().take(RULES_BYTES_MAX).read_to_string(&mut rules)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(RULES_BYTES_MAX).read_to_string(&mut rules))
    };
    let failed = |error| {
        let remedy = "give a file with blocks of [[rule]]";
        Failure::refused(format!("{}: {error}", file.display()), remedy)
    };
    read.map_err(failed).map(|_| rules)
}

/// Names with commas between.
pub(super) fn joined(names: &Value) -> String {
    let names = names.as_array().map_or(&[][..], Vec::as_slice);
    names.iter().map(text).collect::<Vec<_>>().join(", ")
}
