use std::path::PathBuf;

use clap::Args;
use ferry_bench::BenchError;
use ferry_bench::plan::{Credentials, Overrides, Plan, Protocol, Target};

/// Load any MQTT broker, verify every message, and say what it cost
#[derive(Debug, Args)]
#[command(after_help = BENCH_HELP)]
pub(crate) struct BenchArguments {
    /// What to do: one of the scenarios below, or a size, as p2p-50-50-50-20K
    #[arg(value_name = "SCENARIO")]
    scenario: String,

    /// The broker: mqtt://HOST:PORT, mqtts://, ws://HOST:PORT/PATH, wss://, or unix:///PATH
    #[arg(short, long, value_name = "URL", conflicts_with_all = ["host", "port"], help_heading = "Broker")]
    url: Option<Target>,

    /// The broker's name or address, for MQTT on TCP
    #[arg(long, value_name = "HOST", help_heading = "Broker")]
    host: Option<String>,

    /// The broker's port
    #[arg(long, value_name = "PORT", help_heading = "Broker")]
    port: Option<u16>,

    /// The broker's process, to be sampled; may be given several times [default: who listens on the port]
    #[arg(long, value_name = "ID", help_heading = "Broker")]
    pid: Vec<u32>,

    /// User name of all clients
    #[arg(long, value_name = "NAME", help_heading = "Broker")]
    user: Option<String>,

    /// Password of all clients
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "FERRY_BENCH_PASSWORD",
        hide_env_values = true,
        help_heading = "Broker"
    )]
    password: Option<String>,

    /// Trust these authorities for mqtts:// and wss://, a PEM file [default: those of the system]
    #[arg(long, value_name = "FILE", help_heading = "Broker")]
    cafile: Option<String>,

    /// The clients' certificate chain, a PEM file
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "Broker")]
    cert: Option<String>,

    /// The private key of that certificate, a PEM file
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "Broker")]
    key: Option<String>,

    /// Take any certificate of the broker
    #[arg(long, help_heading = "Broker")]
    insecure: bool,

    /// Clients that publish
    #[arg(long, value_name = "NUMBER", help_heading = "Load")]
    publishers: Option<usize>,

    /// Clients that subscribe; of conn, idle and storm, all clients
    #[arg(long, value_name = "NUMBER", help_heading = "Load")]
    subscribers: Option<usize>,

    /// Topics; of wildcard, subscriptions; of retained, retained messages
    #[arg(long, value_name = "NUMBER", help_heading = "Load")]
    topics: Option<usize>,

    /// Quality of service of messages and subscriptions: 0, 1 or 2
    #[arg(short, long, value_name = "QOS", help_heading = "Load")]
    qos: Option<u8>,

    /// Bytes of each payload, at least 16: publisher, number, time and checksum
    #[arg(long, value_name = "BYTES", help_heading = "Load")]
    payload_bytes: Option<usize>,

    /// Messages per second of each publisher: open loop, latency counts from the time that was planned
    #[arg(short, long, value_name = "NUMBER", conflicts_with_all = ["saturate", "window"], allow_negative_numbers = true, help_heading = "Load")]
    rate: Option<f64>,

    /// Publish as fast as the broker takes it
    #[arg(long, help_heading = "Load")]
    saturate: bool,

    /// As --saturate, with so many messages of each publisher on their way
    #[arg(long, value_name = "NUMBER", help_heading = "Load")]
    window: Option<usize>,

    /// MQTT version: 3.1.1 or 5
    #[arg(short = 'V', long, value_name = "VERSION", value_parser = protocol, help_heading = "Load")]
    protocol: Option<Protocol>,

    /// Of storm: how often all connections break [default: 3]
    #[arg(long, value_name = "NUMBER", help_heading = "Load")]
    rounds: Option<usize>,

    /// Of offline: messages for each topic [default: 100]
    #[arg(long, value_name = "NUMBER", help_heading = "Load")]
    messages: Option<usize>,

    /// Seconds between signs of life of each client; 0 is never [default: 300]
    #[arg(long, value_name = "SECONDS", help_heading = "Load")]
    keep_alive: Option<u16>,

    /// Sessions outlive their connections
    #[arg(long, help_heading = "Load")]
    persistent: bool,

    /// Seconds to measure [default: 10]
    #[arg(short, long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = "Time")]
    duration: Option<f64>,

    /// Seconds of load before that [default: 2]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = "Time")]
    warm_up: Option<f64>,

    /// Seconds over which connections are opened [default: as fast as the broker takes them]
    #[arg(
        long,
        value_name = "SECONDS",
        conflicts_with = "connect_rate",
        allow_negative_numbers = true,
        help_heading = "Time"
    )]
    ramp: Option<f64>,

    /// Connections to open per second
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, help_heading = "Time")]
    connect_rate: Option<f64>,

    /// Seconds without any answer after which connecting has failed [default: 20]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = "Time")]
    connect_timeout: Option<f64>,

    /// Seconds without any delivery, at the end, after which what is missing is lost [default: 5]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = "Time")]
    drain: Option<f64>,

    /// Event loops that generate load [default: 1]
    #[arg(long, value_name = "NUMBER", help_heading = "Generator")]
    threads: Option<usize>,

    /// Processes that generate load, each with so many event loops [default: 1]
    #[arg(long, value_name = "NUMBER", help_heading = "Generator")]
    processes: Option<usize>,

    /// Addresses to connect from, as 127.0.0.0/24: each has some 28,000 ports
    #[arg(long, value_name = "RANGE", help_heading = "Generator")]
    source_addresses: Option<String>,

    /// Makes client identifiers, topics and payloads [default: another one for each run]
    #[arg(long, value_name = "NUMBER", help_heading = "Generator")]
    seed: Option<u64>,

    /// Start the broker by this command, kill it under load (SIGKILL) and start it again
    #[arg(long, value_name = "COMMAND", help_heading = "Faults")]
    kill_broker: Option<String>,

    /// Seconds between kills [default: 5]
    #[arg(
        long,
        value_name = "SECONDS",
        requires = "kill_broker",
        allow_negative_numbers = true,
        help_heading = "Faults"
    )]
    kill_interval: Option<f64>,

    /// Write the result as JSON
    #[arg(long, value_name = "FILE", help_heading = "Result")]
    pub(crate) json: Option<PathBuf>,

    /// Write the result as a page with charts: one file that needs nothing else
    #[arg(long, value_name = "FILE", help_heading = "Result")]
    pub(crate) html: Option<PathBuf>,
}

const BENCH_HELP: &str = "\
Scenarios:
  p2p        50 publishers, each with a subscriber of its own, as fast as it goes
  fanout     1 publisher, 1,000 subscribers
  sharedsub  1,000 publishers, 5 subscribers that share a subscription
  wildcard   100,000 subscriptions, three of four with wildcards
  retained   100,000 retained messages; everybody looks them up by # and by +
  offline    messages for 100 clients that are away, and then come back
  storm      5,000 clients lose their connections and come back, three times
  mixed      all of these patterns and qualities of service at moderate rates, and idle clients
  conn       10,000 connections: how fast they are opened
  idle       the same: what each costs in memory
  of the open MQTT benchmark suite: conn-10k, conn-1m, fanout-1k, fanout-250k, p2p-1k, p2p-50k,
  sharedsub-1k, sharedsub-50k; its own names work too, as singlenode-p2p-1K-1K-1K-1K, with any
  numbers: p2p, fanout, sharedsub -PUBLISHERS-SUBSCRIBERS-TOPICS-MESSAGES_PER_SECOND

Examples:
  ferry bench p2p
  ferry bench p2p-1k --host 10.0.0.5
  ferry bench conn-1m --source-addresses 127.0.0.0/24 --processes 2
  ferry bench p2p --rate 100 --qos 2 --kill-broker 'ferry serve --data bench-data'
  ferry bench p2p --publishers 1000 --rate 20 --qos 1 --json result.json --html result.html
  ferry bench report ferry.json other.json --html comparison.html

Exit codes:
  0  everything was delivered as it must be
  1  something was lost, came twice, in disorder or damaged, where the QoS forbids it; or the run
     could not be made
  2  wrong command line
  130  ended by Ctrl-C or SIGTERM before its time: what was measured until then is told";

fn protocol(text: &str) -> Result<Protocol, String> {
    match text {
        "3.1.1" | "311" | "4" => Ok(Protocol::V311),
        "5" | "5.0" => Ok(Protocol::V5),
        _ => Err("it is 3.1.1 or 5".to_owned()),
    }
}

impl BenchArguments {
    /// The plan, by a function that makes one of a scenario's name and the rest.
    ///
    /// # Errors
    /// What does not fit together.
    pub(crate) fn into_plan(
        self,
        resolve: impl FnOnce(&str, &Overrides) -> Result<Plan, BenchError>,
    ) -> Result<(Plan, Credentials), String> {
        let host = self.host.unwrap_or_else(|| "127.0.0.1".to_owned());
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let on_tcp = || format!("mqtt://{host}:{}", self.port.unwrap_or(1883)).parse();
        let target = match self.url {
            Some(url) => url,
            None => on_tcp().map_err(|error: BenchError| error.to_string())?,
        };
        let overrides = Overrides {
            publishers: self.publishers,
            subscribers: self.subscribers,
            topics: self.topics,
            qos: self.qos,
            payload_bytes: self.payload_bytes,
            rate: self.rate,
            window: self.window,
            saturate: self.saturate,
            duration_seconds: self.duration,
            warm_up_seconds: self.warm_up,
            ramp_seconds: self.ramp,
            connects_per_second: self.connect_rate,
            protocol: self.protocol,
            target: Some(target),
            keep_alive_seconds: self.keep_alive,
            persistent_sessions: self.persistent,
            threads: self.threads,
            source_addresses: self.source_addresses,
            seed: self.seed.unwrap_or_else(seed_of_now),
            connect_seconds_max: self.connect_timeout,
            drain_seconds_max: self.drain,
            broker_pids: self.pid,
            processes: self.processes,
            rounds: self.rounds,
            offline_messages: self.messages,
            kill_broker: self.kill_broker,
            kill_interval_seconds: self.kill_interval,
        };
        let credentials = Credentials {
            user_name: self.user,
            password: self.password,
            ca_file: self.cafile,
            certificate_file: self.cert,
            key_file: self.key,
            insecure: self.insecure,
        };
        let plan = resolve(&self.scenario, &overrides).map_err(|error| error.to_string())?;
        Ok((plan, credentials))
    }
}

/// Differs from run to run, also of several at the same time.
fn seed_of_now() -> u64 {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    (time.as_nanos() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(std::process::id())
}
