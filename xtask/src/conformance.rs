//! `cargo xtask conformance --against HOST:PORT`: the scripts against any broker.

use crate::Outcome;
use crate::progress::run as run_command;
use crate::workspace::cargo;

/// # Errors
/// When a script fails, or the arguments are wrong.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let mut command = cargo();
    command.args(["run", "--quiet", "--locked", "--package", "ferry-tests", "--bin", "conformance", "--"]);
    run_command(command.args(arguments))
}
