//! What the commands print: results to standard output, the rest to standard error.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use ferry_broker::config::Problem;

/// Prints a result. Whoever closed the other end does not want it, so a failure is none.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints what the operator should look at.
pub(crate) fn warnings(warnings: &[Problem]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}

/// Prints why it does not go on.
pub(crate) fn failure(error: &dyn Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
