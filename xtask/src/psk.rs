//! `cargo xtask psk`: what only a program with the feature `psk` has, which needs a C library.

use std::process::Command;

use crate::Outcome;
use crate::progress::{run as run_command, run_quietly};
use crate::workspace::cargo;

/// The crates that have the feature.
const PACKAGES: [&str; 8] = ["-p", "ferry-net", "-p", "ferry-client", "-p", "ferry-broker", "-p", "ferry"];

/// Tests that see something of it; the others have run without it.
const TESTS: [&str; 4] = ["psk", "pre_shared", "keys_are_written", "bash_completes"];

/// # Errors
/// Clippy finds something, or a test fails. Without OpenSSL this only says that nothing was checked.
pub(crate) fn run() -> Outcome {
    if run_quietly(Command::new("pkg-config").args(["--exists", "openssl"])).is_err() {
        println!("note: OpenSSL is not here (libssl-dev and pkg-config of Debian): TLS-PSK is NOT checked");
        return Ok(());
    }
    let features = ["--locked", "--features", "ferry/psk"];
    let mut clippy = cargo();
    clippy.args(["clippy", "--quiet", "--all-targets"]).args(PACKAGES).args(features);
    run_command(clippy.args(["--", "-D", "warnings"]))?;
    let mut test = cargo();
    test.args(["test", "--quiet", "--lib", "--test", "loopback", "--test", "tools"]).args(PACKAGES);
    run_command(test.args(features).arg("--").args(TESTS))
}
