//! `cargo xtask fuzz`: each fuzz target for a while.

use std::process::Command;

use crate::Outcome;
use crate::progress::{run as run_command, run_quietly};
use crate::workspace::root;

const SECONDS_DEFAULT: u32 = 60;

/// Runs each target; says so and succeeds when the nightly toolchain or cargo-fuzz is not installed, for the same
/// properties run as property tests on stable.
///
/// # Errors
/// When a target finds something.
pub(crate) fn run_targets(seconds: u32) -> Outcome {
    if !root().join("fuzz/Cargo.toml").exists() {
        println!("skipped: there is no fuzz/Cargo.toml");
        return Ok(());
    }
    if run_quietly(nightly_fuzz().arg("--version")).is_err() {
        println!("skipped: needs `rustup toolchain install nightly` and `cargo install cargo-fuzz`");
        return Ok(());
    }
    let output = nightly_fuzz().arg("list").output().map_err(|error| error.to_string())?;
    for target in String::from_utf8_lossy(&output.stdout).lines() {
        println!("fuzz target {target}, {seconds} s");
        let limit = format!("-max_total_time={seconds}");
        run_command(nightly_fuzz().args(["run", target, "--", &limit, "-rss_limit_mb=2048"]))?;
    }
    Ok(())
}

/// # Errors
/// See [`run_targets`].
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let seconds = match arguments.first() {
        None => SECONDS_DEFAULT,
        Some(text) => text.parse().map_err(|_| format!("\"{text}\" is not a number of seconds"))?,
    };
    run_targets(seconds)
}

/// The cargo of rustup, which understands `+nightly`; not the one of a toolchain that `CARGO` names.
fn nightly_fuzz() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root()).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").args(["+nightly", "fuzz"]);
    command
}
