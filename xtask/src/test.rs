//! `cargo xtask test`: what the tests need, the `ferry` binary, and all tests of the workspace.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::Outcome;
use crate::progress::{run as run_command, shown};
use crate::test_tools;
use crate::workspace::{cargo, target_directory};

/// # Errors
/// When something cannot be prepared or a test fails.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    println!("preparing what the tests need");
    let tools = test_tools::prepare()?;
    println!("building ferry");
    run_command(cargo().args(["build", "--quiet", "--locked", "--workspace", "--bins"]))?;
    println!("running the tests");
    let mut command = cargo();
    command.args(["test", "--locked", "--workspace", "--no-fail-fast"]).args(arguments);
    command
        .env("FERRY_TEST_BINARY", target_directory().join("debug/ferry"))
        .env("FERRY_TEST_PYTHON", tools.python)
        .env("FERRY_TEST_NODE_MODULES", tools.node_modules)
        .env("FERRY_TEST_NO_SKIP", "1")
        .stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", shown(&command)))?;
    let stdout = child.stdout.take().ok_or("cargo test has no output")?;
    let mut totals = Totals::default();
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        totals.add(&line);
        if is_worth_showing(&line) {
            println!("{line}");
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    println!("{} passed, {} failed, {} ignored", totals.passed, totals.failed, totals.ignored);
    if status.success() && totals.failed == 0 { Ok(()) } else { Err(format!("cargo test: {status}")) }
}

/// The thousands of tests that pass are counted, not listed.
fn is_worth_showing(line: &str) -> bool {
    let passed = line.starts_with("test ") && line.ends_with("... ok");
    !passed && !line.trim().is_empty() && line != "running 0 tests"
}

#[derive(Default)]
struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Totals {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let words: Vec<&str> = result.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let Ok(count) = pair[0].parse::<u64>() else { continue };
            match pair[1] {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Totals, is_worth_showing};

    #[test]
    fn results_of_all_test_binaries_are_summed() {
        let mut totals = Totals::default();
        totals.add(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.04s",
        );
        totals.add("test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured");
        totals.add("test something ... ok");
        assert_eq!((totals.passed, totals.failed, totals.ignored), (13, 2, 1));
    }

    #[test]
    fn only_passed_tests_are_left_out() {
        assert!(!is_worth_showing("test a::b ... ok"));
        assert!(is_worth_showing("test a::b ... FAILED"));
        assert!(is_worth_showing("thread 'a' panicked"));
    }
}
