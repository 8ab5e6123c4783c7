//! `ferry why`.

use std::process::ExitCode;

use ferry_broker::config::Config;
use ferry_broker::{Action, Applicant, explain};
use ferry_codec::QoS;

use crate::arguments::WhyArguments;
use crate::{ctl, output};

/// Prints which rule decides.
pub(crate) fn why(arguments: &WhyArguments) -> ExitCode {
    if let Some(client_id) = &arguments.client {
        return ctl::why(&arguments.api, arguments.config.as_deref(), client_id);
    }
    let action = match arguments.action.as_deref() {
        Some("publish") => {
            let qos = QoS::from_byte(arguments.qos).unwrap_or(QoS::ExactlyOnce);
            Action::Publish { qos, retain: arguments.retain }
        }
        Some("subscribe") => Action::Subscribe,
        _ => Action::Receive,
    };
    let applicant = Applicant {
        user_name: arguments.user.as_deref(),
        client_id: &arguments.client_id,
        peer_address: &arguments.address,
        certificate_common_name: arguments.certificate.as_deref(),
        certificate_subject: arguments.certificate_subject.as_deref(),
        certificate_alternative_names: &arguments.certificate_san,
        certificate_fingerprint: arguments.certificate_fingerprint.as_deref(),
        roles: &arguments.roles,
    };
    // It is there with an action.
    let topic = arguments.topic.as_deref().unwrap_or_default();
    let explained = Config::load(&arguments.sources())
        .and_then(|loaded| explain(&loaded.config, &applicant, action, topic));
    match explained {
        Ok(explanation) => {
            output::line(&explanation.to_string());
            if explanation.allowed { ExitCode::SUCCESS } else { ExitCode::from(output::DENIED) }
        }
        Err(problems) => {
            output::problems(&problems);
            ExitCode::from(output::WRONG_COMMAND_LINE)
        }
    }
}
