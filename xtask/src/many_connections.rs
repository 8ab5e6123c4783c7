//! `cargo xtask many-connections`: what idle connections cost a broker.

use crate::Outcome;
use crate::progress::run as run_command;
use crate::workspace::{cargo, target_directory};

/// # Errors
/// When the broker does not start or serve, or the arguments are wrong.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if !arguments.iter().any(|argument| argument == "--against") {
        run_command(cargo().args(["build", "--quiet", "--locked", "--release", "--package", "ferry"]))?;
    }
    let mut command = cargo();
    command.args([
        "run",
        "--quiet",
        "--locked",
        "--package",
        "ferry-tests",
        "--bin",
        "many-connections",
        "--",
    ]);
    command.env("FERRY_TEST_BINARY", target_directory().join("release/ferry"));
    run_command(command.args(arguments))
}
