use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ferry_core::Span;
use tokio::sync::mpsc;

/// Where the spans of all shards go: a bounded number waits, what does not fit is counted. Nothing here waits.
#[derive(Debug, Default)]
pub(crate) struct SpanQueue {
    /// `None`: nobody takes them.
    sender: Mutex<Option<mpsc::Sender<Span>>>,
    exported: AtomicU64,
    queue_full: AtomicU64,
    failed: AtomicU64,
    rejected: AtomicU64,
    /// What is wrong with the collector.
    fault: Mutex<Option<String>>,
}

/// What became of spans since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SpanFigures {
    /// The collector has them.
    pub(crate) exported: u64,
    /// The queue was full.
    pub(crate) queue_full: u64,
    /// The collector could not be reached for too long, or did not want them.
    pub(crate) failed: u64,
    /// The collector took others of the same batch.
    pub(crate) rejected: u64,
    /// Why the collector has not got the last batch; `None` if it has.
    pub(crate) fault: Option<String>,
}

impl SpanQueue {
    /// Adds spans, as many as fit.
    pub(crate) fn offer(&self, spans: impl Iterator<Item = Span>) {
        let sender = self.sender();
        let Some(sender) = &*sender else { return };
        let refused = spans.map(|span| u64::from(sender.try_send(span).is_err())).sum();
        self.queue_full.fetch_add(refused, Ordering::Relaxed);
    }

    /// Spans go to this sender from now on; whoever had the other end of the one before gets no more.
    pub(super) fn replace(&self, sender: Option<mpsc::Sender<Span>>) {
        *self.sender() = sender;
    }

    /// The collector has a batch, without so many of it.
    pub(super) fn count_exported(&self, spans: u64, rejected: u64) {
        self.exported.fetch_add(spans.saturating_sub(rejected), Ordering::Relaxed);
        self.rejected.fetch_add(rejected.min(spans), Ordering::Relaxed);
    }

    /// The collector will not get a batch.
    pub(super) fn count_failed(&self, spans: u64) {
        self.failed.fetch_add(spans, Ordering::Relaxed);
    }

    /// What is wrong with the collector now. Returns whether that was not so before.
    pub(super) fn set_fault(&self, fault: Option<String>) -> bool {
        let mut known = self.fault();
        let is_news = known.is_some() != fault.is_some();
        *known = fault;
        is_news
    }

    pub(crate) fn figures(&self) -> SpanFigures {
        SpanFigures {
            exported: self.exported.load(Ordering::Relaxed),
            queue_full: self.queue_full.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
            fault: self.fault().clone(),
        }
    }

    fn sender(&self) -> MutexGuard<'_, Option<mpsc::Sender<Span>>> {
        // It is replaced as a whole.
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self) -> MutexGuard<'_, Option<String>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpanFigures {
    /// All that nobody will see.
    pub(crate) fn dropped(&self) -> u64 {
        self.queue_full + self.failed + self.rejected
    }
}

#[cfg(test)]
mod tests {
    use super::super::otlp_json::tests::span;
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted() {
        let queue = SpanQueue::default();
        queue.offer([span()].into_iter());
        assert_eq!(queue.figures(), SpanFigures::default(), "nobody wants them");
        let (sender, mut receiver) = mpsc::channel(2);
        queue.replace(Some(sender));
        queue.offer((0..5).map(|_| span()));
        assert_eq!((queue.figures().queue_full, queue.figures().dropped()), (3, 3));
        assert!(receiver.try_recv().is_ok());
        queue.offer([span()].into_iter());
        assert_eq!(queue.figures().queue_full, 3);
    }

    #[test]
    fn a_fault_is_news_once() {
        let queue = SpanQueue::default();
        assert!(!queue.set_fault(None));
        assert!(queue.set_fault(Some("a".to_owned())));
        assert!(!queue.set_fault(Some("b".to_owned())));
        assert_eq!(queue.figures().fault.as_deref(), Some("b"));
        assert!(queue.set_fault(None));
    }
}
