//! `ferry ctl users`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::confirmation::Confirmation;
use super::failure::Failure;
use super::http::{Api, encoded};
use super::pages;
use super::print::{Printer, text};
use super::roles::joined;
use crate::output;
use crate::passwd::new_password::{self, NewPasswordError};

/// What to do with users.
#[derive(Debug, Subcommand)]
pub(super) enum UsersAct {
    /// Who there is, and how passwords are kept
    List {
        /// Show so many at most
        #[arg(long, value_name = "NUMBER", default_value = "1000")]
        limit: usize,
    },
    /// Add a user; asks for the password, or reads it from standard input
    Add {
        #[command(flatten)]
        user: UserArguments,
    },
    /// Change the password of a user, whose connections end
    Passwd {
        #[command(flatten)]
        user: UserArguments,
    },
    /// Remove a user and end its connections
    Remove {
        /// The user name
        #[arg(value_name = "USER")]
        name: String,
    },
    /// Let nobody in by this name any more, and end the user's connections
    Disable {
        /// The user name
        #[arg(value_name = "USER")]
        name: String,
    },
    /// Let a user in again that was disabled
    Enable {
        /// The user name
        #[arg(value_name = "USER")]
        name: String,
    },
}

/// A user and how the password is given.
#[derive(Debug, Args)]
pub(super) struct UserArguments {
    /// The user name
    #[arg(value_name = "USER")]
    name: String,
    /// A file whose first line is the password; - is standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// How the password is kept: one of SCRAM for clients that authenticate by it
    #[arg(
        short = 'H',
        long = "hash",
        value_name = "HASH",
        default_value = "argon2id",
        value_parser = ["argon2id", "scram-sha-256", "scram-sha-512", "scram-sha-1"]
    )]
    kind: String,
}

impl UserArguments {
    fn password(&self) -> Result<String, Failure> {
        let password = match &self.password_file {
            Some(file) => new_password::from_file(file),
            None => new_password::ask(&self.name),
        };
        let password = password.map_err(|error| match error {
            NewPasswordError::Interrupted => Failure::refused("interrupted", "nothing was changed"),
            NewPasswordError::Words(words) => Failure::refused(words, "nothing was changed"),
        })?;
        String::from_utf8(password).map_err(|_| {
            let remedy = "choose another one; with `ferry passwd` any bytes can be a password";
            Failure::refused("the password is not UTF-8", remedy)
        })
    }
}

pub(super) fn users(
    api: &Api,
    printer: Printer,
    confirmation: Confirmation,
    act: &UsersAct,
) -> Result<(), Failure> {
    let path = |name: &str| format!("/users/{}", encoded(name));
    match act {
        UsersAct::List { limit } => {
            let users = pages(api, "/users", &[], *limit)?;
            printer.list(&users, &["USER", "PASSWORD", "STATE", "ROLES"], |user| {
                let state = if user["is_disabled"] == true { "disabled" } else { "" };
                vec![text(&user["name"]), text(&user["kind"]), state.to_owned(), joined(&user["roles"])]
            })
        }
        UsersAct::Add { user } => set(api, printer, user, true),
        UsersAct::Passwd { user } => set(api, printer, user, false),
        UsersAct::Remove { name } => {
            confirmation.ask(&format!("Remove the user {name}, and end the connections by this name?"))?;
            printer.done(&api.delete(&path(name))?)
        }
        UsersAct::Disable { name } => {
            printer.done(&api.put(&path(name), &json!({ "is_new": false, "is_disabled": true }))?)
        }
        UsersAct::Enable { name } => {
            printer.done(&api.put(&path(name), &json!({ "is_new": false, "is_disabled": false }))?)
        }
    }
}

fn set(api: &Api, printer: Printer, user: &UserArguments, is_new: bool) -> Result<(), Failure> {
    let path = format!("/users/{}", encoded(&user.name));
    let body = json!({ "password": user.password()?, "kind": user.kind, "is_new": is_new });
    let answer = api.put(&path, &body)?;
    if api.get(&path)?["is_asked"] == false {
        output::note(format_args!(
            "warning: nobody is judged by these users yet: set authentication.users = true"
        ));
    }
    printer.done(&answer)
}
