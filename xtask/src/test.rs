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
    let mut failures = Failures::default();
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        totals.add(&line);
        failures.add(&line);
        if is_worth_showing(&line) {
            println!("{line}");
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    println!("{} passed, {} failed, {} ignored", totals.passed, totals.failed, totals.ignored);
    if status.success() && totals.failed == 0 {
        return Ok(());
    }
    Err(format!("cargo test: {status}\n{}", failures.lines.join("\n")))
}

/// The thousands of tests that pass are counted, not listed.
fn is_worth_showing(line: &str) -> bool {
    let passed = line.starts_with("test ") && line.ends_with("... ok");
    !passed && !line.trim().is_empty() && line != "running 0 tests"
}

/// What test binaries say at their end about tests that failed: said again when all is over, where one looks first.
#[derive(Default)]
struct Failures {
    lines: Vec<String>,
    is_in_list: bool,
    /// Lines of the present list.
    listed: usize,
}

impl Failures {
    /// Of each binary; it has shown the rest.
    const LINES_MAX: usize = 60;

    fn add(&mut self, line: &str) {
        if line.starts_with("test result: ") {
            (self.is_in_list, self.listed) = (false, 0);
        }
        self.is_in_list |= line == "failures:";
        let is_new = self.is_in_list && self.listed < Self::LINES_MAX && !line.trim().is_empty();
        if is_new || (line.starts_with("test ") && line.ends_with("... FAILED")) {
            self.listed += usize::from(is_new);
            self.lines.push(line.to_owned());
        }
    }
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
    use super::{Failures, Totals, is_worth_showing};

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
    fn what_failed_is_said_again() {
        let mut failures = Failures::default();
        let output = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\nleft: 1\n\n\n\
            test result: FAILED. 1 passed; 1 failed\n\nrunning 1 test\ntest c ... ok\ntest result: ok. 1 passed";
        output.lines().for_each(|line| failures.add(line));
        assert_eq!(failures.lines, ["test b ... FAILED", "failures:", "---- b stdout ----", "left: 1"]);
    }

    #[test]
    fn only_passed_tests_are_left_out() {
        assert!(!is_worth_showing("test a::b ... ok"));
        assert!(is_worth_showing("test a::b ... FAILED"));
        assert!(is_worth_showing("thread 'a' panicked"));
    }
}
