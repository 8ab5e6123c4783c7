//! `cargo xtask load`: processor time per message of the optimised broker, next to Mosquitto if it is installed.

use crate::Outcome;
use crate::progress::run as run_command;
use crate::workspace::cargo;

/// # Errors
/// When a broker does not start, or the arguments are wrong.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let mut command = cargo();
    command.args([
        "run",
        "--release",
        "--quiet",
        "--locked",
        "--package",
        "ferry-tests",
        "--bin",
        "load",
        "--",
    ]);
    run_command(command.args(arguments))
}
