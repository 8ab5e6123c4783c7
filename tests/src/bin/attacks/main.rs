//! What crowds of attackers do to the other clients of a broker, and what a flood of logins does with each kind of hash.
#![allow(clippy::print_stdout, reason = "figures for the person who asked for them")]

mod attacks;
mod bystander;
mod crowd;
mod logins;
mod packets;

use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use ferry_tests::ferry::{Ferry, Transport};
use ferry_tests::measured_broker::raise_open_files;

use bystander::{Bystander, Waits};

const HELP: &str = "\
attacks [--clients N] [--logins] [--only NAME]

Lets N (10000) clients attack a broker with its default limits, in one way after the other, while another client sends itself
twenty messages a second: how long that one waited, what it lost, what the broker used. --logins: a thousand logins a
second with wrong passwords instead, for each kind of hash. --only: those with NAME in their name.";

/// Files that this program has open besides its attackers.
const OTHER_FILES: u64 = 128;

/// The bystander is alone before the attack, and after it.
const ALONE: Duration = Duration::from_secs(2);

/// The table's head.
const HEAD: &str = "| attack | median | 99 % | longest | lost | took | processor | memory before | at most | after |\n\
                    |---|---|---|---|---|---|---|---|---|---|";

/// Against whom, and with how many.
pub(crate) struct Target {
    pub(crate) tcp: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) clients: usize,
}

struct Options {
    clients: usize,
    is_logins: bool,
    only: String,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match parse(&arguments).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}\n\n{HELP}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options { clients: 10_000, is_logins: false, only: String::new() };
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--clients" => {
                let value = value()?;
                options.clients = value.parse().map_err(|error| format!("{name} {value}: {error}"))?;
            }
            "--only" => options.only.clone_from(value()?),
            "--logins" => options.is_logins = true,
            _ => return Err(format!("there is no {name}")),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<(), String> {
    raise_open_files(options.clients as u64 + OTHER_FILES)?;
    if options.is_logins {
        return logins::run(&options.only);
    }
    println!("{HEAD}");
    for attack in attacks::ALL.iter().filter(|attack| attack.name.contains(&options.only)) {
        let broker = Ferry::start(attack.configuration);
        let target = Target {
            tcp: resolved(&broker.address(Transport::Tcp))?,
            tls: resolved(&broker.address(Transport::Tls))?,
            clients: options.clients,
        };
        let figures = measure(&broker, &target, || (attack.carry_out)(&target))?;
        println!("| {} | {figures} |", attack.name);
    }
    Ok(())
}

/// Lets a bystander be served while `attack` is carried out; the figures as cells of a table.
fn measure<T>(
    broker: &Ferry,
    target: &Target,
    attack: impl FnOnce() -> Result<T, String>,
) -> Result<String, String> {
    let bystander = Bystander::start(target.tcp)?;
    thread::sleep(ALONE);
    let memory_before = broker.resident_bytes();
    let (begin, processor_before) = (Instant::now(), broker.figures().processor_seconds()?);
    // What it holds is let go of only when the figures are taken.
    let held = attack()?;
    let took = begin.elapsed();
    let processor = broker.figures().processor_seconds()? - processor_before;
    drop(held);
    thread::sleep(ALONE);
    let waits = bystander.stop()?;
    let (peak, after) = (broker.resident_bytes_peak(), broker.resident_bytes());
    Ok(format!(
        "{} | {:.1} s | {:.1} s | {} | {} | {}",
        cells(&waits),
        took.as_secs_f64(),
        processor,
        mebibytes(memory_before),
        mebibytes(peak),
        mebibytes(after),
    ))
}

/// How the bystander fared.
fn cells(waits: &Waits) -> String {
    let [median, most, longest] = [50, 99, 100].map(|percent| milliseconds(waits.percentile(percent)));
    format!("{median} | {most} | {longest} | {}", waits.lost)
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
}

fn resolved(address: &str) -> Result<SocketAddr, String> {
    let found = address.to_socket_addrs().map_err(|error| format!("{address}: {error}"))?.next();
    found.ok_or_else(|| format!("{address} is no address"))
}
