//! `/api/v1/configuration` and `/api/v1/reload`.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::answer::Answer;
use super::problem::Problem;
use super::request::Call;
use crate::config::option::{Reload, Section, SectionSpec};
use crate::config::{Change, Config, Listener, SECTIONS, Setting};

/// Every option in force, with where it was set.
pub(super) fn configuration(call: &Call) -> Answer {
    let config = &call.in_force.config;
    let defaults = Config::default();
    let mut items = Vec::new();
    for spec in SECTIONS {
        if let (Some(section), Some(default)) = (config.section(spec.name), defaults.section(spec.name)) {
            options(call, spec, spec.name, section, default, &mut items);
        }
    }
    for (index, listener) in config.listeners.iter().enumerate() {
        let name = format!("listener[{index}]");
        options(call, &Listener::SPEC, &name, listener, &Listener::default(), &mut items);
    }
    Answer::json(&json!({ "items": items }))
}

fn options(
    call: &Call,
    spec: &SectionSpec,
    name: &str,
    section: &dyn Section,
    default: &dyn Section,
    items: &mut Vec<Value>,
) {
    for option in spec.options {
        let Some(setting) = section.setting(option.key) else { continue };
        let full_name = format!("{name}.{}", option.key);
        let is_default = default.setting(option.key).as_ref() == Some(&setting);
        let shown = if full_name == "admin.token" { without_secrets(&setting) } else { setting };
        items.push(json!({
            "option": full_name,
            "value": option.kind.show(&shown),
            "origin": call.in_force.origins.of(&full_name).to_string(),
            "is_default": is_default,
            "reload": if option.reload == Reload::Live { "live" } else { "restart" },
        }));
    }
}

/// Names and roles of tokens, without hashes: whoever has one could try secrets.
fn without_secrets(tokens: &Setting) -> Setting {
    let Setting::List(tokens) = tokens else { return Setting::Absent };
    let shown = tokens.iter().map(|token| match token.split_once(" sha256:") {
        Some((before, _)) => format!("{before} sha256:..."),
        None => token.clone(),
    });
    Setting::List(shown.collect())
}

/// Has the configuration read again.
///
/// # Errors
/// It is wrong, so that nothing has changed, or nobody can read it.
pub(super) async fn reload(call: &Call) -> Result<Answer, Problem> {
    match call.state.reload().await {
        Some(Ok(changes)) => Ok(Answer::json(&json!({
            "live": changes.live.iter().map(change).collect::<Vec<_>>(),
            "restart": changes.restart.iter().map(change).collect::<Vec<_>>(),
        }))),
        Some(Err(problems)) => Err(Problem::new(
            StatusCode::CONFLICT,
            "configuration",
            "The configuration is wrong",
            problems,
            "correct it; until then the broker goes on as it was",
        )),
        None => Err(Problem::new(
            StatusCode::NOT_IMPLEMENTED,
            "no-reload",
            "There is nothing to read again",
            "this broker was started by a program that keeps its configuration to itself",
            "let that program reload it",
        )),
    }
}

fn change(change: &Change) -> Value {
    let without_hash =
        |text: &str| if change.option == "admin.token" { "...".to_owned() } else { text.to_owned() };
    json!({
        "option": change.option,
        "before": without_hash(&change.before),
        "after": without_hash(&change.after),
    })
}
