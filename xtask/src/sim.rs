//! `cargo xtask sim`: whole lives of a broker, from seeds.

use crate::Outcome;
use crate::progress::run as run_command;
use crate::workspace::cargo;

/// What `cargo xtask ci` runs: other seeds each time. One that breaks a promise is printed, with the command that repeats
/// it.
pub(crate) const CI_ARGUMENTS: [&str; 2] = ["--seconds", "60"];

/// # Errors
/// When a seed breaks a promise, or the arguments are wrong.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let mut command = cargo();
    // Optimised, but built in a part of the time of a release, and with the checks of a debug build.
    command.args(["run", "--quiet", "--locked", "--profile", "sim", "--package", "ferry-sim", "--"]);
    run_command(command.args(arguments))
}
