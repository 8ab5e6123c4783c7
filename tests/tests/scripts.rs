//! Each script under `tests/scripts` as a test of its own, in each of its versions and on each kind of broker.

use std::time::Duration;

use ferry_tests::broker::{Broker, CoreBroker, CoreSetup, Server, TcpBroker};
use ferry_tests::run::{Manner, check};
use ferry_tests::script::{Script, all_scripts};
use libtest_mimic::{Arguments, Failed, Trial};

/// Scripts that let more time pass are run with a virtual clock only.
const REAL_TIME_MAX: Duration = Duration::from_secs(2);

fn main() {
    let arguments = Arguments::from_args();
    let scripts = all_scripts().unwrap_or_else(|problems| panic!("{problems}"));
    let trials = scripts.iter().flat_map(trials).collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn trials(script: &Script) -> Vec<Trial> {
    let mut trials = Vec::new();
    let on_binary = !script.header.only_in_process
        && !script.header.needs_access_rules()
        && script.duration() <= REAL_TIME_MAX;
    for level in &script.header.versions {
        trials.push(trial("core", script, *level, |script, level| on_core(script, level, ONE_SHARD)));
        trials.push(trial("shards", script, *level, |script, level| on_core(script, level, THREE_SHARDS)));
        if on_binary {
            trials.push(trial("tcp", script, *level, on_tcp));
        }
    }
    trials
}

type Run = fn(&Script, u8) -> Result<(), String>;

fn trial(kind: &str, script: &Script, level: u8, run: Run) -> Trial {
    let version = ["3.1", "3.1.1", "5"][usize::from(level) - 3];
    let script = script.clone();
    let name = format!("{kind}::{}@{version}", script.name);
    Trial::test(name, move || run(&script, level).map_err(Failed::from))
}

const ONE_SHARD: CoreSetup = CoreSetup { shards: 1, durable: false };
const THREE_SHARDS: CoreSetup = CoreSetup { shards: 3, durable: true };

fn on_core(script: &Script, level: u8, setup: CoreSetup) -> Result<(), String> {
    let mut broker = CoreBroker::new(&script.header, setup)?;
    check(script, level, &mut broker, Manner::Exact)
}

/// The `ferry` binary, one for each script, so that scripts cannot disturb each other.
fn on_tcp(script: &Script, level: u8) -> Result<(), String> {
    let server = Server::start_with(&script.header.config, &script.header.listener)?;
    let mut broker: Box<dyn Broker> = Box::new(TcpBroker::new(&server.address()));
    check(script, level, broker.as_mut(), Manner::Exact)
}
