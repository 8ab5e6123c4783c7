//! `cargo xtask ci`: everything a change must pass.

use crate::progress::{Progress, run as run_command};
use crate::workspace::cargo;
use crate::{Outcome, dependencies, features, fuzz, instructions, sim, spec, test, tidy};

/// # Errors
/// The steps that failed; all of them are run first.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let mut progress = Progress::new(if quick { 8 } else { 11 });
    progress.step("format", || run_command(cargo().args(["fmt", "--all", "--check"])));
    progress.step("clippy", || {
        let arguments =
            ["clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
        run_command(cargo().args(arguments))
    });
    progress.step("rustdoc", || {
        let mut command = cargo();
        command.args(["doc", "--quiet", "--locked", "--workspace", "--no-deps", "--document-private-items"]);
        run_command(command.env("RUSTDOCFLAGS", "-D warnings"))
    });
    progress.step("tidy", tidy::run);
    progress.step("spec", || spec::run(&["--check".to_owned()]));
    progress.step("dependencies", dependencies::run);
    progress.step("tests", || test::run(&[]));
    progress.step("features", features::run);
    if !quick {
        progress.step("instructions", || instructions::run(&[]));
        progress.step("simulation", || sim::run(&sim::ci_arguments()));
        progress.step("fuzz", || fuzz::run(&[]));
    }
    progress.finish()
}
