use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::failure::Failure;
use super::table::{Table, visible};
use crate::output;

/// Prints results: tables for people, JSON for programs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printer {
    pub(super) json: bool,
}

impl Printer {
    /// One line for each item, or a table of some of their members.
    pub(super) fn list(
        self,
        items: &[Value],
        titles: &[&str],
        row: impl Fn(&Value) -> Vec<String>,
    ) -> Result<(), Failure> {
        if self.json {
            items.iter().for_each(|item| output::line(&item.to_string()));
            return Ok(());
        }
        let mut table = Table::new(titles);
        items.iter().for_each(|item| table.row(row(item)));
        output::line(&table.to_text());
        Ok(())
    }

    /// A document, or a line for each of these members.
    pub(super) fn members(self, document: &Value, members: &[(&str, String)]) -> Result<(), Failure> {
        if self.json {
            output::line(&document.to_string());
            return Ok(());
        }
        for (name, value) in members.iter().filter(|(_, value)| !value.is_empty()) {
            output::line(&format!("{name:<14}{}", visible(value)));
        }
        Ok(())
    }

    pub(super) fn done(self, document: &Value) -> Result<(), Failure> {
        self.members(document, &[("done", text(&document["done"]))])
    }

    pub(super) fn status(self, broker: &Value) -> Result<(), Failure> {
        let of = |name: &str| text(&broker[name]);
        let sized = |count: &str, bytes: &str| format!("{} ({})", of(count), bytes_text(&broker[bytes]));
        let certificates = items_of(&broker["certificates"]).iter().map(|certificate| {
            let end =
                certificate["ends_at_seconds"].as_i64().and_then(|end| Timestamp::from_second(end).ok());
            let end = end.map_or(String::new(), |end| end.strftime("%Y-%m-%d %H:%M UTC").to_string());
            format!("{} ends {end}", text(&certificate["file"]))
        });
        let certificates: Vec<String> = certificates.collect();
        self.members(
            broker,
            &[
                (
                    "broker",
                    format!(
                        "{}, Ferry {}, process {}",
                        of("name"),
                        of("version"),
                        text(&broker["process"]["id"])
                    ),
                ),
                ("uptime", duration(broker["uptime_seconds"].as_u64().unwrap_or(0))),
                ("shards", of("shards")),
                ("memory", bytes_text(&broker["process"]["resident_bytes"])),
                ("clients", format!("{} connected, {} sessions", of("clients_connected"), of("sessions"))),
                ("subscriptions", of("subscriptions")),
                ("retained", sized("retained_messages", "retained_bytes")),
                ("queued", sized("queue_messages", "queue_bytes")),
                ("in flight", of("inflight_messages")),
                ("dropped", of("messages_dropped")),
                ("storage", of("storage")),
                ("traces", traces(&broker["traces"])),
                ("certificates", certificates.join(", ")),
            ],
        )
    }

    pub(super) fn listeners(self, page: &Value) -> Result<(), Failure> {
        self.list(items(page), &["ADDRESS", "CONNECTIONS", "MAX", "ANONYMOUS", "VERSIONS"], |item| {
            let versions =
                items_of(&item["protocol_versions"]).iter().map(text).collect::<Vec<_>>().join(" ");
            let mut row: Vec<String> = ["address", "connections", "connections_max", "allow_anonymous"]
                .map(|name| text(&item[name]))
                .into();
            row.push(versions);
            row
        })
    }

    pub(super) fn drops(self, drops: &Value, all: bool) -> Result<(), Failure> {
        let items: Vec<Value> =
            items(drops).iter().filter(|item| all || item["count"] != 0).cloned().collect();
        if items.is_empty() && !self.json {
            output::line("nothing was dropped");
            return Ok(());
        }
        self.list(&items, &["REASON", "COPIES", "LAST CLIENT", "LAST TOPIC"], |item| {
            ["reason", "count", "last_client_id", "last_topic"].map(|name| text(&item[name])).into()
        })
    }

    pub(super) fn top_talkers(self, page: &Value) -> Result<(), Failure> {
        let columns = [
            ("CLIENT", "client_id"),
            ("BYTES/S", "bytes_per_second"),
            ("RECEIVED", "bytes_received"),
            ("SENT", "bytes_sent"),
            ("MESSAGES RECEIVED", "messages_received"),
            ("MESSAGES SENT", "messages_sent"),
            ("SECONDS", "seconds"),
        ];
        self.list(items(page), &columns.map(|(title, _)| title), |item| {
            columns.map(|(_, name)| text(&item[name])).into()
        })
    }

    pub(super) fn slow_subscribers(self, page: &Value) -> Result<(), Failure> {
        if !self.json && items(page).is_empty() {
            output::line("nothing waits for anybody");
            return Ok(());
        }
        let titles = ["CLIENT", "CONNECTED", "BYTES", "QUEUED", "IN FLIGHT", "OLDEST MS", "DROPPED"];
        self.list(items(page), &titles, |item| {
            let dropped = item["drops"].as_object().into_iter().flat_map(|drops| drops.values());
            let dropped: u64 = dropped.filter_map(Value::as_u64).sum();
            let names = [
                "client_id",
                "connected",
                "waiting_bytes",
                "queue_messages",
                "inflight_messages",
                "oldest_waiting_milliseconds",
            ];
            let mut row: Vec<String> = names.map(|name| text(&item[name])).into();
            row.push(dropped.to_string());
            row
        })
    }

    pub(super) fn configuration(self, document: &Value, changed: bool) -> Result<(), Failure> {
        let items: Vec<Value> =
            items(document).iter().filter(|item| !changed || item["is_default"] == false).cloned().collect();
        self.list(&items, &["OPTION", "VALUE", "ORIGIN"], |item| {
            let origin =
                if item["is_default"] == true { "default".to_owned() } else { text(&item["origin"]) };
            vec![text(&item["option"]), text(&item["value"]), origin]
        })
    }

    pub(super) fn reloaded(self, changes: &Value) -> Result<(), Failure> {
        if self.json {
            output::line(&changes.to_string());
            return Ok(());
        }
        let say = |name: &str, when: &str| {
            for change in items_of(&changes[name]) {
                let [option, before, after] =
                    ["option", "before", "after"].map(|name| visible(&text(&change[name])));
                output::line(&format!("{option} is {when} {after} (was {before})"));
            }
        };
        say("live", "now");
        say("restart", "after a restart");
        if items_of(&changes["live"]).is_empty() && items_of(&changes["restart"]).is_empty() {
            output::line("no option is different; certificates, users and rights are loaded again");
        }
        Ok(())
    }

    pub(super) fn clients(self, mut clients: Vec<Value>) -> Result<(), Failure> {
        clients.sort_by_key(|client| text(&client["client_id"]));
        let titles = ["CLIENT", "USER", "ADDRESS", "VERSION", "SUBSCRIPTIONS", "QUEUED", "IN FLIGHT"];
        let titles = [&titles[..], &["RECEIVED", "SENT"]].concat();
        self.list(&clients, &titles, |client| {
            let connection = &client["connection"];
            vec![
                text(&client["client_id"]),
                text(&client["user_name"]),
                if connection.is_null() {
                    "(not connected)".to_owned()
                } else {
                    text(&connection["address"])
                },
                text(&connection["protocol_version"]),
                text(&client["subscriptions"]),
                text(&client["queue_messages"]),
                text(&client["inflight_messages"]),
                traffic(connection, "received"),
                traffic(connection, "sent"),
            ]
        })
    }

    pub(super) fn client(self, mut client: Value, subscriptions: &[Value]) -> Result<(), Failure> {
        if self.json {
            client["subscription_list"] = json!(subscriptions);
            output::line(&client.to_string());
            return Ok(());
        }
        let connection = client["connection"].clone();
        let at = |name: &str| text(&connection[name]);
        let expiry = client["expiry_interval_seconds"].as_u64().map_or("never".to_owned(), duration);
        let mut members = vec![("client", text(&client["client_id"])), ("user", text(&client["user_name"]))];
        if connection.is_null() {
            members.push(("connection", "none".to_owned()));
        } else {
            members.extend([
                ("address", format!("{} by {}", at("address"), at("listener"))),
                ("protocol", format!("MQTT {} on {}", at("protocol_version"), at("transport"))),
                (
                    "keep alive",
                    format!("{} s, silent for {} s", at("keep_alive_seconds"), at("silent_seconds")),
                ),
                ("received", traffic(&connection, "received")),
                ("sent", traffic(&connection, "sent")),
                ("certificate", at("certificate_common_name")),
                ("  subject", at("certificate_subject")),
                ("  names", texts(&connection["certificate_alternative_names"])),
                ("  fingerprint", at("certificate_fingerprint")),
                ("unwritten", bytes_text(&connection["unwritten_bytes"])),
            ]);
        }
        let queued = [text(&client["queue_messages"]), bytes_text(&client["queue_bytes"])];
        members.extend([
            ("expires after", expiry),
            ("queued", format!("{} ({})", queued[0], queued[1])),
            ("in flight", text(&client["inflight_messages"])),
            ("subscriptions", text(&client["subscriptions"])),
        ]);
        self.members(&client, &members)?;
        for subscription in subscriptions {
            let [filter, qos] = ["filter", "maximum_qos"].map(|name| visible(&text(&subscription[name])));
            output::line(&format!("  {filter}  QoS {qos}"));
        }
        Ok(())
    }

    pub(super) fn subscriptions(self, mut items: Vec<Value>) -> Result<(), Failure> {
        items.sort_by_key(|item| (text(&item["filter"]), text(&item["client_id"])));
        self.list(&items, &["FILTER", "CLIENT", "QOS"], |item| {
            ["filter", "client_id", "maximum_qos"].map(|name| text(&item[name])).into()
        })
    }

    pub(super) fn retained(self, mut items: Vec<Value>) -> Result<(), Failure> {
        items.sort_by_key(|item| text(&item["topic"]));
        self.list(&items, &["TOPIC", "BYTES", "QOS", "PUBLISHER"], |item| {
            ["topic", "payload_bytes", "qos", "publisher"].map(|name| text(&item[name])).into()
        })
    }

    /// The bytes themselves, so that they can go into a file.
    pub(super) fn payload(self, message: &Value) -> Result<(), Failure> {
        if self.json {
            output::line(&message.to_string());
            return Ok(());
        }
        match (message["payload"].as_str(), message["payload_base64"].as_str()) {
            (Some(text), _) => output::line(text),
            (None, Some(encoded)) => {
                let bytes = STANDARD.decode(encoded).unwrap_or_default();
                // Whoever closed the other end does not want it.
                let _ = std::io::stdout().write_all(&bytes);
            }
            (None, None) => {}
        }
        Ok(())
    }
}

/// Prints what is remembered of a client.
pub(super) fn history(history: &Value) {
    let state = match (history["is_connected"] == true, history["has_session"] == true) {
        (true, _) => "connected",
        (false, true) => "not connected, its session waits",
        (false, false) => "not connected, without a session",
    };
    let say = |line: String| output::line(&visible(&line));
    say(format!("{}: {state}", text(&history["client_id"])));
    for decision in items_of(&history["decisions"]) {
        let [what, reason, detail, address, listener] =
            ["what", "reason", "detail", "address", "listener"].map(|name| text(&decision[name]));
        let code = decision["reason_code"].as_u64().unwrap_or(0);
        let at = moment(&decision["at_milliseconds"]);
        let at = if at.is_empty() { at } else { format!("{at} ") };
        let detail = if detail.is_empty() { detail } else { format!(", {detail}") };
        let times = match decision["count"].as_u64() {
            Some(count) if count > 1 => format!(" ({count} times)"),
            _ => String::new(),
        };
        say(format!("{at}{what} {address} on {listener}: 0x{code:02X} {reason}{detail}{times}"));
    }
    for drop in items_of(&history["drops"]) {
        say(format!("not delivered: {} copies, {}", text(&drop["count"]), text(&drop["reason"])));
    }
    let topic = text(&history["last_dropped_topic"]);
    if !topic.is_empty() {
        say(format!("the last of them was on {topic}"));
    }
    if items_of(&history["decisions"]).is_empty() && items_of(&history["drops"]).is_empty() {
        say("the broker remembers nothing that was refused to it, nor a message that it lost".to_owned());
    }
}

fn items(page: &Value) -> &[Value] {
    items_of(&page["items"])
}

fn items_of(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

/// A value as people read it; nothing for null.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

/// A time in milliseconds as people read it; nothing for null.
pub(super) fn moment(milliseconds: &Value) -> String {
    let at = milliseconds.as_i64().and_then(|at| Timestamp::from_millisecond(at).ok());
    at.map_or(String::new(), |at| format!("{at:.0}"))
}

/// Nothing while no collector is configured.
fn traces(traces: &Value) -> String {
    if traces.is_null() {
        return String::new();
    }
    let of = |name: &str| text(&traces[name]);
    let fault = if traces["fault"].is_null() { String::new() } else { format!("; {}", of("fault")) };
    let (exported, dropped) = (of("spans_exported"), of("spans_dropped"));
    format!("{}: {exported} spans exported, {dropped} dropped{fault}", of("endpoint"))
}

/// Messages and bytes in one direction; nothing without a connection.
fn traffic(connection: &Value, direction: &str) -> String {
    if connection.is_null() {
        return String::new();
    }
    let messages = text(&connection[format!("messages_{direction}")]);
    format!("{messages} ({})", bytes_text(&connection[format!("bytes_{direction}")]))
}

fn texts(list: &Value) -> String {
    items_of(list).iter().map(text).collect::<Vec<_>>().join(", ")
}

/// A number of bytes as people read it; nothing for null.
fn bytes_text(value: &Value) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let Some(bytes) = value.as_u64() else { return String::new() };
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_for_people() {
        let sizes = [0, 1023, 1024, 1_600_000, 3 << 30, u64::MAX].map(|bytes| bytes_text(&json!(bytes)));
        assert_eq!(sizes, ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 MiB", "3.0 GiB", "16777216.0 TiB"]);
        assert_eq!(bytes_text(&Value::Null), "");
        let times = [7, 67, 3_723, 90_061].map(duration);
        assert_eq!(times, ["7 s", "1 min 7 s", "1 h 2 min", "1 d 1 h"]);
    }
}
