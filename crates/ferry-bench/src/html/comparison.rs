//! The page of several runs side by side.

use super::chart::NARROW;
use super::charts::{Course, Events, over_time, percentiles};
use super::quantity::{Unit, significant, whole};
use super::table::Table;
use super::{NamedReport, details, list, section, single};
use crate::html::escaped::Escaped;
use crate::report::{Report, Second};

pub(super) fn body(runs: &[NamedReport]) -> String {
    let curves: Vec<_> = runs.iter().map(|run| (run.name.clone(), &run.report.latency)).collect();
    let acknowledgements: Vec<_> =
        runs.iter().map(|run| (run.name.clone(), &run.report.acknowledgement)).collect();
    let curves =
        percentiles("Latency", NARROW, &curves) + &percentiles("Acknowledgement", NARROW, &acknowledgements);
    [
        verdicts(runs),
        section("Figures", &figures(runs).render()),
        section("Percentiles", &in_columns(&curves)),
        section("Over time", &in_columns(&time_charts(runs))),
        runs.iter().map(details_of).collect(),
    ]
    .concat()
}

fn in_columns(charts: &str) -> String {
    if charts.is_empty() { String::new() } else { format!("<div class=\"charts\">\n{charts}</div>\n") }
}

fn verdicts(runs: &[NamedReport]) -> String {
    let entry = |run: &NamedReport| {
        let failures = list("bad", &run.report.failures);
        format!("<p>{} {}</p>\n{failures}", Escaped(&run.name), single::verdict(&run.report))
    };
    runs.iter().map(entry).collect()
}

/// A figure of a run; none if it has none.
type Figure = fn(&Report) -> Option<String>;

const FIGURES: [(&str, Figure); 20] = [
    ("Scenario", |report| Some(report.plan.name.clone())),
    ("Address", |report| Some(report.plan.target.to_string())),
    ("Broker", |report| report.broker.version.clone()),
    ("MQTT", |report| Some(details::protocol(report.plan.protocol).to_owned())),
    ("QoS", |report| Some(joined(report, |part| part.qos.to_string()))),
    ("Payload bytes", |report| Some(joined(report, |part| whole(part.payload_bytes as u64)))),
    ("Date", |report| Some(details::date(report.started_at_unix_seconds))),
    ("Delivered", |report| {
        let phase = report.phases.iter().find(|phase| phase.name == "measure")?;
        (phase.delivered_per_second > 0.0).then(|| Unit::PerSecond.text(phase.delivered_per_second))
    }),
    ("Lost", |report| (report.total.expected > 0).then(|| whole(report.total.lost))),
    ("Duplicates", |report| (report.total.expected > 0).then(|| whole(report.total.duplicates))),
    ("Broker CPU per message", |report| {
        let time = report.broker_cost?.cpu_microseconds_per_delivered_message?;
        Some(format!("{} µs", significant(time)))
    }),
    ("Broker CPU per connect", |report| {
        let time = report.broker_cost?.cpu_microseconds_per_connect?;
        Some(format!("{} µs", significant(time)))
    }),
    ("Broker memory at most", |report| Some(Unit::Bytes.text(report.broker_cost?.resident_bytes_max as f64))),
    ("Broker memory per client", |report| {
        Some(Unit::Bytes.text(report.broker_cost?.resident_bytes_per_client?))
    }),
    ("Latency p50", |report| latency(report, report.latency.p50_microseconds)),
    ("Latency p99", |report| latency(report, report.latency.p99_microseconds)),
    ("Latency p99.9", |report| latency(report, report.latency.p99_9_microseconds)),
    ("Latency p99.99", |report| latency(report, report.latency.p99_99_microseconds)),
    ("Connects", |report| Some(Unit::PerSecond.text(report.connect.per_second))),
    ("Retained lookups", |report| Some(Unit::PerSecond.text(report.lookups.first()?.delivered_per_second))),
];

fn joined(report: &Report, value: fn(&crate::plan::Traffic) -> String) -> String {
    let mut values: Vec<String> = report.plan.parts.iter().map(value).collect();
    values.dedup();
    values.join(", ")
}

fn latency(report: &Report, microseconds: f64) -> Option<String> {
    (report.latency.count > 0).then(|| Unit::Microseconds.text(microseconds))
}

/// Figures that no run has are left out.
fn figures(runs: &[NamedReport]) -> Table {
    let names: Vec<&str> = std::iter::once("").chain(runs.iter().map(|run| run.name.as_str())).collect();
    let mut table = Table::new(&names);
    for (name, figure) in FIGURES {
        let cells: Vec<Option<String>> = runs.iter().map(|run| figure(&run.report)).collect();
        if cells.iter().any(Option::is_some) {
            let cells = cells.into_iter().map(Option::unwrap_or_default);
            table.row(std::iter::once(name.to_owned()).chain(cells).collect());
        }
    }
    table
}

fn time_charts(runs: &[NamedReport]) -> String {
    let chart = |title: &str, unit, is_logarithmic, value: fn(&Second) -> Option<f64>| {
        let courses: Vec<Course<'_>> = runs
            .iter()
            .map(|run| Course { name: run.name.clone(), series: &run.report.series, value })
            .collect();
        over_time(title, unit, is_logarithmic, &courses, &Events::default())
    };
    [
        chart("Delivered", Unit::PerSecond, false, |second| Some(second.delivered as f64)),
        chart("Latency p99", Unit::Microseconds, true, |second| second.latency_p99_microseconds),
        chart("Processors that the broker kept busy", Unit::Processors, false, |second| second.broker_cpus),
        chart("Memory of the broker", Unit::Bytes, false, |second| {
            second.broker_resident_bytes.map(|bytes| bytes as f64)
        }),
    ]
    .concat()
}

/// Everything about one of the runs, folded.
fn details_of(run: &NamedReport) -> String {
    format!(
        "<section><details><summary>{}: {}</summary>\n{}</details></section>\n",
        Escaped(&run.name),
        Escaped(&single::title(&run.report)),
        single::body(&run.report)
    )
}
