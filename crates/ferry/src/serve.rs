//! `ferry serve`.

use std::process::ExitCode;

use ferry_broker::config::{Config, Sources};

use crate::output;

/// Checks the configuration; the driver that runs the broker comes with the next change.
pub(crate) fn serve(sources: &Sources) -> ExitCode {
    match Config::load(sources) {
        Ok(_) => output::failure(&"this build has no driver yet"),
        Err(problems) => output::failure(&problems),
    }
}
