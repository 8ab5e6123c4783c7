//! How long a shard takes to serve everybody.

use ferry_session::Timestamp;

use super::Driver;

/// A round over the connections that had something for the shard when it began: the longest that one of them waits. A turn reads
/// only so much, so it may take several of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lap {
    /// `None`: nobody was waiting.
    began_at: Option<Timestamp>,
    /// Connections of that time that have not been served yet.
    left: usize,
}

impl Driver {
    /// So many wait, oldest first.
    pub(super) fn begin_lap(&self, waiting: usize) {
        if self.lap.get().left == 0 && waiting > 0 {
            self.lap.set(Lap { began_at: Some(self.now()), left: waiting });
        }
    }

    /// The oldest is about to be served.
    pub(super) fn count_lap(&self) {
        let Lap { began_at, left } = self.lap.get();
        self.lap.set(Lap { began_at, left: left.saturating_sub(1) });
    }

    /// What was decided is written: tells how long the round took, if it is over, and for how long the store has been behind.
    pub(super) fn end_lap(&self) {
        let Lap { began_at, left } = self.lap.get();
        if let (Some(began_at), 0) = (began_at, left) {
            let now = self.now();
            self.lap.set(Lap::default());
            self.accepting.overload.lap_took(now.milliseconds_since(began_at), now);
        }
        if !self.storage_behind.get() {
            return self.storage_behind_since.set(None);
        }
        let now = self.now();
        let since = self.storage_behind_since.get().unwrap_or(now);
        self.storage_behind_since.set(Some(since));
        self.accepting.overload.store_is_behind(now.milliseconds_since(since), now);
    }
}
