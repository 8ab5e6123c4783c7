//! Opens many idle connections, each with one subscription, and says what they cost the broker.
#![allow(clippy::print_stdout, reason = "figures for the person who asked for them")]

mod crowd;
mod options;
mod resident_memory;

use std::process::ExitCode;
use std::time::Duration;

use ferry_tests::broker::Server;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crowd::Crowd;
use options::{HELP, Options};
use resident_memory::ResidentMemory;

/// Files that this program has open besides its connections.
const OTHER_FILES: u64 = 64;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match Options::parse(&arguments).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}\n\n{HELP}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    raise_open_files(options.connections as u64 + OTHER_FILES)?;
    let broker = match &options.against {
        Some(_) => None,
        None => {
            Some(Server::start(&["[limits]".to_owned(), "connects_per_second_max = 1000000".to_owned()])?)
        }
    };
    let address =
        options.against.clone().or_else(|| broker.as_ref().map(Server::address)).unwrap_or_default();
    let memory = ResidentMemory::new(options.process.or_else(|| broker.as_ref().map(Server::id)));
    // What the broker does for its first client only is not counted for the others.
    drop(Crowd::open(&address, 1)?);
    let before = memory.bytes()?;
    let (crowd, connecting) = Crowd::timed(&address, options.connections)?;
    let connected = memory.bytes()?;
    let delivering = crowd.deliver_to_each(&address)?;
    let delivered = memory.bytes()?;
    println!("broker at {address}");
    line("connections, one subscription each", options.connections);
    line("connected and subscribed in", rate(options.connections, connecting));
    if let (Some(before), Some(connected), Some(delivered)) = (before, connected, delivered) {
        line("resident memory before", kibibytes(before));
        line("resident memory connected", kibibytes(connected));
        let each = connected.saturating_sub(before) / options.connections as u64;
        line("bytes for each connection", each);
        line("resident memory after the messages", kibibytes(delivered));
    }
    line("one message to each in", rate(options.connections, delivering));
    Ok(())
}

fn line(name: &str, value: impl std::fmt::Display) {
    println!("  {name:<36}{value}");
}

fn kibibytes(bytes: u64) -> String {
    format!("{} KiB", bytes / 1024)
}

fn rate(count: usize, duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    format!("{seconds:.2} s, {:.0} a second", count as f64 / seconds)
}

/// Each connection is an open file, here and in the broker, which inherits this limit.
fn raise_open_files(needed: u64) -> Result<(), String> {
    let limits = getrlimit(Resource::Nofile);
    if limits.maximum.is_some_and(|maximum| maximum < needed) {
        let maximum = limits.maximum.unwrap_or_default();
        return Err(format!(
            "{needed} open files are needed and {maximum} allowed: raise it with `ulimit -Hn`"
        ));
    }
    let raised = Rlimit { current: limits.maximum, maximum: limits.maximum };
    setrlimit(Resource::Nofile, raised).map_err(|error| format!("the limit of open files: {error}"))
}
