//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write};

/// The `Content-Type` of the format.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the values of a metric do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts of what took at most so long.
    Histogram,
}

impl MetricKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric: its name ends in its unit, and a counter's in `_total`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: MetricKind,
    pub(super) help: &'static str,
}

/// Metrics as text.
#[derive(Default)]
pub(super) struct Exposition(String);

/// Writing to a `String` reports no error but running out of memory, which ends the process.
const NO_FAILURE: &str = "a String can be written to";

impl Exposition {
    /// Begins a metric; its samples follow.
    pub(super) fn metric(&mut self, metric: &Metric) {
        let Metric { name, kind, help } = metric;
        write!(self.0, "# HELP {name} {help}\n# TYPE {name} {}\n", kind.name()).expect(NO_FAILURE);
    }

    /// A sample without labels.
    pub(super) fn sample(&mut self, name: &str, value: impl Display) {
        writeln!(self.0, "{name} {value}").expect(NO_FAILURE);
    }

    /// A sample with one label.
    pub(super) fn labelled(&mut self, name: &str, label: &str, label_value: &str, value: impl Display) {
        let escaped = label_value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        writeln!(self.0, "{name}{{{label}=\"{escaped}\"}} {value}").expect(NO_FAILURE);
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}
