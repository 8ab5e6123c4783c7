//! `ferry bench`, each scenario at its smallest, against the real broker and against brokers that do wrong.

mod faulty_broker;
mod found;
mod interrupted;
mod scenarios;
mod transports;

use ferry_bench::plan::{Overrides, resolve};
use ferry_bench::report::Report;
use ferry_bench::{Environment, run};

/// Seconds of a measurement, and of the load before it.
const SHORT: f64 = 0.2;

fn overrides(port: u16) -> Overrides {
    Overrides {
        target: Some(format!("mqtt://127.0.0.1:{port}").parse().expect("an address")),
        duration_seconds: Some(SHORT),
        warm_up_seconds: Some(SHORT / 2.0),
        drain_seconds_max: Some(6.0),
        seed: 42,
        ..Overrides::default()
    }
}

fn bench(scenario: &str, overrides: &Overrides) -> Report {
    let plan = resolve(scenario, overrides).expect("a plan");
    run(plan, Environment::default(), &mut |_| {}).expect("a result")
}
