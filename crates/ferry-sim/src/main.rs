//! `ferry-sim`: many seeds, or one again.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use ferry_sim::{Options, PlantedBug, Report, run};

const USAGE: &str = "\
usage: ferry-sim [--seconds N] [--seed S] [--trouble-seconds N] [--plant BUG] [--trace]
  --seconds N          go through seeds for N seconds of real time (default 10)
  --seed S             only this seed, if --seconds is not given; otherwise begin with it (default 1)
  --trouble-seconds N  virtual seconds of faults for each seed (default 60)
  --plant BUG          plant this bug, such as DropPuback
  --trace              print everything that happens";

struct Arguments {
    seconds: Option<u64>,
    seed: Option<u64>,
    options: Options,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Ok(arguments) => go(&arguments),
        Err(what) => {
            say(&format!("{what}\n{USAGE}"));
            ExitCode::from(2)
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { seconds: None, seed: None, options: Options::default() };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
        match word.as_str() {
            "--seconds" => arguments.seconds = Some(number(value()?)?),
            "--seed" => arguments.seed = Some(number(value()?)?),
            "--trouble-seconds" => arguments.options.trouble_seconds = number(value()?)?,
            "--plant" => arguments.options.planted_bug = Some(bug(&value()?)?),
            "--trace" => arguments.options.trace = true,
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    Ok(arguments)
}

fn bug(name: &str) -> Result<PlantedBug, String> {
    let known = PlantedBug::ALL.into_iter().find(|bug| format!("{bug:?}") == name);
    known.ok_or(format!("unknown bug {name}; there are {:?}", PlantedBug::ALL))
}

fn go(arguments: &Arguments) -> ExitCode {
    let start = Instant::now();
    let first = arguments.seed.unwrap_or(1);
    let seconds = match (arguments.seconds, arguments.seed) {
        (Some(seconds), _) => seconds,
        (None, Some(_)) => 0,
        (None, None) => 10,
    };
    let mut total = Report::default();
    let mut broken_seeds = Vec::new();
    for seed in first.. {
        let report = run(seed, &arguments.options);
        total.events += report.events;
        total.messages += report.messages;
        total.deliveries += report.deliveries;
        total.seed = seed;
        if !report.violations.is_empty() {
            broken_seeds.push(seed);
            report.violations.iter().for_each(|violation| say(&format!("seed {seed}: {violation}")));
        }
        if start.elapsed() >= Duration::from_secs(seconds) {
            break;
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    say(&format!(
        "seeds {first} to {}: {} events ({:.0} per second), {} messages, {} deliveries; violations in {} seeds",
        total.seed,
        total.events,
        total.events as f64 / elapsed,
        total.messages,
        total.deliveries,
        broken_seeds.len(),
    ));
    if broken_seeds.is_empty() {
        return ExitCode::SUCCESS;
    }
    say(&format!("broken seeds: {broken_seeds:?}; see one with --seed S --trace"));
    ExitCode::FAILURE
}

#[allow(clippy::print_stdout, reason = "the result of a command line program")]
fn say(text: &str) {
    println!("{text}");
}
