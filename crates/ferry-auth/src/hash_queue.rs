use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// Whoever has waited so long has been disconnected, whatever the answer.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// A few threads that compute hashes, so that those who serve clients need not: a hash takes as long as thousands of
/// messages. What waits for them is limited.
///
/// The threads start when they are needed first, and end when this is dropped.
#[derive(Debug)]
pub struct HashQueue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    wanted: Condvar,
}

struct State {
    jobs: VecDeque<(Instant, Job)>,
    jobs_max: usize,
    threads: usize,
    threads_max: usize,
    idle: usize,
    closed: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} of {} jobs, {} threads", self.jobs.len(), self.jobs_max, self.threads)
    }
}

type Job = Box<dyn FnOnce() + Send>;

impl HashQueue {
    /// At most `threads_max` threads, at least one, and at most `jobs_max` hashes that wait for them.
    #[must_use]
    pub fn new(threads_max: usize, jobs_max: usize) -> Self {
        let state = State {
            jobs: VecDeque::new(),
            jobs_max,
            threads: 0,
            threads_max: threads_max.max(1),
            idle: 0,
            closed: false,
        };
        Self(Arc::new(Shared { state: Mutex::new(state), wanted: Condvar::new() }))
    }

    /// Changes how many hashes may wait; those that do go on waiting.
    pub fn set_jobs_max(&self, jobs_max: usize) {
        self.0.state().jobs_max = jobs_max;
    }

    /// Has `job` done. `None` when too many wait already. The answer fails if the job has waited until nobody can want it.
    pub fn submit<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Option<oneshot::Receiver<T>> {
        let (answer, answered) = oneshot::channel();
        let mut state = self.0.state();
        if state.jobs.len() >= state.jobs_max {
            return None;
        }
        if state.idle <= state.jobs.len() && state.threads < state.threads_max {
            let shared = Arc::clone(&self.0);
            let name = format!("ferry-hash-{}", state.threads);
            match thread::Builder::new().name(name).spawn(move || shared.work()) {
                Ok(_) => state.threads += 1,
                Err(_) if state.threads == 0 => return None,
                // The others do it.
                Err(_) => {}
            }
        }
        let job = move || {
            if !answer.is_closed() {
                let _ = answer.send(job());
            }
        };
        state.jobs.push_back((Instant::now(), Box::new(job)));
        drop(state);
        self.0.wanted.notify_one();
        Some(answered)
    }
}

impl Drop for HashQueue {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.closed = true;
        state.jobs.clear();
        drop(state);
        self.0.wanted.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // No job runs while it is locked, so nothing is half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.state();
        loop {
            if state.closed {
                return;
            }
            let Some((since, job)) = state.jobs.pop_front() else {
                state.idle += 1;
                state = self.wanted.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            drop(state);
            if since.elapsed() < WAIT_MAX {
                job();
            }
            state = self.state();
        }
    }
}
