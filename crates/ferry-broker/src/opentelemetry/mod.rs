//! Telling a collector what became of messages: OTLP over HTTP, in JSON.
//!
//! Shards put spans into one bounded queue and never wait for it; a task of a thread that asks servers takes them out,
//! in batches. Neither is there while no collector is configured.

mod exporter;
mod otlp_json;
mod span_queue;

pub(crate) use exporter::Exporter;
pub(crate) use span_queue::{SpanFigures, SpanQueue};
