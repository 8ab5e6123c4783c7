//! `ferry ctl`: watches and manages a running broker by its admin API.

mod arguments;
mod bans;
mod confirmation;
mod door;
mod failure;
mod http;
mod print;
mod roles;
mod table;
mod trace;
mod users;

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

pub(crate) use arguments::{ApiArguments, CtlCommand};

use arguments::{Act, ClientAct, RetainedAct, SessionsAct};
use confirmation::Confirmation;
use door::Door;
use failure::Failure;
use http::{Api, encoded};
use print::Printer;

/// Items that are asked for at a time.
const PAGE: usize = 500;

/// Does what the command line says.
pub(crate) fn ctl(command: &CtlCommand) -> ExitCode {
    let printer = Printer { json: command.json };
    let confirmation = Confirmation { is_given: command.yes };
    let api = api(&command.api, command.config.as_deref());
    end(api.and_then(|api| act(&api, printer, confirmation, &command.act)))
}

/// Prints why a running broker has refused or disconnected a client, or has not delivered to it.
pub(crate) fn why(arguments: &ApiArguments, config: Option<&Path>, client_id: &str) -> ExitCode {
    let path = format!("/clients/{}/history", encoded(client_id));
    let history = api(arguments, config).and_then(|api| api.get(&path));
    end(history.map(|history| {
        print::history(&history);
        ExitCode::SUCCESS
    }))
}

fn api(arguments: &ApiArguments, config: Option<&Path>) -> Result<Api, Failure> {
    let door = Door::find(arguments.admin.as_deref(), config)?;
    let tls = arguments.tls_options(&door)?;
    Ok(Api::new(door, tls, arguments.token()?))
}

fn end(done: Result<ExitCode, Failure>) -> ExitCode {
    match done {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn act(api: &Api, printer: Printer, confirmation: Confirmation, act: &Act) -> Result<ExitCode, Failure> {
    let done = match act {
        Act::Status => printer.status(&api.get("/broker")?),
        Act::Listeners => printer.listeners(&api.get("/listeners")?),
        Act::Drops { all } => printer.drops(&api.get("/drops")?, *all),
        Act::Config { changed } => printer.configuration(&api.get("/configuration")?, *changed),
        Act::Reload => printer.reloaded(&api.post("/reload", &json!({}))?),
        Act::Clients { search, connected, disconnected, queued, limit } => {
            let mut query = vec![("search", search.clone().unwrap_or_default())];
            if *connected || *disconnected {
                query.push(("connected", connected.to_string()));
            }
            if *queued {
                query.push(("queued", "true".to_owned()));
            }
            printer.clients(pages(api, "/clients", &query, *limit)?)
        }
        Act::Client { act: ClientAct::Show { client_id } } => client(api, printer, client_id),
        Act::Kick { client_id, reason_code, reason, server_reference } => {
            let mut body = json!({});
            let members = [("reason", reason), ("server_reference", server_reference)];
            for (name, value) in members.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)))
            {
                body[name] = value.clone().into();
            }
            if let Some(reason_code) = reason_code {
                body["reason_code"] = (*reason_code).into();
            }
            printer.done(&api.post(&format!("/clients/{}/disconnect", encoded(client_id)), &body)?)
        }
        Act::Sessions { act: SessionsAct::Delete { client_id } } => {
            confirmation.ask(&format!("Delete the session of {client_id}, with all that waits for it?"))?;
            printer.done(&api.delete(&format!("/clients/{}", encoded(client_id)))?)
        }
        Act::Subscriptions { client: Some(client_id), limit, .. } => {
            let path = format!("/clients/{}/subscriptions", encoded(client_id));
            printer.subscriptions(pages(api, &path, &[], *limit)?)
        }
        Act::Subscriptions { client: None, search, limit } => {
            let query = [("search", search.clone().unwrap_or_default())];
            printer.subscriptions(pages(api, "/subscriptions", &query, *limit)?)
        }
        Act::TopTalkers { limit } => printer.top_talkers(&api.get(&format!("/top-talkers?limit={limit}"))?),
        Act::SlowSubscribers { connected, limit } => {
            let connected = if *connected { "&connected=true" } else { "" };
            printer.slow_subscribers(&api.get(&format!("/slow-subscribers?limit={limit}{connected}"))?)
        }
        Act::Trace(arguments) => trace::trace(api, printer.json, arguments),
        Act::Log { levels } => printer.done(&api.post("/log", &json!({ "levels": levels }))?),
        Act::Retained { act } => retained(api, printer, confirmation, act),
        Act::Bans { act } => bans::bans(api, printer, confirmation, act),
        Act::Users { act } => users::users(api, printer, confirmation, act),
        Act::Roles { act } => roles::roles(api, printer, confirmation, act),
        Act::Groups { act } => roles::groups(api, printer, confirmation, act),
        Act::Why(act) => return roles::why(api, printer, act),
        Act::Publish { topic, message, qos, retain } => {
            let body = json!({ "topic": topic, "payload": message, "qos": qos, "retain": retain });
            printer.done(&api.post("/publish", &body)?)
        }
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn client(api: &Api, printer: Printer, client_id: &str) -> Result<(), Failure> {
    let path = format!("/clients/{}", encoded(client_id));
    let client = api.get(&path)?;
    let subscriptions = pages(api, &format!("{path}/subscriptions"), &[], PAGE)?;
    printer.client(client, &subscriptions)
}

fn retained(
    api: &Api,
    printer: Printer,
    confirmation: Confirmation,
    act: &RetainedAct,
) -> Result<(), Failure> {
    match act {
        RetainedAct::List { filter, limit } => {
            printer.retained(pages(api, "/retained", &[("filter", filter.clone())], *limit)?)
        }
        RetainedAct::Get { topic } => {
            printer.payload(&api.get(&format!("/retained/message?topic={}", encoded(topic)))?)
        }
        RetainedAct::Delete { filter } => {
            let listed = api.get(&format!("/retained?limit={PAGE}&filter={}", encoded(filter)))?;
            let count = listed["items"].as_array().map_or(0, Vec::len);
            let more = if listed["next"].is_null() { "" } else { "more than " };
            confirmation.ask(&format!("Delete {more}{count} retained messages that match {filter}?"))?;
            let mut deleted = 0;
            loop {
                let answer = api.delete(&format!("/retained?filter={}", encoded(filter)))?;
                deleted += answer["deleted"].as_u64().unwrap_or(0);
                if answer["is_complete"] != false {
                    return printer
                        .done(&json!({ "done": format!("deleted {deleted}"), "deleted": deleted }));
                }
            }
        }
    }
}

/// The items of all pages, up to a limit.
fn pages(api: &Api, path: &str, query: &[(&str, String)], limit: usize) -> Result<Vec<Value>, Failure> {
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    while items.len() < limit {
        let mut asked = format!("{path}?limit={}", PAGE.min(limit - items.len()));
        for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
            asked.push_str(&format!("&{name}={}", encoded(value)));
        }
        if let Some(cursor) = &cursor {
            asked.push_str(&format!("&cursor={}", encoded(cursor)));
        }
        let mut page = api.get(&asked)?;
        if let Value::Array(found) = page["items"].take() {
            items.extend(found);
        }
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    Ok(items)
}
