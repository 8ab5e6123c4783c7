//! `/metrics`: the counters of all shards, summed when they are read.

use std::time::{SystemTime, UNIX_EPOCH};

use ferry_codec::ReasonCode;
use ferry_core::DropReason;
use ferry_net::TlsExpiryKind;
use ferry_store::{CommitLatencies, Health};

use super::answer::Answer;
use super::problem::Problem;
use super::process::ProcessFigures;
use super::prometheus::MetricKind::{self, Counter, Gauge, Histogram};
use super::prometheus::{CONTENT_TYPE, Exposition, Metric};
use super::request::Call;
use super::state::AdminState;
use crate::accept::Strain;
use crate::opentelemetry::SpanFigures;
use crate::storage::StorageFigures;
use crate::sys_topics::{Figures, Totals};

/// The answer to `/metrics`.
///
/// # Errors
/// A shard does not answer in time.
pub(super) async fn metrics(call: &Call) -> Result<Answer, Problem> {
    let figures = collect(&call.state).await?;
    let mut out = Exposition::default();
    for family in FAMILIES {
        family.write(&mut out, &Source { state: &call.state, figures: &figures });
    }
    Ok(Answer::text(CONTENT_TYPE, out.into_text()))
}

/// What all shards have counted.
///
/// # Errors
/// A shard does not answer in time.
pub(super) async fn collect(state: &AdminState) -> Result<Figures, Problem> {
    let mut figures = Figures {
        uptime: state.clock.uptime(),
        retained_messages: state.shared.retained.len(),
        retained_bytes: state.shared.retained.size_bytes(),
        storage: state.storage.as_ref().map(|storage| storage.figures()),
        ..Figures::default()
    };
    for report in state.ask_all(|driver| driver.report(&[])).await? {
        figures.add(&report);
    }
    Ok(figures)
}

/// What metrics are made of.
struct Source<'a> {
    state: &'a AdminState,
    figures: &'a Figures,
}

/// A metric and where its samples come from.
struct Family {
    metric: Metric,
    samples: Samples,
}

enum Samples {
    /// One, if there is one.
    One(fn(&Source<'_>) -> Option<f64>),
    /// One for each value of a label.
    Each(&'static str, fn(&Source<'_>) -> Vec<(String, f64)>),
    /// Of the time that commits took.
    Commits,
}

impl Family {
    fn write(&self, out: &mut Exposition, source: &Source<'_>) {
        let name = self.metric.name;
        match &self.samples {
            Samples::One(value) => {
                let Some(value) = value(source) else { return };
                out.metric(&self.metric);
                out.sample(name, value);
            }
            Samples::Each(label, values) => {
                let values = values(source);
                if values.is_empty() {
                    return;
                }
                out.metric(&self.metric);
                for (label_value, value) in values {
                    out.labelled(name, label, &label_value, value);
                }
            }
            Samples::Commits => {
                let Some(storage) = &source.figures.storage else { return };
                out.metric(&self.metric);
                commits(out, name, &storage.latencies);
            }
        }
    }
}

fn commits(out: &mut Exposition, name: &str, latencies: &CommitLatencies) {
    let mut count = 0;
    let bucket = format!("{name}_bucket");
    for (bound, counted) in CommitLatencies::BOUNDS.iter().zip(latencies.buckets) {
        count += counted;
        out.labelled(&bucket, "le", &(*bound as f64 / 1e6).to_string(), count);
    }
    out.labelled(&bucket, "le", "+Inf", latencies.count());
    out.sample(&format!("{name}_sum"), latencies.total.as_secs_f64());
    out.sample(&format!("{name}_count"), latencies.count());
}

const fn one(
    kind: MetricKind,
    name: &'static str,
    help: &'static str,
    value: fn(&Source<'_>) -> Option<f64>,
) -> Family {
    Family { metric: Metric { name, kind, help }, samples: Samples::One(value) }
}

const fn each(
    kind: MetricKind,
    name: &'static str,
    help: &'static str,
    label: &'static str,
    values: fn(&Source<'_>) -> Vec<(String, f64)>,
) -> Family {
    Family { metric: Metric { name, kind, help }, samples: Samples::Each(label, values) }
}

/// Files with certificates, and when the first thing in them ends.
fn ends(source: &Source<'_>, is_asked: fn(TlsExpiryKind) -> bool) -> Vec<(String, f64)> {
    let ends = source.state.in_force().file_ends(is_asked);
    ends.into_iter().map(|(file, seconds)| (file, seconds as f64)).collect()
}

/// Every metric there is.
const FAMILIES: &[Family] = &[
    each(Gauge, "ferry_build_info", "Always 1; the label has the version.", "version", |_| {
        vec![(env!("CARGO_PKG_VERSION").to_owned(), 1.0)]
    }),
    one(Gauge, "ferry_start_time_seconds", "When the broker was started, in seconds since 1970.", |source| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Some((now.saturating_sub(source.figures.uptime)).as_secs_f64())
    }),
    each(
        Gauge,
        "ferry_tls_certificate_expiry_timestamp_seconds",
        "When the first of the certificates in a file of a listener ends, in seconds since 1970.",
        "file",
        |source| ends(source, |kind| kind != TlsExpiryKind::RevocationList),
    ),
    each(
        Gauge,
        "ferry_tls_revocation_list_expiry_timestamp_seconds",
        "When the next revocation list in place of one in a file of a listener is due, in seconds since 1970.",
        "file",
        |source| ends(source, |kind| kind == TlsExpiryKind::RevocationList),
    ),
    one(Gauge, "ferry_shards", "Threads that serve clients.", |source| {
        Some(source.figures.shard_count as f64)
    }),
    one(Counter, "ferry_turns_total", "Turns that the shards have taken.", |source| {
        total(source, |totals| totals.turns)
    }),
    one(Gauge, "ferry_connections", "Open connections, with or without a CONNECT.", |source| {
        Some(source.figures.connections as f64)
    }),
    one(Counter, "ferry_connections_opened_total", "Connections opened.", |source| {
        total(source, |totals| totals.connections_opened)
    }),
    each(
        Gauge,
        "ferry_clients_connected",
        "Connected clients, by version of MQTT.",
        "protocol_version",
        |source| {
            let names = ["3.1", "3.1.1", "5.0"].map(str::to_owned);
            let counts = source.figures.clients_connected_by_version.map(|count| count as f64);
            names.into_iter().zip(counts).collect()
        },
    ),
    each(
        Gauge,
        "ferry_overloaded",
        "1 while new clients are refused because the broker is overloaded, else 0, by what there is too much of.",
        "cause",
        |source| {
            let strain = source.state.accepting.overload.strain(source.state.clock.now());
            let is = |cause| if strain == Some(cause) { 1.0 } else { 0.0 };
            Strain::ALL.into_iter().map(|cause| (cause.name().to_owned(), is(cause))).collect()
        },
    ),
    each(
        Counter,
        "ferry_connections_refused_total",
        "Connections that were refused or ended without a reason code, by reason.",
        "reason",
        |source| {
            let refusals = source.figures.refusals.iter();
            refusals.map(|(reason, count)| ((*reason).to_owned(), *count as f64)).collect()
        },
    ),
    each(
        Counter,
        "ferry_clients_refused_total",
        "Clients that were refused or disconnected, and packets that were refused, by the name of the reason code.",
        "reason",
        |source| {
            let codes = source.figures.reason_codes.iter();
            codes.map(|(code, count)| (reason_code_label(*code), *count as f64)).collect()
        },
    ),
    one(
        Gauge,
        "ferry_roles",
        "Roles and groups that are managed at run time; at most limits.roles_max.",
        |source| source.state.access.rights(|in_force| in_force.roles.roles().len() as f64),
    ),
    one(
        Gauge,
        "ferry_roles_bytes",
        "Bytes of these roles and groups as they are kept; at most limits.roles_bytes_max.",
        |source| source.state.access.rights(|in_force| in_force.roles.bytes() as f64),
    ),
    one(Gauge, "ferry_sessions", "Sessions, connected or not.", |source| {
        Some(source.figures.sessions as f64)
    }),
    one(
        Counter,
        "ferry_sessions_expired_total",
        "Sessions that ended because their expiry interval had passed.",
        |source| total(source, |totals| totals.sessions_expired),
    ),
    one(
        Counter,
        "ferry_sessions_taken_over_total",
        "Connections that another one with the same client identifier ended.",
        |source| total(source, |totals| totals.takeovers),
    ),
    each(Gauge, "ferry_subscriptions", "Subscriptions, by kind: plain or shared.", "kind", |source| {
        let figures = source.figures;
        let counts = [("plain", figures.subscriptions), ("shared", figures.shared_subscriptions)];
        counts.map(|(kind, count)| (kind.to_owned(), count as f64)).into()
    }),
    one(Gauge, "ferry_retained_messages", "Retained messages.", |source| {
        Some(source.figures.retained_messages as f64)
    }),
    one(Gauge, "ferry_retained_bytes", "Bytes of retained messages and their topics.", |source| {
        Some(source.figures.retained_bytes as f64)
    }),
    one(Gauge, "ferry_queue_messages", "Copies of messages that wait in the queues of sessions.", |source| {
        Some(source.figures.queued_messages as f64)
    }),
    one(Gauge, "ferry_queue_bytes", "Bytes of the copies that wait in queues.", |source| {
        Some(source.figures.queued_bytes as f64)
    }),
    one(
        Gauge,
        "ferry_inflight_messages",
        "Copies sent to clients and not yet acknowledged by them.",
        |source| Some(source.figures.inflight_messages as f64),
    ),
    each(Counter, "ferry_messages_received_total", "PUBLISH packets of clients, by QoS.", "qos", |source| {
        by_qos(&source.figures.totals.publish_received_by_qos)
    }),
    each(Counter, "ferry_messages_sent_total", "PUBLISH packets to clients, by QoS.", "qos", |source| {
        by_qos(&source.figures.totals.publish_sent_by_qos)
    }),
    one(
        Counter,
        "ferry_payload_received_bytes_total",
        "Bytes of payloads that clients have published.",
        |source| total(source, |totals| totals.publish_bytes_received),
    ),
    one(Counter, "ferry_payload_sent_bytes_total", "Bytes of payloads sent to clients.", |source| {
        total(source, |totals| totals.publish_bytes_sent)
    }),
    one(Counter, "ferry_received_bytes_total", "Bytes of all packets of clients.", |source| {
        total(source, |totals| totals.bytes_received)
    }),
    one(Counter, "ferry_sent_bytes_total", "Bytes of all packets to clients.", |source| {
        total(source, |totals| totals.bytes_sent)
    }),
    each(Counter, "ferry_packets_received_total", "Packets of clients, by type.", "type", |source| {
        by_packet_type(&source.figures.totals.packets_received)
    }),
    each(Counter, "ferry_packets_sent_total", "Packets to clients, by type.", "type", |source| {
        by_packet_type(&source.figures.totals.packets_sent)
    }),
    each(
        Counter,
        "ferry_messages_dropped_total",
        "Copies of messages that were discarded, by reason.",
        "reason",
        |source| {
            let drops = DropReason::ALL.into_iter().zip(source.figures.drops);
            drops.map(|(reason, count)| (reason.name().to_owned(), count as f64)).collect()
        },
    ),
    one(
        Counter,
        "ferry_messages_refused_total",
        "PUBLISH packets refused: without permission or over a limit.",
        |source| total(source, |totals| totals.publish_refused),
    ),
    one(Counter, "ferry_messages_unmatched_total", "Messages that nobody had subscribed to.", |source| {
        total(source, |totals| totals.publish_unmatched)
    }),
    one(Counter, "ferry_wills_published_total", "Wills published.", |source| {
        total(source, |totals| totals.wills_published)
    }),
    one(
        Gauge,
        "ferry_store_writable",
        "1 if the store takes what it is given, 0 if the disk is full or fails.",
        |source| stored(source, |storage| f64::from(u8::from(storage.health == Health::Writable))),
    ),
    Family {
        metric: Metric {
            name: "ferry_store_commit_duration_seconds",
            kind: Histogram,
            help: "Time to write a group of records, and to sync it if somebody waits for that.",
        },
        samples: Samples::Commits,
    },
    one(
        Counter,
        "ferry_store_written_bytes_total",
        "Bytes written to the disk, for whatever reason.",
        |source| stored(source, |storage| storage.log.bytes_written as f64),
    ),
    one(
        Counter,
        "ferry_store_recorded_bytes_total",
        "Bytes of the records that the store was given.",
        |source| stored(source, |storage| storage.log.bytes_of_records as f64),
    ),
    one(Counter, "ferry_store_syncs_total", "Times the disk was made to make writes durable.", |source| {
        stored(source, |storage| storage.log.syncs as f64)
    }),
    one(
        Counter,
        "ferry_store_records_lost_total",
        "Records that could not be read any more when they were needed.",
        |source| stored(source, |storage| storage.log.records_lost as f64),
    ),
    one(Gauge, "ferry_store_live_bytes", "Bytes of the records that are in force.", |source| {
        stored(source, |storage| storage.log.live_bytes as f64)
    }),
    one(Gauge, "ferry_store_size_bytes", "Bytes of all files of the log.", |source| {
        stored(source, |storage| storage.log.total_bytes as f64)
    }),
    one(Gauge, "ferry_store_segments", "Files of the log.", |source| {
        stored(source, |storage| storage.log.segments as f64)
    }),
    one(Counter, "ferry_spans_exported_total", "Spans that the collector of traces has taken.", |source| {
        traced(source, |spans, _| spans.exported)
    }),
    each(
        Counter,
        "ferry_spans_dropped_total",
        "Spans that nobody will see, by reason: `queue_full`, `failed` (the collector cannot be reached, or refuses the \
         batch), `rejected` (it refuses some of a batch).",
        "reason",
        |source| {
            let count = |pick| traced(source, pick);
            let counts = [
                ("queue_full", count(|spans, _| spans.queue_full)),
                ("failed", count(|spans, _| spans.failed)),
                ("rejected", count(|spans, _| spans.rejected)),
            ];
            counts.into_iter().filter_map(|(reason, count)| Some((reason.to_owned(), count?))).collect()
        },
    ),
    one(
        Counter,
        "ferry_messages_not_followed_total",
        "Messages that should have been in a trace, but too many were in the same second.",
        |source| traced(source, |_, figures| figures.totals.spans_limited),
    ),
    each(
        Counter,
        "ferry_admin_requests_total",
        "Requests to the admin API, by the first digit of the status.",
        "status",
        |source| {
            let answered = source.state.answered();
            answered.map(|(digit, count)| (format!("{digit}xx"), count as f64)).collect()
        },
    ),
    one(Counter, "process_cpu_seconds_total", "Processor time of the process.", |_| {
        ProcessFigures::read().map(|process| process.cpu_seconds)
    }),
    one(Gauge, "process_resident_memory_bytes", "Memory of the process that is in RAM.", |_| {
        ProcessFigures::read().map(|process| process.resident_bytes as f64)
    }),
];

fn total(source: &Source<'_>, pick: fn(&Totals) -> u64) -> Option<f64> {
    Some(pick(&source.figures.totals) as f64)
}

/// Absent while no collector is configured.
fn traced(source: &Source<'_>, pick: fn(&SpanFigures, &Figures) -> u64) -> Option<f64> {
    let in_force = source.state.in_force();
    in_force.config.opentelemetry.endpoint.as_ref()?;
    Some(pick(&in_force.spans.figures(), source.figures) as f64)
}

fn stored(source: &Source<'_>, pick: fn(&StorageFigures) -> f64) -> Option<f64> {
    source.figures.storage.as_ref().map(pick)
}

fn by_qos(counts: &[u64; 3]) -> Vec<(String, f64)> {
    (0..).zip(counts).map(|(qos, count): (u8, _)| (qos.to_string(), *count as f64)).collect()
}

fn by_packet_type(counts: &[u64; 16]) -> Vec<(String, f64)> {
    let counted = PACKET_TYPES.iter().zip(&counts[1..]);
    counted.map(|(name, count)| ((*name).to_owned(), *count as f64)).collect()
}

/// The packet types from 1 on (MQTT 5.0 table 2-1).
const PACKET_TYPES: [&str; 15] = [
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

/// The name of a reason code as other reasons are written: `not_authorized`.
pub(crate) fn reason_code_label(code: u8) -> String {
    let name = ReasonCode::new(code).name();
    let letters = name.chars().map(|character| {
        if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '_' }
    });
    letters.collect()
}

/// The table of metrics of the guide, in Markdown.
#[cfg(test)]
pub(super) fn reference() -> String {
    let mut out = String::from("| metric | kind | label | what it is |\n|---|---|---|---|\n");
    for Family { metric, samples } in FAMILIES {
        let label = match samples {
            Samples::Each(label, _) => format!("`{label}`"),
            Samples::Commits => "`le`".to_owned(),
            Samples::One(_) => String::new(),
        };
        out.push_str(&format!(
            "| `{}` | {} | {label} | {} |\n",
            metric.name,
            metric.kind.name(),
            metric.help
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The table of the guide is made from the code: `UPDATE_DOCUMENTS=1 cargo test -p ferry-broker` writes it anew.
    #[test]
    fn the_guide_has_every_metric() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/src/metrics.md");
        let text = std::fs::read_to_string(&path).expect("the chapter");
        let (before, rest) = text.split_once("<!-- metrics -->\n\n").expect("the beginning of the table");
        let (_, after) = rest.split_once("\n<!-- end -->").expect("the end of the table");
        let expected = format!("{before}<!-- metrics -->\n\n{}\n<!-- end -->{after}", reference());
        if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
            std::fs::write(&path, &expected).expect("written");
        }
        assert!(
            text == expected || std::env::var_os("UPDATE_DOCUMENTS").is_some(),
            "metrics.md is out of date"
        );
    }

    #[test]
    fn names_end_in_their_units() {
        for Family { metric: Metric { name, kind, help }, .. } in FAMILIES {
            assert_eq!(*kind == Counter, name.ends_with("_total"), "{name}");
            assert!(name.starts_with("ferry_") || name.starts_with("process_"), "{name}");
            assert!(help.ends_with('.'), "{name}");
        }
        assert_eq!(reason_code_label(0x87), "not_authorized");
    }
}
