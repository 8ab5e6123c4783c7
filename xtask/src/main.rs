//! The tasks of this repository: `cargo xtask TASK`.
#![allow(clippy::print_stdout, reason = "a task talks to the person who started it")]

mod attacks;
mod bench;
mod ci;
mod client_bench;
mod conformance;
mod crash;
mod dependencies;
mod features;
mod fuzz;
mod instructions;
mod licence;
mod many_connections;
mod progress;
mod sim;
mod spec;
mod store_bench;
mod test;
mod test_tools;
mod tidy;
mod workspace;

use std::process::ExitCode;

/// What a task returns: what went wrong, in words.
type Outcome = Result<(), String>;

const HELP: &str = "\
cargo xtask TASK

  ci [--quick]       format, clippy, rustdoc, tidy, spec, dependencies, tests, features, instructions, simulation, fuzz
                     targets (--quick: without the last three)
  test [ARGUMENTS]   prepare what the tests need, then run all of them (ARGUMENTS go to cargo test)
  test-tools         only prepare what the tests need
  tidy               rules of the source tree: crate dependencies, sizes, names, words
  dependencies       licences, known bad, yanked and duplicate dependencies
  features           clippy and tests of what optional features add, as far as their libraries are there to build with
  conformance --against HOST:PORT [FILTER]
                     run the scripts under tests/scripts against any broker and print a table
  sim [--seconds N | --seeds A..B] [--seed S]
                     simulate brokers with their clients and faults, and check what the standard promises
  spec [--format text|markdown|toml] [--id ID] [--missing] [--check] [--update]
                     the statements of the standards, their code and their tests; fails when one is not tested
  crash [--rounds N] [--power-loss] [--durability fsync|os] [--shards N] [--seed N] [--keep DIRECTORY]
                     kill the broker N times (100) under real clients: nothing acknowledged may be lost
  store-bench [--directory DIR] [--ferry] [acknowledged] [queued] [restart]
                     acknowledged messages per second, memory of queues, restarts; next to Mosquitto
  bench [--runs N] [--seconds N] [--only SCENARIO] [--peer NAME]... [--quick] [--install-peers] [--output FILE]
        [--ferry FILE]
                     Ferry and every broker of xtask/peers.toml that is on this machine: docs/benchmarks.md
                     (--ferry: this program rather than one that is built)
  client-bench [--runs N] [--messages N] [--only LIBRARY]... [FILTER]
                     processor time of a client for each message, next to rumqttc, Paho C and paho-mqtt of Python; how
                     large a minimal publisher is
                     build, and the same with its store or more shards
  instructions [--update]
                     count the instructions of the hot paths; fails where one takes 5 % more than the figures
                     that are checked in (--update: take these counts as figures)
  fuzz [SECONDS]     run each fuzz target (default 60 s)
  attacks [--clients N] [--only NAME] [--logins] [--hashes]
                     let 10,000 clients attack the release binary, and say how long another client waited; a flood of
                     logins instead (--logins), or what comparing a password costs with each hash (--hashes)
  many-connections [--connections N] [--subscriptions N] [--retained N] [--durable] [ferry | mosquitto]
                     memory and processor time of what the release binary holds, next to Mosquitto if it is
                     installed (--against HOST:PORT [--process ID]: of a running broker)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (task, rest) =
        arguments.split_first().map_or(("help", &[][..]), |(task, rest)| (task.as_str(), rest));
    let outcome = match task {
        "attacks" => attacks::run(rest),
        "bench" => bench::run(rest),
        bench::guard::TASK => bench::guard::run(rest),
        "client-bench" => client_bench::run(rest),
        "ci" => ci::run(rest),
        "spec" => spec::run(rest),
        "test" => test::run(rest),
        "test-tools" => test_tools::prepare().map(drop),
        "tidy" => tidy::run(),
        "dependencies" => dependencies::run(),
        "features" => features::run(),
        "conformance" => conformance::run(rest),
        "crash" => crash::run(rest),
        "store-bench" => store_bench::run(rest),
        "sim" => sim::run(rest),
        "fuzz" => fuzz::run(rest),
        "instructions" => instructions::run(rest),
        "many-connections" => many_connections::run(rest),
        "help" | "-h" | "--help" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(format!("there is no task \"{other}\"\n\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
