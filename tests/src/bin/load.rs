//! `cargo xtask load [--runs N] [--seconds N] [--clients N] [FILTER]`: processor time per message, next to Mosquitto.
#![allow(clippy::print_stdout, reason = "a program prints its results")]

use std::process::ExitCode;
use std::time::Duration;

use ferry_tests::load::{BrokerKind, BrokerProcess, Idle, Measured, SCENARIOS, Scenario, idle, measure};

/// What the command line says.
struct Options {
    runs: usize,
    duration: Duration,
    clients: usize,
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
    let mut options =
        Options { runs: 5, duration: Duration::from_secs(3), clients: 5_000, filter: String::new() };
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
            _ if argument.starts_with('-') => return Err(format!("unknown option {argument}")),
            _ => options.filter = argument,
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<(), String> {
    let brokers: Vec<BrokerKind> = [BrokerKind::Ferry, BrokerKind::Mosquitto]
        .into_iter()
        .filter(|kind| kind.program().is_some())
        .collect();
    println!(
        "medians of {} runs of {} s, brokers in turn; 16 bytes of payload, MQTT 3.1.1\n",
        options.runs,
        options.duration.as_secs()
    );
    println!("{:<18}{:<12}{:>12}{:>16}", "scenario", "broker", "messages/s", "CPU µs/message");
    for scenario in SCENARIOS.into_iter().filter(|scenario| scenario.name.contains(&options.filter)) {
        compare(scenario, &brokers, options)?;
    }
    if "idle".contains(&options.filter) {
        println!(
            "\nidle: {} clients connected, woken in {} s\n\n{:<12}{:>12}{:>22}{:>10}",
            options.clients,
            IDLE.as_secs(),
            "broker",
            "RSS KiB",
            "bytes per connection",
            "woken"
        );
        for kind in brokers {
            let Idle { resident_bytes, bytes_per_connection, wakeups } =
                idle(&BrokerProcess::start(kind)?, options.clients, IDLE)?;
            let kib = resident_bytes / 1024;
            println!("{:<12}{kib:>12}{bytes_per_connection:>22}{wakeups:>10}", kind.name());
        }
    }
    Ok(())
}

/// How long an idle broker is looked at.
const IDLE: Duration = Duration::from_secs(10);

fn compare(scenario: Scenario, brokers: &[BrokerKind], options: &Options) -> Result<(), String> {
    let mut results: Vec<Vec<Measured>> = vec![Vec::new(); brokers.len()];
    for _ in 0..options.runs {
        for (kind, results) in brokers.iter().zip(&mut results) {
            results.push(measure(&BrokerProcess::start(*kind)?, scenario, options.duration)?);
        }
    }
    for (kind, results) in brokers.iter().zip(&results) {
        println!(
            "{:<18}{:<12}{:>12.0}{:>16.2}",
            scenario.name,
            kind.name(),
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
