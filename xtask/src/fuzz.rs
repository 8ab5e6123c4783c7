//! `cargo xtask fuzz`: each fuzz target for a while.

use std::process::Command;

use crate::Outcome;
use crate::progress::{run as run_command, run_quietly, shown};
use crate::workspace::{path_with_tools, root, tools};

const SECONDS_DEFAULT: u32 = 60;

/// The report of libFuzzer and of the sanitizer, with the stack and how to try it again.
const LINES_OF_A_FAILURE: usize = 100;

/// Runs each target, after installing cargo-fuzz below `target/` if it is missing. Says so and succeeds when the
/// nightly toolchain is not installed, for the same properties run as property tests on stable.
///
/// # Errors
/// When a target finds something, or cargo-fuzz cannot be installed.
pub(crate) fn run_targets(seconds: u32) -> Outcome {
    if !root().join("fuzz/Cargo.toml").exists() {
        println!("skipped: there is no fuzz/Cargo.toml");
        return Ok(());
    }
    if run_quietly(nightly().arg("--version")).is_err() {
        println!("skipped: needs `rustup toolchain install nightly`");
        return Ok(());
    }
    if run_quietly(nightly_fuzz().arg("--version")).is_err() {
        println!("installing cargo-fuzz below target/tools");
        let mut install = Command::new("cargo");
        install.current_dir(root()).args(["install", "cargo-fuzz", "--locked", "--quiet", "--root"]);
        run_command(install.arg(tools()))?;
    }
    let output = nightly_fuzz().arg("list").output().map_err(|error| error.to_string())?;
    for target in String::from_utf8_lossy(&output.stdout).lines() {
        println!("fuzz target {target}, {seconds} s");
        let limit = format!("-max_total_time={seconds}");
        run_target(nightly_fuzz().args(["run", target, "--", &limit, "-rss_limit_mb=2048"]))?;
    }
    Ok(())
}

/// Of the thousands of lines of a run that finds nothing only the last is shown.
fn run_target(command: &mut Command) -> Outcome {
    let output = command.output().map_err(|error| format!("{}: {error}", shown(command)))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = stderr.lines().collect();
    if output.status.success() {
        println!("{}", lines.last().copied().unwrap_or_default());
        return Ok(());
    }
    let end = lines[lines.len().saturating_sub(LINES_OF_A_FAILURE)..].join("\n");
    Err(format!("{}: {}\n{end}", shown(command), output.status))
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
fn nightly() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root()).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").arg("+nightly");
    command
}

fn nightly_fuzz() -> Command {
    let mut command = nightly();
    command.env("PATH", path_with_tools()).arg("fuzz");
    command
}
