//! The table as Markdown, with everything that one needs to repeat it.

use serde_json::Value;

use super::figures::significant;
use super::measurement::Measurement;
use super::scenario::Group;
use super::small_processors::PERCENT;
use super::suite::{Results, Row};

/// Marks a value of runs in which something was not as it must be.
const NOT_WHOLE: &str = "†";

/// The whole document; `command` is what was typed.
pub(super) fn document(results: &Results, command: &str) -> String {
    let mut text = format!(
        "# Benchmarks\n\n\
         Ferry next to other brokers, each started anew for each run and loaded by `ferry bench`, which verifies every\n\
         message. Medians of runs of {} s, {} with each broker, brokers in turn. Written by\n\n\
         ```sh\n{command}\n```\n\n",
        significant(results.seconds),
        results.runs
    );
    text += &machine(results);
    text += &brokers(results);
    text += &group(
        results,
        Group::Peers,
        "Next to other brokers",
        "Everything in memory, sessions that end with their connections, as many messages as the broker takes if no rate is\n\
         named. The target is for Ferry; \"better\" is the best peer's figure against Ferry's.",
    );
    text += &group(
        results,
        Group::Shards,
        "Two shards",
        &format!(
            "Each shard has {PERCENT} % of a processor (`chrt --deadline`, as root), so that two of them and the load generator\n\
             have enough of two, and the throughput is that of the broker. Where every message crosses it is the worst case:\n\
             each comes in on one shard and goes out on the other."
        ),
    );
    text += &group(
        results,
        Group::Durable,
        "With the durable store",
        "Ferry as it is without options: an acknowledgement means that the message is on the disk. For sessions that end with\n\
         their connections nothing needs to be there.",
    );
    text += &notes(results);
    text += &commands(results);
    text
}

fn machine(results: &Results) -> String {
    let runs =
        results.rows.iter().flat_map(|row| row.measurements.iter().flatten()).flat_map(|one| &one.runs);
    let Some(run) = runs.into_iter().find(|run| run["machine"].is_object()) else { return String::new() };
    let machine = &run["machine"];
    let text = |name: &str| machine[name].as_str().unwrap_or_default().to_owned();
    let gibibytes = machine["memory_bytes"].as_f64().unwrap_or_default() / 1024f64.powi(3);
    let (year, month, day) = date(run["started_at_unix_seconds"].as_u64().unwrap_or_default());
    format!(
        "| | |\n|---|---|\n| Date | {year}-{month:02}-{day:02} |\n\
         | Processor | {} × {} |\n| Memory | {gibibytes:.0} GiB |\n| System | {}, Linux {} |\n\
         | Load before it began | {} |\n\n",
        machine["cpus"],
        cell(&text("cpu")),
        cell(&text("system")),
        cell(&text("kernel")),
        results.load_before
    )
}

fn brokers(results: &Results) -> String {
    let mut text = "| broker | version | from |\n|---|---|---|\n".to_owned();
    for broker in &results.brokers {
        let remark = broker.peer.remark(&broker.version);
        let (name, version) = (cell(&broker.peer.name), cell(&broker.version));
        text += &format!("| {name} | {version}{remark} | {} |\n", cell(&broker.peer.from));
    }
    text + "\n[`xtask/peers.toml`](../xtask/peers.toml) has their configurations.\n"
}

/// One table; nothing if no scenario of the group was run.
fn group(results: &Results, group: Group, title: &str, introduction: &str) -> String {
    let rows: Vec<&Row> = results.rows.iter().filter(|row| row.scenario.group == group).collect();
    let columns: Vec<usize> =
        (0..results.brokers.len()).filter(|index| group.has(results.brokers[*index].peer.part)).collect();
    if rows.is_empty() || columns.is_empty() {
        return String::new();
    }
    let names: Vec<String> = columns.iter().map(|index| cell(&results.brokers[*index].peer.name)).collect();
    let has_targets = group != Group::Durable;
    let (mut head, mut line) = (format!("| | | {} |", names.join(" | ")), "|---|---|".to_owned());
    line += &"---|".repeat(columns.len());
    if has_targets {
        head += " better | target | met |";
        line += "---|---|---|";
    }
    let mut text = format!("\n## {title}\n\n{introduction}\n\n{head}\n{line}\n");
    for row in rows {
        for figure in 0..row.scenario.figures.len() {
            text += &figure_row(results, row, figure, &columns, has_targets);
        }
    }
    text
}

fn figure_row(results: &Results, row: &Row, index: usize, columns: &[usize], has_targets: bool) -> String {
    let figure = &row.scenario.figures[index];
    let medians = row.medians(index);
    let title = if index == 0 { row.scenario.title } else { "" };
    let mut text = format!("| {title} | {} |", figure.name);
    for column in columns {
        let value = medians[*column].map(|value| figure.unit.text(value));
        let measurement = row.measurements[*column].as_ref();
        text += &match (value, measurement) {
            (Some(value), Some(one)) if !one.failures().is_empty() => format!(" {value} {NOT_WHOLE} |"),
            (Some(value), _) => format!(" {value} |"),
            (None, Some(one)) if one.runs.is_empty() && index == 0 => " cannot |".to_owned(),
            (None, _) => " |".to_owned(),
        };
    }
    if !has_targets {
        return text + "\n";
    }
    let ferry = results.judged(row.scenario.group);
    let others = columns.iter().filter(|column| Some(**column) != ferry);
    // Who loses messages is not faster.
    let whole =
        |column: &&usize| row.measurements[**column].as_ref().is_some_and(|one| one.failures().is_empty());
    let best = figure.unit.best(others.filter(whole).filter_map(|column| medians[*column]));
    let value = ferry.and_then(|column| medians[column]);
    let is_whole = ferry.is_some_and(|column| whole(&&column));
    let better = match (value, best) {
        (Some(value), Some(best)) if value > 0.0 && best > 0.0 => {
            format!("{}×", significant(if figure.unit.is_rate() { value / best } else { best / value }))
        }
        _ => String::new(),
    };
    let met = match value.and_then(|value| figure.target.is_met(value, best)) {
        Some(met) if met && is_whole => "yes",
        Some(_) => "**no**",
        None if figure.target == super::figures::Target::None => "",
        None => "not measured",
    };
    text + &format!(" {better} | {} | {met} |\n", figure.target.text(figure.unit))
}

/// Who could not do what, and what was lost.
fn notes(results: &Results) -> String {
    let mut text = String::new();
    for row in &results.rows {
        for (broker, measurement) in results.brokers.iter().zip(&row.measurements) {
            let Some(measurement) = measurement else { continue };
            let name = format!("{}, {}", cell(&broker.peer.name), row.scenario.title);
            for failure in measurement.failures() {
                text += &format!("- {NOT_WHOLE} {name}: {}\n", cell(&failure));
            }
            if let Some(why_not) = &measurement.why_not {
                text += &format!("- {name}: {}\n", cell(why_not));
            }
            if let Some(lost) = lost_as_allowed(measurement) {
                text += &format!("- {name}: {lost}\n");
            }
        }
    }
    if text.is_empty() { text } else { format!("\n## What was not as it should be\n\n{text}") }
}

/// What QoS 0 allows, but readers should know.
fn lost_as_allowed(measurement: &Measurement) -> Option<String> {
    let sum = |name: &str| -> f64 {
        measurement.runs.iter().filter_map(|run: &Value| run["total"][name].as_f64()).sum()
    };
    let (lost, expected) = (sum("lost"), sum("expected"));
    let is_allowed = lost > 0.0 && measurement.failures().is_empty();
    is_allowed.then(|| format!("{:.2} % of the messages lost, as QoS 0 may", 100.0 * lost / expected))
}

fn commands(results: &Results) -> String {
    let mut text =
        "\n## Commands\n\nAgainst a broker that is started as above, one for each scenario:\n\n```sh\n"
            .to_owned();
    for row in results.rows.iter().filter(|row| !row.command.is_empty()) {
        text += &format!("{}\n", row.command);
    }
    text + "```\n\n\
            Processor time is that of the broker's process and its children, in user and kernel mode, while messages were\n\
            measured; memory is what they have resident, without what the system holds for their sockets. The load generator\n\
            runs on the same machine.\n"
}

/// Text that cannot break a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}

/// Year, month and day in UTC.
fn date(unix_seconds: u64) -> (u64, u64, u64) {
    // The civil calendar, counted in eras of 400 years from March 1, year 0.
    let days = unix_seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day_of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::{cell, date};

    #[test]
    fn dates_are_right() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(1_709_251_199), (2024, 2, 29));
    }

    #[test]
    fn a_text_stays_in_its_cell() {
        assert_eq!(cell("a|b\n<i>"), "a\\|b &lt;i>");
    }
}
