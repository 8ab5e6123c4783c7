//! `cargo xtask load [--runs N] [--seconds N] [--clients N] [--baseline PROGRAM] [--store] [--shards N] [FILTER]`:
//! processor time per message, next to Mosquitto.
#![allow(clippy::print_stdout, reason = "a program prints its results")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use ferry_tests::load::{BrokerProcess, Contender, Idle, Measured, SCENARIOS, Scenario, idle, measure};

/// What the command line says.
struct Options {
    runs: usize,
    duration: Duration,
    clients: usize,
    /// Another build, to be measured in turn with this one.
    baseline: Option<PathBuf>,
    /// This one with its store too.
    store: bool,
    /// This one with so many shards too.
    shards: usize,
    /// Not next to Mosquitto.
    alone: bool,
    filter: String,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        runs: 5,
        duration: Duration::from_secs(3),
        clients: 5_000,
        baseline: None,
        store: false,
        shards: 1,
        alone: false,
        filter: String::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let value = arguments.next().and_then(|value| value.parse::<usize>().ok());
            value.filter(|value| *value > 0).ok_or_else(|| format!("{argument} needs a number"))
        };
        match argument.as_str() {
            "--runs" => options.runs = number()?,
            "--seconds" => options.duration = Duration::from_secs(number()? as u64),
            "--clients" => options.clients = number()?,
            "--shards" => options.shards = number()?,
            "--store" => options.store = true,
            "--alone" => options.alone = true,
            "--baseline" => {
                let program = arguments.next().ok_or("--baseline needs a program")?;
                options.baseline = Some(program.into());
            }
            _ if argument.starts_with('-') => return Err(format!("unknown option {argument}")),
            _ => options.filter = argument,
        }
    }
    Ok(options)
}

fn contenders(options: &Options) -> Vec<Contender> {
    let mut contenders = vec![Contender::ferry(false, 1)];
    contenders.extend(options.store.then(|| Contender::ferry(true, 1)));
    let shards = u16::try_from(options.shards).ok().filter(|shards| *shards > 1);
    contenders.extend(shards.map(|shards| Contender::ferry(false, shards)));
    contenders.extend(options.baseline.as_deref().map(Contender::baseline));
    contenders.extend(Contender::mosquitto().filter(|_| !options.alone));
    contenders
}

fn run(options: &Options) -> Result<(), String> {
    let brokers = contenders(options);
    println!(
        "medians of {} runs of {} s, brokers in turn; 16 bytes of payload if nothing else is said, MQTT 3.1.1\n",
        options.runs,
        options.duration.as_secs()
    );
    println!("{:<34}{:<18}{:>12}{:>16}", "scenario", "broker", "messages/s", "CPU µs/message");
    for scenario in SCENARIOS.into_iter().filter(|scenario| scenario.name.contains(&options.filter)) {
        compare(scenario, &brokers, options)?;
    }
    if "idle".contains(&options.filter) {
        println!(
            "\nidle: {} clients connected, woken in {} s\n\n{:<18}{:>12}{:>22}{:>10}",
            options.clients,
            IDLE.as_secs(),
            "broker",
            "RSS KiB",
            "bytes per connection",
            "woken"
        );
        for broker in &brokers {
            let Idle { resident_bytes, bytes_per_connection, wakeups } =
                idle(&BrokerProcess::start(broker)?, options.clients, IDLE)?;
            let kib = resident_bytes / 1024;
            println!("{:<18}{kib:>12}{bytes_per_connection:>22}{wakeups:>10}", broker.name);
        }
    }
    Ok(())
}

/// How long an idle broker is looked at.
const IDLE: Duration = Duration::from_secs(10);

fn compare(scenario: Scenario, brokers: &[Contender], options: &Options) -> Result<(), String> {
    let mut results: Vec<Vec<Measured>> = vec![Vec::new(); brokers.len()];
    for _ in 0..options.runs {
        for (broker, results) in brokers.iter().zip(&mut results) {
            results.push(measure(&BrokerProcess::start(broker)?, scenario, options.duration)?);
        }
    }
    for (broker, results) in brokers.iter().zip(&results) {
        println!(
            "{:<34}{:<18}{:>12.0}{:>16.2}",
            scenario.name,
            broker.name,
            median(results.iter().map(|one| one.messages_per_second)),
            median(results.iter().map(|one| one.processor_microseconds_per_message)),
        );
    }
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
