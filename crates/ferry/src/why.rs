//! `ferry why`.

use std::process::ExitCode;

use ferry_broker::config::Config;
use ferry_broker::{Action, explain};

use crate::arguments::WhyArguments;
use crate::{ctl, output};

/// Exit code for what is denied.
const DENIED: u8 = 3;

/// Prints which rule decides.
pub(crate) fn why(arguments: &WhyArguments) -> ExitCode {
    if let Some(client_id) = &arguments.client {
        return ctl::why(&arguments.api, arguments.config.as_deref(), client_id);
    }
    let action = match arguments.action.as_deref() {
        Some("publish") => Action::Publish,
        Some("subscribe") => Action::Subscribe,
        _ => Action::Receive,
    };
    let (user, client_id) = (arguments.user.as_deref(), &*arguments.client_id);
    // It is there with an action.
    let topic = arguments.topic.as_deref().unwrap_or_default();
    let explained = Config::load(&arguments.sources())
        .and_then(|loaded| explain(&loaded.config, user, client_id, action, topic));
    match explained {
        Ok(explanation) => {
            output::line(&explanation.to_string());
            if explanation.allowed { ExitCode::SUCCESS } else { ExitCode::from(DENIED) }
        }
        Err(problems) => output::problems(&problems),
    }
}
