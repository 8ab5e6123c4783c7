//! Tables of one run, whether it stands alone or next to others.

use super::quantity::{Unit, significant, whole};
use super::table::{Table, facts};
use crate::plan::{Load, Pattern, Plan, Protocol, Traffic};
use crate::report::{Connects, Counts, Distribution, Kill, Lookup, Machine, Report};

/// What was asked for.
pub(super) fn parameters(plan: &Plan) -> String {
    let mut parts = Table::new(&[
        "Clients",
        "Publishers",
        "Subscribers",
        "Topics",
        "QoS",
        "Payload",
        "Load of each publisher",
    ]);
    for part in &plan.parts {
        parts.row(vec![
            pattern(part.pattern).to_owned(),
            whole(part.publishers as u64),
            whole(part.subscribers as u64),
            whole(part.topics as u64),
            part.qos.to_string(),
            format!("{} bytes", whole(part.payload_bytes as u64)),
            load(part),
        ]);
    }
    let seconds = |value: f64| Unit::Seconds.text(value);
    parts.render()
        + &facts(&[
            ("Scenario", plan.name.clone()),
            ("Broker", plan.target.to_string()),
            ("MQTT", protocol(plan.protocol).to_owned()),
            ("Warm-up", seconds(plan.warm_up_seconds)),
            ("Measured", seconds(plan.duration_seconds)),
            ("Sessions", if plan.persistent_sessions { "outlive connections" } else { "clean" }.to_owned()),
            ("Keep Alive", format!("{} s", plan.keep_alive_seconds)),
            (
                "Connects",
                plan.connects_per_second
                    .map_or("as fast as it goes".to_owned(), |rate| Unit::PerSecond.text(rate)),
            ),
            ("Event loops", format!("{} × {}", plan.processes, plan.threads)),
            ("Source addresses", plan.source_addresses.clone().unwrap_or_default()),
            ("Seed", plan.seed.to_string()),
            ("Kills the broker", plan.kill_broker.clone().unwrap_or_default()),
        ])
}

pub(super) fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::V311 => "3.1.1",
        Protocol::V5 => "5.0",
    }
}

fn pattern(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::Pairs => "pairs",
        Pattern::Everyone => "everyone hears everyone",
        Pattern::Shared => "one shared subscription",
        Pattern::Wildcards => "pairs with wildcards",
        Pattern::Idle => "idle",
        Pattern::Retained => "retained messages",
    }
}

fn load(part: &Traffic) -> String {
    match part.load {
        _ if part.publishers == 0 => "none".to_owned(),
        Load::Rate { messages_per_second } => format!("{} messages/s", significant(messages_per_second)),
        Load::Saturate { window } => format!("as fast as it goes, {} on their way", whole(window as u64)),
    }
}

/// Where the load came from, and against what.
pub(super) fn machine(report: &Report) -> String {
    let Machine { cpu, cpus, memory_bytes, system, kernel } = &report.machine;
    facts(&[
        ("Broker", report.broker.version.clone().unwrap_or_default()),
        ("Load generator", format!("ferry {}", report.tool_version)),
        ("Processor", cpu.clone()),
        ("Processors", cpus.to_string()),
        ("Memory", Unit::Bytes.text(*memory_bytes as f64)),
        ("System", system.clone()),
        ("Kernel", kernel.clone()),
        ("Date", date(report.started_at_unix_seconds)),
    ])
}

/// Year, month, day and time in UTC.
pub(super) fn date(unix_seconds: u64) -> String {
    let (days, seconds) = (unix_seconds / 86_400, unix_seconds % 86_400);
    // The civil calendar, counted in eras of 400 years from March 1, year 0.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", seconds / 3_600, seconds / 60 % 60)
}

/// Whether every message came, once and in order.
pub(super) fn verification(report: &Report) -> String {
    let mut table = Table::new(&[
        "Messages",
        "Sent",
        "Planned, not sent",
        "Acknowledged",
        "Expected",
        "Delivered",
        "Lost",
        "Lost though acknowledged",
        "Duplicates",
        "Out of order",
        "Corrupt",
    ]);
    let mut row = |name: &str, counts: &Counts| {
        let numbers = [
            counts.sent,
            counts.unsent,
            counts.acknowledged,
            counts.expected,
            counts.delivered,
            counts.lost,
            counts.lost_acknowledged,
            counts.duplicates,
            counts.reordered,
            counts.corrupt,
        ];
        table.row(std::iter::once(name.to_owned()).chain(numbers.map(whole)).collect());
    };
    for phase in report.phases.iter().filter(|phase| phase.counts != Counts::default()) {
        row(&phase.name, &phase.counts);
    }
    if report.total == Counts::default() {
        return String::new();
    }
    row("total", &report.total);
    table.render()
}

/// Distributions of times, one in each row; those without times are left out.
pub(super) fn times(rows: &[(&str, &Distribution)]) -> String {
    let mut table =
        Table::new(&["Time", "Count", "Least", "Mean", "p50", "p90", "p99", "p99.9", "p99.99", "Most"]);
    for (name, times) in rows.iter().filter(|(_, times)| times.count > 0) {
        let values = [
            times.min_microseconds,
            times.mean_microseconds,
            times.p50_microseconds,
            times.p90_microseconds,
            times.p99_microseconds,
            times.p99_9_microseconds,
            times.p99_99_microseconds,
            times.max_microseconds,
        ];
        let cells = values.map(|value| Unit::Microseconds.text(value));
        table.row([(*name).to_owned(), whole(times.count)].into_iter().chain(cells).collect());
    }
    table.render()
}

/// What each phase took and used.
pub(super) fn phases(report: &Report) -> String {
    let mut table = Table::new(&[
        "Phase",
        "Time",
        "Sent",
        "Delivered",
        "Broker CPU",
        "Broker memory",
        "Broker context switches",
        "Generator CPU",
    ]);
    for phase in &report.phases {
        let broker = phase.broker;
        let of_broker = |text: fn(crate::report::Usage) -> String| broker.map_or(String::new(), text);
        table.row(vec![
            phase.name.clone(),
            Unit::Seconds.text(phase.seconds),
            Unit::PerSecond.text(phase.sent_per_second),
            Unit::PerSecond.text(phase.delivered_per_second),
            of_broker(|usage| Unit::Seconds.text(usage.cpu_seconds)),
            of_broker(|usage| Unit::Bytes.text(usage.resident_bytes as f64)),
            of_broker(|usage| whole(usage.voluntary_context_switches + usage.involuntary_context_switches)),
            Unit::Seconds.text(phase.generator.cpu_seconds),
        ]);
    }
    table.render()
}

/// Broker and generator.
pub(super) fn costs(report: &Report) -> String {
    let mut all = Vec::new();
    let time = |value: Option<f64>| value.map_or(String::new(), |value| format!("{} µs", significant(value)));
    let bytes = |value: f64| Unit::Bytes.text(value);
    if let Some(cost) = &report.broker_cost {
        all.extend([
            ("Broker CPU per delivered message", time(cost.cpu_microseconds_per_delivered_message)),
            ("Broker CPU per connect", time(cost.cpu_microseconds_per_connect)),
            ("Broker memory before", bytes(cost.resident_bytes_before as f64)),
            ("Broker memory, all connected", bytes(cost.resident_bytes_connected as f64)),
            ("Broker memory at most", bytes(cost.resident_bytes_max as f64)),
            ("Broker memory per client", cost.resident_bytes_per_client.map_or(String::new(), bytes)),
            (
                "Broker memory per subscription",
                cost.resident_bytes_per_subscription.map_or(String::new(), bytes),
            ),
        ]);
    }
    all.extend([
        ("Generator CPU per message", time(report.generator.cpu_microseconds_per_message)),
        ("Generator memory at most", bytes(report.generator.resident_bytes_max as f64)),
    ]);
    facts(&all)
}

/// Connections that were opened, once or in rounds.
pub(super) fn connects(name: &str, rounds: &[Connects]) -> String {
    let mut table = Table::new(&[name, "Clients", "Connected", "Failed", "Time", "Rate", "Subscriptions"]);
    for (index, round) in rounds.iter().enumerate().filter(|(_, round)| round.clients > 0) {
        table.row(vec![
            (index + 1).to_string(),
            whole(round.clients),
            whole(round.connected),
            whole(round.failed),
            Unit::Seconds.text(round.seconds),
            Unit::PerSecond.text(round.per_second),
            whole(round.subscriptions),
        ]);
    }
    table.render()
}

/// Retained messages that were looked up.
pub(super) fn lookups(lookups: &[Lookup]) -> String {
    let mut table = Table::new(&[
        "Filter",
        "Subscriptions",
        "Expected",
        "Delivered",
        "Time",
        "Rate",
        "p50",
        "p99",
        "Broker CPU per message",
    ]);
    for lookup in lookups {
        let cost = lookup.broker.filter(|_| lookup.delivered > 0);
        let cost = cost.map(|usage| usage.cpu_seconds * 1e6 / lookup.delivered as f64);
        table.row(vec![
            lookup.filter.clone(),
            whole(lookup.subscriptions),
            whole(lookup.expected),
            whole(lookup.delivered),
            Unit::Seconds.text(lookup.seconds),
            Unit::PerSecond.text(lookup.delivered_per_second),
            Unit::Microseconds.text(lookup.time.p50_microseconds),
            Unit::Microseconds.text(lookup.time.p99_microseconds),
            cost.map_or(String::new(), |cost| format!("{} µs", significant(cost))),
        ]);
    }
    table.render()
}

/// What became of the run when its broker was killed.
pub(super) fn kills(kills: &[Kill]) -> String {
    let mut table = Table::new(&["Kill", "At", "Listening after", "All connected after", "Delivering after"]);
    let after = |seconds: Option<f64>| seconds.map_or("never".to_owned(), |value| Unit::Seconds.text(value));
    for (index, kill) in kills.iter().enumerate() {
        table.row(vec![
            (index + 1).to_string(),
            Unit::Seconds.text(kill.at_seconds),
            after(kill.listening_after_seconds),
            after(kill.connected_after_seconds),
            after(kill.delivering_after_seconds),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates_are_right() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59 UTC"),
            (4_102_444_800, "2100-01-01 00:00 UTC"),
        ] {
            assert_eq!(date(seconds), text);
        }
    }
}
