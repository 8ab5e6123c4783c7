//! `[opentelemetry]`: what becomes of messages, told to a collector; and reading what that is asked with.

use std::path::PathBuf;

use hyper::header::HeaderMap;

use super::hook::{check_ca_file, read_headers, read_url};
use super::option::section;
use super::problem::{Place, Problem};
use super::value::Kind;
use crate::http_client::HttpUrl;

/// Where a collector takes spans (OpenTelemetry Protocol, section "OTLP/HTTP request").
const TRACES_PATH: &str = "/v1/traces";

section! {
    /// Traces of messages for OpenTelemetry: what became of a message, and how long that took, told to a collector by OTLP
    /// over HTTP. Only some messages are followed; those that are cost a little, the others next to nothing.
    pub struct OpenTelemetry = "opentelemetry" {
        /// The collector, such as `"http://127.0.0.1:4318"`; `/v1/traces` is added. Empty: no message is followed.
        endpoint: Option<String> = None, Kind::Or("", &Kind::Text), Live;

        /// Headers for the collector, by which it knows the broker: a file of lines such as `Authorization: Bearer SECRET`.
        header_file: Option<PathBuf> = None, Kind::Path, Live;

        /// Authorities (PEM) that the certificate of the collector is checked with, instead of those of the system.
        ca_file: Option<PathBuf> = None, Kind::Path, Live;

        /// The name under which the traces are found.
        service_name: String = "ferry".to_owned(), Kind::Text, Live;

        /// Of the messages that are in no trace, as all of MQTT 3.x, one in so many is followed; 0: none.
        sample_one_in: u32 = 1_000, Kind::Count { min: 0, max: 4_294_967_295 }, Live;

        /// Whether messages are followed that have a `traceparent` among their user properties which says that they are
        /// sampled. If not, they are chosen like those that are in no trace. Those that are not sampled are never followed.
        follow_publishers: bool = true, Kind::Flag, Live;

        /// Messages that are followed in one second, whoever wants it; the others are counted.
        messages_per_second_max: u32 = 100, Kind::Count { min: 1, max: 1_000_000 }, Live;

        /// Copies of one message that are followed to their receivers, by each shard.
        deliveries_per_message_max: u32 = 16, Kind::Count { min: 0, max: 10_000 }, Live;

        /// Whether messages of MQTT 3.x clients that are followed get a `traceparent` among their user properties, so that
        /// MQTT 5.0 subscribers can go on with the trace. What MQTT 5.0 clients publish is never changed.
        add_traceparent: bool = false, Kind::Flag, Live;

        /// Spans that wait for the collector; those above it are dropped and counted.
        queue_spans_max: u32 = 8_192, Kind::Count { min: 1, max: 1_000_000 }, Live;

        /// Spans that are sent at a time.
        batch_spans_max: u32 = 512, Kind::Count { min: 1, max: 10_000 }, Live;

        /// How long a span may wait for others to be sent with.
        interval_seconds: u32 = 5, Kind::Seconds { min: 1, max: 3_600 }, Live;

        /// How long the collector may take to answer. It is asked again for a minute, with pauses that get longer.
        timeout_seconds: u32 = 10, Kind::Seconds { min: 1, max: 60 }, Live;
    }
}

/// Where the collector is, and what it is told about the broker.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) url: HttpUrl,
    pub(crate) headers: HeaderMap,
    pub(crate) ca_file: Option<PathBuf>,
}

/// Reads and checks what the collector is asked with, if there is one; what is doubtful goes to `warnings`. `place_of` says
/// where an option was set.
pub(crate) fn read_collector(
    section: &OpenTelemetry,
    place_of: &dyn Fn(&str) -> Place,
    warnings: &mut Vec<Problem>,
) -> Result<Option<Collector>, Vec<Problem>> {
    let Some(text) = &section.endpoint else { return Ok(None) };
    let url = read_endpoint(text, place_of, warnings).map_err(|problem| vec![problem])?;
    let ca_file = section.ca_file.clone();
    if let Some(path) = &ca_file {
        check_ca_file("opentelemetry.ca_file", path).map_err(|problem| vec![problem])?;
    }
    let headers = match &section.header_file {
        Some(path) => read_headers("opentelemetry.header_file", path, warnings)?,
        None => HeaderMap::new(),
    };
    Ok(Some(Collector { url, headers, ca_file }))
}

/// With the path for traces, which may be there already.
fn read_endpoint(
    text: &str,
    place_of: &dyn Fn(&str) -> Place,
    warnings: &mut Vec<Problem>,
) -> Result<HttpUrl, Problem> {
    let option = "opentelemetry.endpoint";
    let base = text.trim_end_matches('/');
    let base = base.strip_suffix(TRACES_PATH).unwrap_or(base);
    let secrets = "topics and client identifiers";
    // As it was written, for what is wrong with it.
    read_url(option, text, place_of, secrets, warnings)?;
    let whole = format!("{base}{TRACES_PATH}");
    match whole.parse::<HttpUrl>() {
        Ok(url) if !text.contains(['?', '#']) => Ok(url),
        _ => Err(Problem {
            place: place_of(option),
            option: option.to_owned(),
            message: format!("{text:?}: {TRACES_PATH} cannot be added to this"),
            remedy: "write such as http://127.0.0.1:4318".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(endpoint: &str) -> Result<String, String> {
        let section = OpenTelemetry { endpoint: Some(endpoint.to_owned()), ..OpenTelemetry::default() };
        let mut warnings = Vec::new();
        let read = read_collector(&section, &|_| Place::Default, &mut warnings);
        let words =
            |problems: &[Problem]| problems.iter().map(|problem| problem.message.clone()).collect::<String>();
        match read {
            Ok(collector) => Ok(format!("{} {}", collector.expect("one").url, words(&warnings))),
            Err(problems) => Err(words(&problems)),
        }
    }

    #[test]
    fn endpoints() {
        for text in ["http://127.0.0.1:4318", "http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"] {
            assert_eq!(read(text).as_deref(), Ok("http://127.0.0.1:4318/v1/traces "));
        }
        assert_eq!(read("https://c.example/otlp").as_deref(), Ok("https://c.example/otlp/v1/traces "));
        let open = "http://c.example/v1/traces topics and client identifiers travel unencrypted to http://c.example/";
        assert_eq!(read("http://c.example").as_deref(), Ok(open));
        assert!(read("127.0.0.1:4318").unwrap_err().contains("http"));
        assert!(read("http://127.0.0.1:4318/?a=b").unwrap_err().contains("cannot be added"));
        assert!(
            read_collector(&OpenTelemetry::default(), &|_| Place::Default, &mut Vec::new())
                .unwrap()
                .is_none()
        );
    }
}
