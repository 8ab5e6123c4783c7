//! Runs the scripts against any broker and prints what it fulfils.
#![allow(clippy::print_stdout, reason = "a table for the person who asked for it")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::Duration;

use ferry_tests::broker::{TcpBroker, clean_up};
use ferry_tests::run::{Manner, check};
use ferry_tests::script::{Script, all_scripts};

const HELP: &str = "\
conformance --against HOST:PORT [--time SECONDS] [--verbose] [FILTER]

Runs the scripts under tests/scripts, those whose name holds FILTER, against a broker that allows anonymous clients.
Scripts that need a special configuration, or more than SECONDS (10) of time, are left out.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match options(&arguments).and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}\n\n{HELP}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    address: String,
    time_max: Duration,
    verbose: bool,
    filter: String,
}

fn options(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options {
        address: String::new(),
        time_max: Duration::from_secs(10),
        verbose: false,
        filter: String::new(),
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--against" => options.address = rest.next().ok_or("--against HOST:PORT")?.clone(),
            "--time" => {
                let seconds = rest.next().and_then(|seconds| seconds.parse().ok()).ok_or("--time SECONDS")?;
                options.time_max = Duration::from_secs(seconds);
            }
            "--verbose" => options.verbose = true,
            flag if flag.starts_with('-') => return Err(format!("there is no option {flag}")),
            filter => filter.clone_into(&mut options.filter),
        }
    }
    if options.address.is_empty() { Err("--against HOST:PORT is missing".to_owned()) } else { Ok(options) }
}

fn run(options: &Options) -> Result<bool, String> {
    let scripts: Vec<Script> =
        all_scripts()?.into_iter().filter(|script| script.name.contains(&options.filter)).collect();
    let mut statements: BTreeMap<String, bool> = BTreeMap::new();
    let (mut passed, mut failed, mut left_out) = (0, 0, 0);
    for script in &scripts {
        let header = &script.header;
        let special = header.needs_setup() || header.only_in_process || header.only_ferry;
        if special || script.duration() > options.time_max {
            left_out += 1;
            continue;
        }
        let failures = run_script(script, &options.address)?;
        println!("{:6} {}", if failures.is_empty() { "pass" } else { "FAIL" }, script.name);
        for failure in &failures {
            let shown = if options.verbose { usize::MAX } else { 2 };
            failure.lines().take(shown).for_each(|line| println!("       {line}"));
        }
        for id in &header.proves {
            *statements.entry(id.clone()).or_insert(true) &= failures.is_empty();
        }
        if failures.is_empty() {
            passed += 1;
        } else {
            failed += 1;
        }
    }
    let fulfilled = statements.values().filter(|fulfilled| **fulfilled).count();
    println!("\n{} against {}", env!("CARGO_PKG_NAME"), options.address);
    println!("scripts     {passed:4} passed {failed:4} failed {left_out:4} left out");
    println!("statements  {fulfilled:4} of {} fulfilled", statements.len());
    let broken: BTreeSet<&String> =
        statements.iter().filter(|(_, fulfilled)| !**fulfilled).map(|(id, _)| id).collect();
    broken.iter().for_each(|id| println!("  not fulfilled: {id}"));
    Ok(failed == 0)
}

fn run_script(script: &Script, address: &str) -> Result<Vec<String>, String> {
    let mut failures = Vec::new();
    for level in &script.header.versions {
        let mut broker = TcpBroker::new(address);
        if let Err(failure) = check(script, *level, &mut broker, Manner::AsAllowed) {
            failures.push(format!("version {level}: {failure}"));
        }
        drop(broker);
        clean_up(script, address)?;
    }
    Ok(failures)
}
