//! What the commands print: results to standard output, the rest to standard error.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use ferry_broker::config::{Problem, Problems};

/// The exit code for a command line that is wrong: that of the parser of command lines too.
pub(crate) const WRONG_COMMAND_LINE: u8 = 2;

/// The exit code of a question whether something is allowed, if it is not: what scripts know from `test`, `grep` and their
/// like, for which an error is never 1.
pub(crate) const DENIED: u8 = 1;

/// Prints a result. Whoever closed the other end does not want it, so a failure is none.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints something about what is going on. If nobody reads standard error any more it goes on nevertheless.
pub(crate) fn note(words: impl Display) {
    part(format_args!("{words}\n"));
}

/// As [`note`], without a line end.
pub(crate) fn part(words: impl Display) {
    // In one piece, so that lines of several programs do not mix.
    let _unread = std::io::stderr().write_all(words.to_string().as_bytes());
}

/// Prints what the operator should look at.
pub(crate) fn warnings(warnings: &[Problem]) {
    for warning in warnings {
        note(format_args!("warning: {warning}"));
    }
}

/// Prints everything that is wrong with a configuration.
pub(crate) fn problems(problems: &Problems) -> ExitCode {
    for problem in &problems.0 {
        note(format_args!("error: {problem}"));
    }
    ExitCode::FAILURE
}

/// Prints what is wrong with the command line, with the exit code that says so.
pub(crate) fn wrong_command_line(error: &dyn Display) -> ExitCode {
    note(format_args!("error: {error}"));
    ExitCode::from(WRONG_COMMAND_LINE)
}

/// Prints why it does not go on.
pub(crate) fn failure(error: &dyn Display) -> ExitCode {
    note(format_args!("error: {error}"));
    ExitCode::FAILURE
}
