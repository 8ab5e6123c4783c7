use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use serde_json::Value;
use tokio::sync::mpsc;

/// Lines that wait for whoever watches.
const LINES_MAX: usize = 4_096;

/// Bytes of them.
const BYTES_MAX: usize = 1024 * 1024;

/// Where a trace goes: a bounded number of lines waits for its reader, what does not fit is counted. Nothing here waits.
pub(super) struct TraceSink {
    lines: mpsc::Sender<String>,
    gauge: Arc<Gauge>,
    /// Lines lost since the last one that was not.
    gap: u64,
}

/// The other end.
pub(crate) struct TraceLines {
    lines: mpsc::Receiver<String>,
    gauge: Arc<Gauge>,
}

#[derive(Default)]
struct Gauge {
    bytes: AtomicUsize,
    missed: AtomicU64,
}

/// A pipe from a shard to a reader.
pub(super) fn trace_pipe() -> (TraceSink, TraceLines) {
    let (sender, receiver) = mpsc::channel(LINES_MAX);
    let gauge = Arc::<Gauge>::default();
    (TraceSink { lines: sender, gauge: Arc::clone(&gauge), gap: 0 }, TraceLines { lines: receiver, gauge })
}

impl TraceSink {
    /// The reader has gone.
    pub(super) fn is_closed(&self) -> bool {
        self.lines.is_closed()
    }

    /// Adds a line. The first after some that were lost has their number as `missed`.
    pub(super) fn push(&mut self, mut line: Value) {
        if self.gap > 0 {
            line["missed"] = self.gap.into();
        }
        let mut text = line.to_string();
        text.push('\n');
        let length = text.len();
        // Only this thread adds, so what is there can only become less meanwhile.
        let fits = self.gauge.bytes.load(Ordering::Relaxed) + length <= BYTES_MAX;
        if fits {
            self.gauge.bytes.fetch_add(length, Ordering::Relaxed);
        }
        if fits && self.lines.try_send(text).is_ok() {
            self.gap = 0;
            return;
        }
        if fits {
            self.gauge.bytes.fetch_sub(length, Ordering::Relaxed);
        }
        self.gap += 1;
        self.gauge.missed.fetch_add(1, Ordering::Relaxed);
    }
}

impl TraceLines {
    /// The next line; `None` once the shard has ended the trace.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<String>> {
        let line = ready!(self.lines.poll_recv(context));
        if let Some(line) = &line {
            self.gauge.bytes.fetch_sub(line.len(), Ordering::Relaxed);
        }
        Poll::Ready(line)
    }

    /// Lines that did not fit.
    pub(crate) fn missed(&self) -> u64 {
        self.gauge.missed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use serde_json::json;

    use super::*;

    fn next(lines: &mut TraceLines) -> Option<String> {
        match lines.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(line) => line,
            Poll::Pending => None,
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_told() {
        let (mut sink, mut lines) = trace_pipe();
        for number in 0..LINES_MAX + 3 {
            sink.push(json!({ "number": number }));
        }
        assert_eq!(lines.missed(), 3);
        assert_eq!(next(&mut lines).expect("a line"), "{\"number\":0}\n");
        sink.push(json!({ "number": 7 }));
        for _ in 1..LINES_MAX {
            next(&mut lines).expect("a line");
        }
        assert_eq!(next(&mut lines).expect("a line"), "{\"missed\":3,\"number\":7}\n");
        // Bytes are limited too, and given back.
        let long = "x".repeat(BYTES_MAX / 2);
        for _ in 0..3 {
            sink.push(json!({ "text": long }));
        }
        assert_eq!(lines.missed(), 5);
        assert!(next(&mut lines).is_some());
        assert_eq!(lines.gauge.bytes.load(Ordering::Relaxed), 0);
        assert!(!sink.is_closed());
        drop(lines);
        assert!(sink.is_closed());
    }
}
