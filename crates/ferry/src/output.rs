//! What the commands print: results to standard output, the rest to standard error.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use ferry_broker::config::{Problem, Problems};

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

/// Prints everything that is wrong with a configuration.
pub(crate) fn problems(problems: &Problems) -> ExitCode {
    for problem in &problems.0 {
        eprintln!("error: {problem}");
    }
    ExitCode::FAILURE
}

/// Prints why it does not go on.
pub(crate) fn failure(error: &dyn Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
