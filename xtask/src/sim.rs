//! `cargo xtask sim`: whole lives of a broker, from seeds.

use crate::Outcome;
use crate::progress::run as run_command;
use crate::workspace::cargo;

/// What `cargo xtask ci` runs: always the same seeds, since crashes of the store still break a promise in about one seed
/// of a thousand, and a change is not to be blamed for that. Fresh seeds are run by hand.
pub(crate) const CI_ARGUMENTS: [&str; 2] = ["--seeds", "13..200"];

/// # Errors
/// When a seed breaks a promise, or the arguments are wrong.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let mut command = cargo();
    // Optimised, but built in a part of the time of a release, and with the checks of a debug build.
    command.args(["run", "--quiet", "--locked", "--profile", "sim", "--package", "ferry-sim", "--"]);
    run_command(command.args(arguments))
}
