//! `cargo xtask client-bench`: processor time of a client for each message, next to the libraries of others.

use std::path::PathBuf;
use std::process::Command;

use crate::Outcome;
use crate::progress::{run as run_command, run_quietly};
use crate::test_tools;
use crate::workspace::{cargo, root, target_directory};

/// # Errors
/// When a program cannot be built, a client fails, or the arguments are wrong.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let tools = test_tools::prepare()?;
    let release = |arguments: &[&str]| {
        run_command(cargo().args(["build", "--quiet", "--locked", "--release"]).args(arguments))
    };
    if std::env::var_os("FERRY_TEST_BINARY").is_none() {
        release(&["--package", "ferry"])?;
    }
    let minimal = minimal_publisher("minimal-publisher", &[])?;
    let minimal_tls = minimal_publisher("minimal-publisher-tls", &["--features", "tls"])?;
    release(&["--package", "ferry-tests", "--bin", "client-bench"])?;
    let mut command = Command::new(target_directory().join("release/client-bench"));
    command
        .args(arguments)
        .env("FERRY_TEST_PYTHON", tools.python)
        .env("FERRY_BENCH_PAHO_C", paho_c()?)
        .env("FERRY_BENCH_MINIMAL", minimal)
        .env("FERRY_BENCH_MINIMAL_TLS", minimal_tls);
    if std::env::var_os("FERRY_TEST_BINARY").is_none() {
        command.env("FERRY_TEST_BINARY", target_directory().join("release/ferry"));
    }
    run_command(&mut command)
}

/// Builds it and keeps it under this name, since the next build replaces it.
fn minimal_publisher(name: &str, features: &[&str]) -> Result<PathBuf, String> {
    let mut command = cargo();
    command.args(["build", "--quiet", "--locked", "--release", "--package", "minimal-publisher"]);
    run_command(command.args(features))?;
    let release = target_directory().join("release");
    let kept = release.join(format!("{name}-measured"));
    std::fs::copy(release.join("minimal-publisher"), &kept).map_err(|error| error.to_string())?;
    Ok(kept)
}

fn paho_c() -> Result<PathBuf, String> {
    let binary = target_directory().join("release/paho-c-client-bench");
    let source = root().join("tests/clients/c/client_bench.c");
    let mut command = Command::new("cc");
    command.args(["-Wall", "-Wextra", "-Werror", "-O2", "-o"]).args([&binary, &source]);
    run_quietly(command.args(["-lpaho-mqtt3a", "-lpthread"]))?;
    Ok(binary)
}
