//! A broker that is killed again and again under clients that others wrote, and an account of what it promised them.
//!
//! Publishers number their messages and say which are acknowledged; subscribers with sessions that outlive everything
//! say what they get. Nothing acknowledged may be missing, nothing may come twice at QoS 2, and nothing out of order.

mod broker;
mod client;
mod ledger;
mod loss;
mod random;
mod retained;
mod rumqttc_client;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use broker::{BrokerChoice, CrashBroker};
pub use loss::LosingDisk;

use client::{CLIENTS, Clients, Role};
use ferry_broker::store_tools::{self, DumpOptions};
use ledger::Ledger;
use random::Random;

use crate::broker::free_port;
use crate::ferry::ScratchDirectory;

/// How long it may take until something more happens.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often it is told how far the end is.
const INTERVAL: Duration = Duration::from_secs(10);

/// What is done to the broker.
#[derive(Clone, Debug)]
pub struct CrashOptions {
    /// How often it is killed.
    pub rounds: u32,
    /// Decides when.
    pub seed: u64,
    /// Which broker.
    pub broker: BrokerChoice,
    /// `storage.durability`
    pub durability: String,
    /// `server.shards`
    pub shards: u16,
    /// Where to leave the data directory and the broker's log; else they are removed.
    pub keep: Option<PathBuf>,
    /// Is told of each round.
    pub tell: fn(&str),
}

/// What has happened, when nothing was wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrashReport {
    /// Messages that were acknowledged to their publishers.
    pub acknowledged: u64,
    /// Messages that came to subscribers, those that came again not counted.
    pub received: u64,
    /// Messages that came again, as QoS 1 allows.
    pub repeated: u64,
}

/// Kills and restarts a broker under traffic.
///
/// # Errors
/// What was lost, came twice or came out of order; or what could not be started.
pub fn run(options: &CrashOptions) -> Result<CrashReport, String> {
    let scratch = ScratchDirectory::new();
    let directory = options.keep.clone().unwrap_or_else(|| scratch.path("data"));
    let port = free_port()?;
    let configuration =
        format!("durability = \"{}\"\n[server]\nshards = {}\n", options.durability, options.shards);
    let start = || CrashBroker::start(options.broker, &directory, port, &configuration);
    let mut random = Random::new(options.seed);
    let mut ledger = Ledger::new(&CLIENTS);
    let mut broker = start()?;
    let mut clients = Clients::start(port)?;
    if !clients.pump(&mut ledger, PATIENCE, Ledger::all_subscribed)? {
        return Err(ledger.missing());
    }
    clients.order(Role::Publisher, "start");
    for round in 1..=options.rounds {
        let in_round = |error| format!("round {round}, seed {}: {error}", options.seed);
        let life = Duration::from_millis(50 + random.below(1_000));
        let pausing = clients.pause_or_resume(&mut random);
        clients.pump(&mut ledger, life, |_| false).map_err(in_round)?;
        broker.kill();
        let promised = ledger.acknowledged();
        broker = start().map_err(in_round)?;
        retained::check(port, &promised).map_err(in_round)?;
        let CrashReport { acknowledged, received, .. } = ledger.report();
        let life = life.as_millis();
        let pausing = pausing.map(|what| format!(", {what}")).unwrap_or_default();
        (options.tell)(&format!(
            "round {round:>3}: killed after {life:>4} ms, {acknowledged:>7} acknowledged, {received:>8} received{pausing}"
        ));
    }
    clients.order(Role::Publisher, "stop");
    clients.resume_all();
    let at_the_end = |error| format!("at the end, seed {}: {error}", options.seed);
    complete(&mut clients, &mut ledger, options.tell).map_err(at_the_end)?;
    // What comes twice comes soon.
    clients.pump(&mut ledger, Duration::from_millis(500), |_| false)?;
    broker.terminate()?;
    check_store(&directory)?;
    Ok(ledger.report())
}

/// Waits until all is acknowledged, and all has arrived: publishers may be far ahead of subscribers.
fn complete(clients: &mut Clients, ledger: &mut Ledger, tell: fn(&str)) -> Result<(), String> {
    let mut progress = Instant::now();
    let mut before = ledger.report();
    while !clients.pump(ledger, INTERVAL, Ledger::is_complete)? {
        let report = ledger.report();
        if report != before {
            (before, progress) = (report, Instant::now());
        } else if progress.elapsed() > PATIENCE {
            return Err(ledger.missing());
        }
        let CrashReport { acknowledged, received, .. } = report;
        tell(&format!("at the end: {acknowledged:>7} acknowledged, {received:>8} received"));
    }
    Ok(())
}

/// Everything has arrived and is acknowledged: only sessions, subscriptions and retained messages may be left.
fn check_store(directory: &Path) -> Result<(), String> {
    let report = store_tools::check(directory, &mut |_, _| ()).map_err(|error| error.to_string())?;
    if report.is_damaged() {
        return Err(report.to_string());
    }
    let mut dump = Vec::new();
    store_tools::dump(directory, DumpOptions::default(), &mut dump, &mut |_, _| ())
        .map_err(|error| error.to_string())?;
    let dump = String::from_utf8_lossy(&dump);
    let is_left = |line: &&str| {
        ["message", "forwarded", "received", "sent", "queued"]
            .iter()
            .any(|kind| line.contains(&format!("\"kind\":\"{kind}\"")))
    };
    match dump.lines().find(is_left) {
        Some(line) => Err(format!("left in the store though all has arrived: {line}")),
        None => Ok(()),
    }
}
