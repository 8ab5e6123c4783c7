use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what is there now, up to a limit.
#[derive(Debug)]
pub(crate) struct Gauge {
    now: AtomicUsize,
    max: AtomicUsize,
}

impl Gauge {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { now: AtomicUsize::new(0), max: AtomicUsize::new(max) })
    }

    /// A place under the limit, given back when dropped; `None` when all are taken.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Place> {
        let taken = self.now.fetch_add(1, Ordering::Relaxed);
        // The place gives the count back even when it was one too many.
        let place = Place(Arc::clone(self));
        (taken < self.max.load(Ordering::Relaxed)).then_some(place)
    }

    /// How many places are taken.
    pub(crate) fn taken(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// Changes the limit; places already taken stay taken.
    pub(crate) fn set_max(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }
}

/// One place under a [`Gauge`]'s limit.
#[derive(Debug)]
pub(crate) struct Place(Arc<Gauge>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_gives_out_no_more_places_than_it_has() {
        let gauge = Gauge::new(2);
        let first = gauge.take();
        let second = gauge.take();
        assert!(first.is_some() && second.is_some());
        assert!(gauge.take().is_none());
        drop(first);
        assert!(gauge.take().is_some());
    }

    #[test]
    fn a_lower_limit_holds_for_new_places() {
        let gauge = Gauge::new(10);
        let places: Vec<_> = (0..5).map(|_| gauge.take()).collect();
        gauge.set_max(3);
        assert!(gauge.take().is_none());
        drop(places);
        assert!(gauge.take().is_some());
    }
}
