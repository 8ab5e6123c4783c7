//! `cargo xtask sim`: whole lives of a broker, from seeds.

use std::process::Command;

use crate::Outcome;
use crate::progress::run as run_command;
use crate::workspace::{cargo, root};

/// Seeds of one run of CI: about a minute.
const CI_SEEDS: u64 = 1_000;

/// What `cargo xtask ci` runs: other seeds for each state of the sources, and for the same state always the same, so that
/// a failure can be repeated and none comes from nowhere.
pub(crate) fn ci_arguments() -> [String; 2] {
    let first = committed_tree().unwrap_or(1);
    ["--seeds".to_owned(), format!("{first}..{}", first + CI_SEEDS)]
}

/// A number that stands for the committed sources; none outside of a repository.
fn committed_tree() -> Option<u64> {
    let mut git = Command::new("git");
    let output = git.current_dir(root()).args(["rev-parse", "HEAD^{tree}"]).output().ok()?;
    let hash = String::from_utf8(output.stdout).ok()?;
    u64::from_str_radix(hash.get(..10)?, 16).ok()
}

/// # Errors
/// When a seed breaks a promise, or the arguments are wrong.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let mut command = cargo();
    // Optimised, but built in a part of the time of a release, and with the checks of a debug build.
    command.args(["run", "--quiet", "--locked", "--profile", "sim", "--package", "ferry-sim", "--"]);
    run_command(command.args(arguments))
}
