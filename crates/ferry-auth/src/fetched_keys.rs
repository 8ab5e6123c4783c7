use std::fmt;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use crate::JwtKeys;

/// Whoever waits for keys waits no longer.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Keys of tokens that somebody else fetches, again and again: the cell between him and those who check tokens.
pub struct FetchedKeys {
    state: watch::Sender<State>,
    wanted: Notify,
    cooldown: Duration,
}

#[derive(Default)]
struct State {
    keys: Option<JwtKeys>,
    /// Why the last fetch brought none.
    fault: Option<Box<str>>,
    /// How many have ended, and when the last one did.
    fetches: u64,
    ended: Option<Instant>,
}

impl fmt::Debug for FetchedKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "FetchedKeys({:?})", self.state.borrow().keys)
    }
}

impl FetchedKeys {
    /// Begins with these keys, if any are known. Those who check tokens can have them fetched again when `cooldown` has
    /// passed since the last time.
    #[must_use]
    pub fn new(keys: Option<JwtKeys>, cooldown: Duration) -> Self {
        let state = State { keys, ..State::default() };
        Self { state: watch::Sender::new(state), wanted: Notify::new(), cooldown }
    }

    /// The keys, if there are any.
    #[must_use]
    pub fn keys(&self) -> Option<JwtKeys> {
        self.state.borrow().keys.clone()
    }

    /// A fetch has brought these.
    pub fn put(&self, keys: JwtKeys) {
        self.ended(|state| {
            state.keys = Some(keys);
            state.fault = None;
        });
    }

    /// A fetch has failed; the keys stay if `keep` says so.
    pub fn failed(&self, fault: &str, keep: bool) {
        self.ended(|state| {
            state.fault = Some(fault.into());
            if !keep {
                state.keys = None;
            }
        });
    }

    /// Waits until somebody wants the keys to be fetched again, and they may be.
    pub async fn wanted(&self) {
        loop {
            self.wanted.notified().await;
            if self.is_due() {
                return;
            }
        }
    }

    /// Has the keys fetched, unless they were just now, and waits for the end of it.
    pub(crate) async fn refresh(&self) {
        let mut changes = self.state.subscribe();
        if !self.is_due() {
            return;
        }
        let before = changes.borrow_and_update().fetches;
        self.wanted.notify_one();
        // Who waits in vain goes on with what there is.
        let _ = tokio::time::timeout(WAIT_MAX, changes.wait_for(|state| state.fetches > before)).await;
    }

    /// Why there are no keys.
    pub(crate) fn fault(&self) -> Box<str> {
        let fault = self.state.borrow().fault.clone();
        fault.unwrap_or_else(|| "they have not come yet".into())
    }

    fn is_due(&self) -> bool {
        self.state.borrow().ended.is_none_or(|ended| ended.elapsed() >= self.cooldown)
    }

    fn ended(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(|state| {
            change(state);
            state.fetches += 1;
            state.ended = Some(Instant::now());
        });
    }
}
