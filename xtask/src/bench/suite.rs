use std::path::{Path, PathBuf};
use std::process::Command;

use super::broker_process::{BrokerProcess, Certificate};
use super::figures::{Unit, median, significant};
use super::guard::Guard;
use super::measurement::{Measurement, load, watch};
use super::options::Options;
use super::peer::{Part, Peer};
use super::scenario::{Group, SCENARIOS, Scenario};
use super::small_processors;
use crate::workspace::target_directory;

/// Brokers, scenarios, and where everything is.
pub(super) struct Suite<'a> {
    options: &'a Options,
    brokers: Vec<Broker>,
    ferry: PathBuf,
    /// Results stay here, to be looked at.
    directory: PathBuf,
    /// Of this process alone; gone at the end, or removed by the guard.
    scratch: PathBuf,
    certificate: Option<Certificate>,
    guard: Guard,
}

/// A peer that is on this machine.
#[derive(Clone)]
pub(super) struct Broker {
    pub(super) peer: Peer,
    pub(super) program: PathBuf,
    pub(super) version: String,
}

/// Everything that was measured.
pub(super) struct Results {
    pub(super) brokers: Vec<Broker>,
    pub(super) rows: Vec<Row>,
    pub(super) runs: usize,
    pub(super) seconds: f64,
    /// Processes that wanted to run when it began, besides it, on average over the last minute.
    pub(super) load_before: String,
}

/// One scenario with all its brokers, in the order of [`Results::brokers`]; None: it takes no part.
pub(super) struct Row {
    pub(super) scenario: &'static Scenario,
    pub(super) measurements: Vec<Option<Measurement>>,
    /// What `ferry bench` was told.
    pub(super) command: String,
}

impl<'a> Suite<'a> {
    /// # Errors
    /// When a peer is asked for that is not there, or a directory cannot be made.
    pub(super) fn new(options: &'a Options, peers: Vec<Peer>, ferry: PathBuf) -> Result<Self, String> {
        let directory = target_directory().join("bench");
        let scratch = directory.join(format!("run-{}", std::process::id()));
        std::fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
        let guard = Guard::start(&scratch)?;
        let mut brokers = Vec::new();
        for peer in peers {
            let wanted = |name: &String| name.eq_ignore_ascii_case(&peer.name);
            let is_asked_for = options.peers.iter().any(wanted);
            if !(peer.part.is_some() || options.peers.is_empty() || is_asked_for) {
                continue;
            }
            let program = if peer.part.is_some() { Some(ferry.clone()) } else { peer.program() };
            match program {
                Some(program) => {
                    let version = peer.version(&program);
                    brokers.push(Broker { version, program, peer });
                }
                None if is_asked_for => {
                    return Err(format!("{} is not on this machine: {}", peer.name, peer.from));
                }
                None => println!("{} is not on this machine: {}", peer.name, peer.from),
            }
        }
        let unknown =
            |name: &&String| !brokers.iter().any(|broker| name.eq_ignore_ascii_case(&broker.peer.name));
        if let Some(name) = options.peers.iter().find(unknown) {
            return Err(format!("xtask/peers.toml has no {name}"));
        }
        let certificate = certificate(&scratch);
        Ok(Self { options, brokers, ferry, directory, scratch, certificate, guard })
    }

    /// # Errors
    /// When no scenario has the name that was asked for.
    pub(super) fn run(&self) -> Result<Results, String> {
        let load_before = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let is_asked_for =
            |scenario: &&Scenario| self.options.only.as_ref().is_none_or(|only| scenario.id.contains(only));
        let scenarios: Vec<&'static Scenario> = SCENARIOS.iter().filter(is_asked_for).collect();
        if scenarios.is_empty() {
            let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.id).collect();
            return Err(format!("there is no such scenario; there are {}", names.join(", ")));
        }
        let mut rows = Vec::new();
        for (index, scenario) in scenarios.iter().enumerate() {
            println!("[{}/{}] {}: {}", index + 1, scenarios.len(), scenario.id, scenario.title);
            rows.push(self.row(scenario));
        }
        Ok(Results {
            brokers: self.brokers.clone(),
            rows,
            runs: self.options.runs,
            seconds: self.options.seconds,
            load_before: load_before.split(' ').next().unwrap_or_default().to_owned(),
        })
    }

    /// All brokers in turn, as often as there are runs, so that what else the machine does is the same for all.
    fn row(&self, scenario: &'static Scenario) -> Row {
        let arguments = scenario.arguments(self.options.seconds, self.options.quick);
        let start = |broker: &Broker| {
            let why_not = broker.peer.lacks(scenario.id, scenario.need);
            scenario.group.has(broker.peer.part).then(|| Measurement { runs: Vec::new(), why_not })
        };
        let mut measurements: Vec<Option<Measurement>> = self.brokers.iter().map(start).collect();
        for run in 1..=self.options.runs {
            let mut shown = Vec::new();
            for (broker, measurement) in self.brokers.iter().zip(&mut measurements) {
                let Some(measurement) = measurement.as_mut().filter(|one| one.why_not.is_none()) else {
                    continue;
                };
                match self.measure(scenario, broker, &arguments) {
                    Ok(result) => measurement.runs.push(result),
                    Err(why) => measurement.why_not = Some(why),
                }
                shown.push(format!("{} {}", broker.peer.name, shown_latest(scenario, measurement)));
            }
            println!("  run {run} of {}: {}", self.options.runs, shown.join("; "));
        }
        let command = if scenario.arguments.is_empty() {
            String::new()
        } else {
            format!("ferry bench {}", arguments.join(" "))
        };
        Row { scenario, measurements, command }
    }

    fn measure(
        &self,
        scenario: &Scenario,
        broker: &Broker,
        arguments: &[String],
    ) -> Result<serde_json::Value, String> {
        let need = scenario.need;
        if need.tls && self.certificate.is_none() {
            return Err("no certificate: openssl is not on this machine".to_owned());
        }
        let directory = self.scratch.join("broker");
        let certificate = self.certificate.as_ref();
        let (peer, program) = (&broker.peer, &broker.program);
        let process = BrokerProcess::start(peer, program, need, &directory, certificate, &self.guard)?;
        if scenario.arguments.is_empty() {
            return Ok(watch(&process, self.options.quick.then_some(self.options.seconds)));
        }
        if scenario.figures.iter().any(|figure| matches!(figure.unit, Unit::Bytes)) {
            process.settle();
        }
        if scenario.group == Group::Shards {
            small_processors::give_to_shards(process.pid())?;
        }
        let result = load(&self.ferry, &process, need, arguments, &self.scratch, &self.guard)?;
        let file = self.directory.join(format!("{}-{}.json", scenario.id, broker.peer.name));
        // For `ferry bench report`; that it is missing spoils nothing.
        let _ = std::fs::copy(self.scratch.join("result.json"), file);
        Ok(result)
    }
}

impl Drop for Suite<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

impl Row {
    /// The median of a figure for each broker; None where there is no value.
    pub(super) fn medians(&self, figure: usize) -> Vec<Option<f64>> {
        let value = self.scenario.figures[figure].value;
        let of = |measurement: &Option<Measurement>| {
            median(measurement.as_ref()?.runs.iter().filter_map(value).collect())
        };
        self.measurements.iter().map(of).collect()
    }
}

impl Results {
    /// Where Ferry's figure is that a group judges.
    pub(super) fn judged(&self, group: Group) -> Option<usize> {
        let part = match group {
            Group::Peers => Part::Main,
            Group::Durable => Part::Durable,
            Group::Shards => Part::Shards,
        };
        self.brokers.iter().position(|broker| broker.peer.part == Some(part))
    }
}

fn shown_latest(scenario: &Scenario, measurement: &Measurement) -> String {
    if let Some(why_not) = &measurement.why_not {
        return format!("({why_not})");
    }
    let (Some(figure), Some(run)) = (scenario.figures.first(), measurement.runs.last()) else {
        return String::new();
    };
    let value = (figure.value)(run).map_or("no figure".to_owned(), significant);
    let is_whole = run["failures"].as_array().is_none_or(Vec::is_empty);
    format!("{value}{}", if is_whole { "" } else { " (not everything was delivered as it must be)" })
}

/// A certificate for 127.0.0.1 that is its own authority; None without openssl.
fn certificate(directory: &Path) -> Option<Certificate> {
    let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    command.args(["-days", "30", "-subj", "/CN=localhost", "-addext"]);
    command
        .args(["subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate);
    let output = command.output().ok()?;
    output.status.success().then_some(Certificate { certificate, key })
}
