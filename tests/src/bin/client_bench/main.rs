//! `cargo xtask client-bench [--runs N] [--messages N] [--only LIBRARY]... [FILTER]`: processor time of a client for each
//! message, next to the libraries of others.
#![allow(clippy::print_stdout, reason = "figures for the person who asked for them")]

mod feeder;
mod ferry_client;
mod library;
mod minimal_publisher;
mod options;
mod rumqttc_client;
mod scenario;
mod work;

use std::process::ExitCode;

use ferry_tests::ferry::Ferry;

use options::{HELP, Options};
use scenario::{SCENARIOS, Scenario};
use work::{Spent, Work};

/// What a slow client has not taken waits in the broker, however much it is.
const BROKER: &str = "\
[limits]
queue_messages_max = 100_000_000
queue_messages_total_max = 100_000_000
queue_bytes_max = \"64 GiB\"
queue_bytes_total_max = \"64 GiB\"
write_buffer_bytes_max = \"64 GiB\"
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match Work::parse(&arguments) {
        Some((library, work)) => library.do_here(&work).map(|spent| println!("{spent}")),
        None => Options::parse(&arguments).and_then(|options| run(&options)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}\n\n{HELP}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    println!(
        "medians of {} runs, libraries in turn; payload of {} bytes\n",
        options.runs,
        work::PAYLOAD_BYTES
    );
    println!(
        "{:<28}{:<22}{:>16}{:>12}{:>12}",
        "scenario", "library", "CPU µs/message", "messages/s", "peak KiB"
    );
    for scenario in SCENARIOS.into_iter().filter(|scenario| scenario.name.contains(&options.filter)) {
        compare(scenario, options)?;
    }
    if options.filter.is_empty() {
        minimal_publisher::measure(options.runs)?;
    }
    Ok(())
}

fn compare(scenario: Scenario, options: &Options) -> Result<(), String> {
    let mut results: Vec<Vec<Spent>> = vec![Vec::new(); options.libraries.len()];
    for _ in 0..options.runs {
        for (library, results) in options.libraries.iter().zip(&mut results) {
            // A broker of its own, so that none finds what another has left.
            let broker = Ferry::start(BROKER);
            results.push(library.measure(scenario, options.messages, &broker)?);
        }
    }
    for (library, results) in options.libraries.iter().zip(&results) {
        println!(
            "{:<28}{:<22}{:>16.2}{:>12.0}{:>12.0}",
            scenario.name,
            library.name(),
            median(results.iter().map(Spent::processor_microseconds_per_message)),
            median(results.iter().map(Spent::messages_per_second)),
            median(results.iter().map(|spent| spent.resident_kibibytes_peak as f64)),
        );
    }
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
