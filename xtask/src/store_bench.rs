//! `cargo xtask store-bench`: what durable acknowledgements cost the optimised broker, next to Mosquitto.

use crate::Outcome;
use crate::progress::run as run_command;
use crate::workspace::{cargo, target_directory};

/// # Errors
/// When a broker does not start, or the arguments are wrong.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    run_command(cargo().args(["build", "--quiet", "--locked", "--release", "--package", "ferry"]))?;
    let mut command = cargo();
    command.args([
        "run",
        "--release",
        "--quiet",
        "--locked",
        "--package",
        "ferry-tests",
        "--bin",
        "store-bench",
        "--",
    ]);
    command.env("FERRY_TEST_BINARY", target_directory().join("release/ferry"));
    run_command(command.args(arguments))
}
