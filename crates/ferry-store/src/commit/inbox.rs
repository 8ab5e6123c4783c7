use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::commit::load::Load;
use crate::{Batch, Ticket};

/// Batches kept for reuse, at most.
const SPARE_BATCHES_MAX: usize = 64;

/// Bytes that a batch kept for reuse may hold on to.
const SPARE_BYTES_MAX: usize = 256 * 1024;

/// What the commit thread is to do, in order.
pub(crate) enum Job {
    Append { shard: u16, ticket: Ticket, batch: Batch },
    Load(Load),
}

/// Where shards leave jobs for the commit thread.
#[derive(Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    jobs: Vec<Job>,
    /// Bytes of batches that are handed over and not yet written.
    pending_bytes: usize,
    spare: Vec<Batch>,
    waiting: bool,
    closed: bool,
}

impl Inbox {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, job: Job) {
        let mut state = self.state();
        if let Job::Append { batch, .. } = &job {
            state.pending_bytes += batch.bytes();
        }
        state.jobs.push(job);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        if waiting {
            self.filled.notify_one();
        }
    }

    pub(crate) fn pending_bytes(&self) -> usize {
        self.state().pending_bytes
    }

    /// An empty batch, used before if there is one.
    pub(crate) fn spare(&self) -> Batch {
        self.state().spare.pop().unwrap_or_default()
    }

    /// Lets the commit thread end once it has done everything.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.filled.notify_one();
    }

    /// Swaps the jobs that wait for `jobs`, which is empty. Waits for the first one, but no longer than `patience`.
    /// `false` when there is none and there will be no more.
    pub(crate) fn take(&self, jobs: &mut Vec<Job>, patience: Option<Duration>) -> bool {
        let mut state = self.state();
        if state.jobs.is_empty() && !state.closed {
            state.waiting = true;
            let idle = |state: &mut State| state.jobs.is_empty() && !state.closed;
            state = match patience {
                None => self.filled.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let waited = self.filled.wait_timeout_while(state, patience, idle);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.waiting = false;
        }
        std::mem::swap(&mut state.jobs, jobs);
        !jobs.is_empty() || !state.closed
    }

    /// Takes back what was written.
    pub(crate) fn give_back(&self, written: impl Iterator<Item = Batch>) {
        let mut state = self.state();
        for mut batch in written {
            state.pending_bytes -= batch.bytes();
            if state.spare.len() < SPARE_BATCHES_MAX && batch.capacity() <= SPARE_BYTES_MAX {
                batch.clear();
                state.spare.push(batch);
            }
        }
    }
}
