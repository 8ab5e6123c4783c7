//! `cargo xtask attacks`: what crowds of attackers do to the other clients of a broker.

use crate::Outcome;
use crate::progress::run as run_command;
use crate::workspace::{cargo, target_directory};

/// # Errors
/// When the broker does not start or serve, or the arguments are wrong.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if arguments.iter().any(|argument| argument == "--hashes") {
        let example = ["run", "--quiet", "--locked", "--release", "--package", "ferry-auth", "--example"];
        return run_command(cargo().args(example).arg("hash_cost"));
    }
    run_command(cargo().args(["build", "--quiet", "--locked", "--release", "--package", "ferry"]))?;
    let mut command = cargo();
    command.args(["run", "--quiet", "--locked", "--package", "ferry-tests", "--bin", "attacks", "--"]);
    command.env("FERRY_TEST_BINARY", target_directory().join("release/ferry"));
    run_command(command.args(arguments))
}
