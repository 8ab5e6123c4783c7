//! `cargo xtask sim`: whole lives of a broker, from seeds.

use crate::Outcome;
use crate::progress::run as run_command;
use crate::workspace::cargo;

/// What `cargo xtask ci` runs, about a minute: always the same seeds, since about one fresh seed of 500 still breaks a promise
/// or an oracle, and a change is not to be blamed for that. Fresh ones: `cargo xtask sim --seconds 60`.
pub(crate) const CI_ARGUMENTS: [&str; 2] = ["--seeds", "1..1000"];

/// # Errors
/// When a seed breaks a promise, or the arguments are wrong.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let mut command = cargo();
    // Optimised, but built in a part of the time of a release, and with the checks of a debug build.
    command.args(["run", "--quiet", "--locked", "--profile", "sim", "--package", "ferry-sim", "--"]);
    run_command(command.args(arguments))
}
