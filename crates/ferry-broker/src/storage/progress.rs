use std::time::{Duration, Instant};

/// What takes less is not worth a word.
const SILENT: Duration = Duration::from_secs(1);

/// Says in the log, about once a second, how far something is that takes long.
pub(crate) struct Progress {
    what: String,
    started: Instant,
    said: Instant,
}

impl Progress {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        let now = Instant::now();
        Self { what: what.into(), started: now, said: now }
    }

    /// `done` of `total` is done.
    pub(crate) fn tell(&mut self, done: u64, total: u64) {
        if self.said.elapsed() < SILENT {
            return;
        }
        self.said = Instant::now();
        let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100).min(100);
        tracing::info!("{}: {percent} %, {} s so far", self.what, self.started.elapsed().as_secs());
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
