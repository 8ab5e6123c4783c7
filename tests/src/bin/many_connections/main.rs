//! Says what a broker needs for what it holds: idle connections, subscriptions, retained messages.
#![allow(clippy::print_stdout, reason = "figures for the person who asked for them")]

mod client;
mod crowd;
mod options;
mod report;
mod retained;
mod subscriptions;

use std::net::ToSocketAddrs;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use ferry_tests::measured_broker::{BrokerProcess, ProcessFigures, raise_open_files};

use crowd::Crowd;
use options::{HELP, Options};
use report::{Broker, line};

/// Files that this program has open besides its connections.
const OTHER_FILES: u64 = 64;
/// After the last connection, until nothing follows from it any more.
const SETTLE: Duration = Duration::from_secs(1);
/// How long an idle broker is looked at.
const IDLE: Duration = Duration::from_secs(10);

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
    let sections = [
        (options.connections, connections as Section),
        (options.subscriptions, subscriptions::measure),
        (options.retained, retained::measure),
    ];
    let sections: Vec<_> = sections.into_iter().filter(|(count, _)| *count > 0).collect();
    if let Some(address) = &options.against {
        let resolved = address.to_socket_addrs().map_err(|error| format!("{address}: {error}"))?.next();
        let address = resolved.ok_or_else(|| format!("{address} is no address"))?;
        let broker = Broker { address, process: options.process.map(ProcessFigures::of) };
        return sections.into_iter().try_for_each(|(_, measure)| measure(&broker, options));
    }
    for (_, measure) in sections {
        for broker in &options.brokers {
            println!("{}", broker.name);
            let started = BrokerProcess::start(broker)?;
            measure(&Broker { address: started.address(), process: Some(started.figures()) }, options)?;
        }
    }
    Ok(())
}

/// Measures one kind of thing.
type Section = fn(&Broker, &Options) -> Result<(), String>;

fn connections(broker: &Broker, options: &Options) -> Result<(), String> {
    let count = options.connections;
    if let Some(process) = broker.process {
        line("memory at first", format!("{} KiB", process.resident_bytes()? / 1024));
    }
    // What the broker does for its first client only is not counted for the others.
    drop(Crowd::open(broker.address, 1, false)?);
    thread::sleep(SETTLE);
    let before = broker.snapshot()?;
    let mut crowd = Crowd::open(broker.address, count, options.is_durable)?;
    let spent = broker.since(before)?;
    spent.print_each(&format!("{count} connections with one subscription"), count);
    spent.print_bytes_each("memory for them", count, 0);
    thread::sleep(SETTLE);
    let before = broker.snapshot()?;
    thread::sleep(IDLE);
    if let Some(wakeups) = broker.since(before)?.wakeups {
        line(&format!("woken in {} s without anything to do", IDLE.as_secs()), wakeups);
    }
    let before = broker.snapshot()?;
    crowd.deliver_to_each(broker.address)?;
    let spent = broker.since(before)?;
    spent.print_each("messages, one for each connection", count);
    spent.print_bytes_each("memory that is not given back afterwards", count, 0);
    Ok(())
}
