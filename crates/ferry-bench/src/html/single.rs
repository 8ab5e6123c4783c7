//! The page of one run.

use super::chart::WIDE;
use super::charts::{Course, Events, over_time, percentiles};
use super::quantity::{Unit, significant, whole};
use super::{details, list, section};
use crate::html::escaped::Escaped;
use crate::report::{Distribution, Report, Second};

pub(super) fn title(report: &Report) -> String {
    format!("{} against {}", report.plan.name, report.plan.target)
}

pub(super) fn body(report: &Report) -> String {
    [
        summary(report),
        section("Messages", &details::verification(report)),
        section("Latency", &latency(report)),
        section("Over time", &time_charts(report)),
        section("Connecting", &connecting(report)),
        section("Storms", &details::connects("Round", &report.storms)),
        section("Retained messages looked up", &details::lookups(&report.lookups)),
        section("Kills of the broker", &details::kills(&report.kills)),
        section("What it cost", &(details::phases(report) + &details::costs(report))),
        section("Parameters", &details::parameters(&report.plan)),
        section("Machine", &details::machine(report)),
    ]
    .concat()
}

/// What became of the messages, in a word.
pub(super) fn verdict(report: &Report) -> String {
    let (class, text) = if !report.passed() {
        ("bad", "failed".to_owned())
    } else if report.total.expected == 0 {
        ("good", "passed".to_owned())
    } else if report.total.lost > 0 {
        ("good", format!("passed, {} lost as QoS 0 may", whole(report.total.lost)))
    } else {
        ("good", format!("all {} messages delivered", whole(report.total.delivered)))
    };
    let text = if report.interrupted { format!("interrupted: {text}") } else { text };
    format!("<span class=\"verdict {class}\">{}</span>", Escaped(&text))
}

fn summary(report: &Report) -> String {
    let subtitle = format!(
        "MQTT {}, {} clients, {}",
        details::protocol(report.plan.protocol),
        whole((report.plan.publishers() + report.plan.subscribers()) as u64),
        details::date(report.started_at_unix_seconds)
    );
    format!(
        "<p class=\"muted\">{}</p>\n<p>{}</p>\n{}{}{}",
        Escaped(&subtitle),
        verdict(report),
        list("bad", &report.failures),
        list("muted", &report.notes),
        tiles(report)
    )
}

fn tiles(report: &Report) -> String {
    let mut tiles: Vec<(String, &str)> = Vec::new();
    let measured = report.phases.iter().find(|phase| phase.name == "measure");
    if let Some(phase) = measured.filter(|phase| phase.delivered_per_second > 0.0) {
        tiles.push((Unit::PerSecond.text(phase.delivered_per_second), "delivered"));
    }
    if report.latency.count > 0 {
        let (median, slow) = if report.latency_is_queueing {
            ("median in queues", "p99 in queues")
        } else {
            ("median latency", "p99 latency")
        };
        tiles.push((Unit::Microseconds.text(report.latency.p50_microseconds), median));
        tiles.push((Unit::Microseconds.text(report.latency.p99_microseconds), slow));
    }
    if let Some(lookup) = report.lookups.first() {
        tiles.push((Unit::PerSecond.text(lookup.delivered_per_second), "retained messages looked up"));
    }
    if let Some(cost) = &report.broker_cost {
        if let Some(time) = cost.cpu_microseconds_per_delivered_message {
            tiles.push((format!("{} µs", significant(time)), "broker CPU per message"));
        }
        tiles.push((Unit::Bytes.text(cost.resident_bytes_max as f64), "broker memory at most"));
        if let Some(bytes) = cost.resident_bytes_per_client.filter(|_| report.total.sent == 0) {
            tiles.push((Unit::Bytes.text(bytes), "memory per client"));
        }
    }
    tiles.push((Unit::PerSecond.text(report.connect.per_second), "connects"));
    let tile = |(value, name): &(String, &str)| {
        format!("<div class=\"tile\"><b>{}</b><span>{}</span></div>\n", Escaped(value), Escaped(name))
    };
    format!("<div class=\"tiles\">\n{}</div>\n", tiles.iter().map(tile).collect::<String>())
}

fn latency(report: &Report) -> String {
    let name = if report.latency_is_queueing { "latency, mostly in queues" } else { "latency" };
    let rows = [
        (name, &report.latency),
        ("acknowledgement", &report.acknowledgement),
        ("sent later than planned", &report.send_lag),
    ];
    curves("Percentiles: how many are at most this slow", &rows)
}

fn curves(title: &str, rows: &[(&str, &Distribution)]) -> String {
    let named: Vec<(String, &Distribution)> =
        rows.iter().map(|(name, times)| ((*name).to_owned(), *times)).collect();
    percentiles(title, WIDE, &named) + &details::times(rows)
}

/// A value of each second, with its name.
type Value = (&'static str, fn(&Second) -> Option<f64>);

fn time_charts(report: &Report) -> String {
    if report.series.is_empty() {
        return String::new();
    }
    let events = Events::of(report);
    let chart = |title: &str, unit, is_logarithmic, lines: &[Value]| {
        let course = |(name, value): &Value| Course {
            name: (*name).to_owned(),
            series: &report.series,
            value: *value,
        };
        let courses: Vec<Course<'_>> = lines.iter().map(course).collect();
        over_time(title, unit, is_logarithmic, &courses, &events)
    };
    let mut charts = String::new();
    if report.total.sent > 0 {
        charts += &chart(
            "Messages",
            Unit::PerSecond,
            false,
            &[
                ("delivered", |second| Some(second.delivered as f64)),
                ("sent", |second| Some(second.sent as f64)),
                ("acknowledged", |second| (second.acknowledged > 0).then_some(second.acknowledged as f64)),
            ],
        );
    }
    charts += &chart(
        "Latency",
        Unit::Microseconds,
        true,
        &[
            ("p50", |second| second.latency_p50_microseconds),
            ("p99", |second| second.latency_p99_microseconds),
            ("slowest", |second| second.latency_max_microseconds),
        ],
    );
    charts += &chart(
        "Processors kept busy",
        Unit::Processors,
        false,
        &[("broker", |second| second.broker_cpus), ("load generator", |second| Some(second.generator_cpus))],
    );
    charts += &chart(
        "Memory of the broker",
        Unit::Bytes,
        false,
        &[("broker", |second| second.broker_resident_bytes.map(|bytes| bytes as f64))],
    );
    charts += &chart(
        "Context switches of the broker",
        Unit::PerSecond,
        false,
        &[("broker", |second| second.broker_context_switches.map(|switches| switches as f64))],
    );
    charts += &chart(
        "Connected clients",
        Unit::Count,
        false,
        &[("connected", |second| Some(second.connected as f64))],
    );
    format!("<div class=\"charts\">\n{charts}</div>\n")
}

fn connecting(report: &Report) -> String {
    let connect = &report.connect;
    let rows = [
        ("TCP", &connect.tcp),
        ("TLS, WebSocket", &connect.handshake),
        ("CONNECT to CONNACK", &connect.connack),
        ("SUBSCRIBE to SUBACK", &connect.suback),
    ];
    details::connects("Connects", std::slice::from_ref(connect))
        + &list("bad", &connect.failures)
        + &curves("Percentiles of the steps", &rows)
}
