//! `cargo xtask crash`: kills a broker again and again under clients that others wrote.
#![allow(clippy::print_stdout, reason = "a program prints its results")]

use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ferry_tests::crash::{BrokerChoice, CrashOptions, run};

const HELP: &str = "\
crash [--rounds N] [--seed N] [--power-loss] [--durability fsync|os] [--shards N] [--keep DIRECTORY]

Publishers and subscribers of paho-mqtt and rumqttc, at QoS 1 and 2, with sessions that outlive everything; the broker is
killed with SIGKILL at a random moment of each round and started again. Nothing acknowledged may be lost, no QoS 2 message
may come twice, and the order must be kept.

  --power-loss   the broker's disk loses what was not synced when the process is killed. With --durability os
                 acknowledgements do not wait for the sync, so this must fail: it shows that the test would notice.
  --keep         leave the data directory and, next to it, the log";

fn main() -> ExitCode {
    let outcome = options().map_err(|error| format!("{error}\n\n{HELP}")).and_then(|options| {
        let started = Instant::now();
        let report = run(&options)?;
        println!(
            "{} rounds in {} s, seed {}: {} messages acknowledged, {} received, {} of them again (QoS 1); \
             none lost, none twice at QoS 2, all in order",
            options.rounds,
            started.elapsed().as_secs(),
            options.seed,
            report.acknowledged,
            report.received,
            report.repeated
        );
        Ok(())
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<CrashOptions, String> {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut options = CrashOptions {
        rounds: 100,
        seed,
        broker: BrokerChoice::Ferry,
        durability: "fsync".to_owned(),
        shards: 2,
        keep: None,
        tell: |line| println!("{line}"),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("\"{text}\" is not a number"));
        match argument.as_str() {
            "--rounds" => options.rounds = number(value()?)? as u32,
            "--seed" => options.seed = number(value()?)?,
            "--power-loss" => options.broker = BrokerChoice::PowerLoss,
            "--shards" => options.shards = number(value()?)? as u16,
            "--durability" => options.durability = value()?,
            "--keep" => options.keep = Some(value()?.into()),
            other => return Err(format!("there is no option {other}")),
        }
    }
    Ok(options)
}
