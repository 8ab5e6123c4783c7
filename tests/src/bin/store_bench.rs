//! `cargo xtask store-bench`: what durable acknowledgements cost, next to Mosquitto.
#![allow(clippy::print_stdout, reason = "a program prints its results")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use ferry_tests::store_bench::{
    Audience, StoreBroker, StoreBrokerKind, acknowledged, drained, queued, restart,
};

const HELP: &str = "\
store-bench [--directory DIR] [--seconds N] [--window N] [--queued N] [--retained N] [--sessions N] [--ferry] [PART ...]

PART: acknowledged, queued, restart (all of them if none is named). Messages have 100 bytes of payload; publishers are at
QoS 1 with MQTT 3.1.1 and have WINDOW (10) messages on their way each. DIR is on the disk to be measured; what is put there is
removed. --ferry leaves the other brokers out.";

struct Options {
    directory: PathBuf,
    duration: Duration,
    window: usize,
    queued: u64,
    retained: usize,
    sessions: usize,
    only_ferry: bool,
    parts: Vec<String>,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}\n\n{HELP}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        directory: std::env::temp_dir(),
        duration: Duration::from_secs(5),
        window: 10,
        queued: 1_000_000,
        retained: 1_000_000,
        sessions: 100_000,
        only_ferry: false,
        parts: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        let number = |text: String| text.parse::<usize>().map_err(|_| format!("\"{text}\" is not a number"));
        match argument.as_str() {
            "--directory" => options.directory = value()?.into(),
            "--seconds" => options.duration = Duration::from_secs(number(value()?)? as u64),
            "--window" => options.window = number(value()?)?,
            "--queued" => options.queued = number(value()?)? as u64,
            "--retained" => options.retained = number(value()?)?,
            "--sessions" => options.sessions = number(value()?)?,
            "--ferry" => options.only_ferry = true,
            "acknowledged" | "queued" | "restart" => options.parts.push(argument),
            _ => return Err(format!("there is no option {argument}")),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<(), String> {
    let all = [StoreBrokerKind::Ferry, StoreBrokerKind::FerryOs, StoreBrokerKind::Mosquitto];
    let kinds: Vec<StoreBrokerKind> = all
        .into_iter()
        .filter(|kind| kind.program().is_some() && (*kind == StoreBrokerKind::Ferry || !options.only_ferry))
        .collect();
    let is_wanted = |part: &str| options.parts.is_empty() || options.parts.iter().any(|other| other == part);
    let directory = options.directory.join(format!("ferry-store-bench-{}", std::process::id()));
    println!("a sync of 4 KiB takes {:.2} ms here\n", sync_milliseconds(&directory)?);
    if is_wanted("acknowledged") {
        print_acknowledged(options, &kinds, &directory)?;
    }
    if is_wanted("queued") {
        print_queued(options, &kinds, &directory)?;
    }
    if is_wanted("restart") {
        print_restart(options, &kinds, &directory)?;
    }
    Ok(())
}

fn print_acknowledged(options: &Options, kinds: &[StoreBrokerKind], directory: &Path) -> Result<(), String> {
    println!(
        "{:<10}{:>11}  {:<14}{:>14}{:>12}{:>12}{:>18}",
        "sessions", "publishers", "broker", "acknowledged/s", "p50 ms", "p99 ms", "written/payload"
    );
    for audience in [Audience::Offline, Audience::Online] {
        for publishers in [1, 100, 1_000] {
            for kind in kinds {
                let name = if audience == Audience::Offline { "offline" } else { "online" };
                let run =
                    acknowledged(*kind, directory, audience, publishers, options.window, options.duration);
                clean(directory);
                let found = match run {
                    Ok(found) => found,
                    Err(error) if *kind == StoreBrokerKind::Mosquitto => {
                        println!("{name:<10}{publishers:>11}  {:<14}  {error}", kind.name());
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                println!(
                    "{name:<10}{publishers:>11}  {:<14}{:>14.0}{:>12.2}{:>12.2}{:>18.1}",
                    kind.name(),
                    found.per_second,
                    found.median.as_secs_f64() * 1e3,
                    found.slowest_percent.as_secs_f64() * 1e3,
                    found.written_per_payload,
                );
            }
        }
    }
    println!();
    Ok(())
}

fn print_queued(options: &Options, kinds: &[StoreBrokerKind], directory: &Path) -> Result<(), String> {
    println!("{} messages queued for 100 sessions that are offline, then taken\n", options.queued);
    println!("{:<14}{:>14}{:>12}{:>14}", "broker", "queued/s", "RSS MiB", "drained/s");
    // A snapshot of so many messages at every change would take days.
    for kind in kinds.iter().filter(|kind| **kind != StoreBrokerKind::Mosquitto) {
        let (broker, _) = StoreBroker::start(*kind, directory)?;
        let queued = queued(&broker, options.queued)?;
        let drained = drained(&broker, options.queued)?;
        println!(
            "{:<14}{:>14.0}{:>12}{:>14.0}",
            kind.name(),
            queued.per_second,
            queued.resident_bytes >> 20,
            drained.per_second
        );
        drop(broker);
        clean(directory);
    }
    println!();
    Ok(())
}

fn print_restart(options: &Options, kinds: &[StoreBrokerKind], directory: &Path) -> Result<(), String> {
    println!("restart with {} retained messages and {} sessions\n", options.retained, options.sessions);
    println!("{:<14}{:>10}{:>10}{:>12}", "broker", "stop s", "start s", "RSS MiB");
    for kind in kinds.iter().filter(|kind| **kind == StoreBrokerKind::Ferry) {
        let found = restart(*kind, directory, options.retained, options.sessions);
        clean(directory);
        let found = found?;
        println!(
            "{:<14}{:>10.2}{:>10.2}{:>12}",
            kind.name(),
            found.stop.as_secs_f64(),
            found.start.as_secs_f64(),
            found.resident_bytes >> 20
        );
    }
    Ok(())
}

/// What this disk can do, the median of some tries.
fn sync_milliseconds(directory: &Path) -> Result<f64, String> {
    use std::io::Write;
    std::fs::create_dir_all(directory).map_err(|error| error.to_string())?;
    let mut file = std::fs::File::create(directory.join("sync")).map_err(|error| error.to_string())?;
    let mut times = Vec::new();
    for _ in 0..50 {
        let begun = std::time::Instant::now();
        file.write_all(&[7; 4096]).and_then(|()| file.sync_data()).map_err(|error| error.to_string())?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    clean(directory);
    Ok(times[times.len() / 2])
}

fn clean(directory: &Path) {
    let _gone = std::fs::remove_dir_all(directory);
    let _gone = std::fs::remove_file(directory.with_extension("conf"));
}
