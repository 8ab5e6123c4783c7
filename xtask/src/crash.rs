//! `cargo xtask crash`: kills the broker again and again under real clients.

use crate::Outcome;
use crate::progress::run as run_command;
use crate::test_tools;
use crate::workspace::{cargo, target_directory};

/// # Errors
/// When the broker breaks a promise, or the arguments are wrong.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let tools = test_tools::prepare()?;
    run_command(cargo().args(["build", "--quiet", "--locked", "--release", "--workspace", "--bins"]))?;
    let mut command = cargo();
    command.args([
        "run",
        "--quiet",
        "--locked",
        "--release",
        "--package",
        "ferry-tests",
        "--bin",
        "crash",
        "--",
    ]);
    command.env("FERRY_TEST_PYTHON", tools.python);
    command.env("FERRY_TEST_BINARY", target_directory().join("release/ferry"));
    run_command(command.args(arguments))
}
