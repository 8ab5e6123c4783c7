use std::sync::atomic::{AtomicU64, Ordering};

use mio::Waker;

use crate::plan::Plan;

/// Deliveries that event loops tell each other about, so that publishers know what is still on its way.
pub(crate) struct SharedCredits {
    /// By number of the publisher; what its own loop has not taken yet.
    delivered: Vec<AtomicU64>,
    /// Of the loops in this process.
    wakers: Vec<Waker>,
    first_worker: usize,
    workers: usize,
}

impl SharedCredits {
    pub(crate) fn new(plan: &Plan, first_worker: usize, wakers: Vec<Waker>) -> Self {
        let delivered = (0..plan.publishers()).map(|_| AtomicU64::new(0)).collect();
        Self { delivered, wakers, first_worker, workers: plan.workers() }
    }

    /// Whether an event loop, by its number among all, is in this process.
    pub(crate) fn is_here(&self, worker: usize) -> bool {
        (self.first_worker..self.first_worker + self.wakers.len()).contains(&worker)
    }

    /// Deliveries of a publisher's messages; returns its event loop if that must be woken.
    pub(crate) fn give(&self, publisher: u32, deliveries: u64) -> Option<usize> {
        let worker = publisher as usize % self.workers;
        if !self.is_here(worker) {
            return None;
        }
        self.delivered[publisher as usize].fetch_add(deliveries, Ordering::Relaxed);
        Some(worker)
    }

    pub(crate) fn wake(&self, worker: usize) {
        // It fails only if the loop is gone, and then nobody waits.
        let _ = self.wakers[worker - self.first_worker].wake();
    }

    /// What was given since the last time.
    pub(crate) fn take(&self, publisher: u32) -> u64 {
        let delivered = &self.delivered[publisher as usize];
        if delivered.load(Ordering::Relaxed) == 0 { 0 } else { delivered.swap(0, Ordering::Relaxed) }
    }
}
