use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ferry_core::{Shared, home_shard};
use ferry_net::{TlsExpiry, TlsExpiryKind};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::problem::Problem;
use super::tokens::Tokens;
use crate::accept::Accepting;
use crate::access::Access;
use crate::config::{Changes, Config, Origins, Problems};
use crate::driver::{Clock, Command, Driver, Mailbox};
use crate::listeners::ListenerFigures;
use crate::opentelemetry::SpanQueue;
use crate::storage::Storage;

/// How long a shard may take to answer. It does in its next turn, so this is long for one that is well.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// What the API works with.
pub(crate) struct AdminState {
    pub(super) clock: Clock,
    pub(super) mailboxes: Arc<[Mailbox]>,
    pub(super) shared: Arc<Shared>,
    pub(super) accepting: Arc<Accepting>,
    pub(crate) access: Arc<Access>,
    /// `None`: everything is in memory.
    pub(super) storage: Option<Arc<Storage>>,
    in_force: RwLock<Arc<InForce>>,
    is_stopping: AtomicBool,
    /// Whoever can read the configuration again; `None` if the program keeps that to itself.
    reloader: Mutex<Option<mpsc::Sender<ReloadRequest>>>,
    /// Whatever sets the levels of the log; `None` if the program keeps that to itself.
    log_levels: Mutex<Option<LogLevels>>,
    /// Requests answered, by the first digit of the status.
    answered: [AtomicU64; 6],
    /// Connections closed because there were too many.
    pub(super) refused: AtomicU64,
}

/// Somebody wants the configuration to be read again, and to know what came of it.
pub(crate) type ReloadRequest = oneshot::Sender<Result<Changes, Problems>>;

/// Sets the levels of the log, such as `info,ferry_broker::driver=debug`; the error says what is wrong with them.
pub type LogLevels = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// The configuration in force, and what was made of it.
pub(crate) struct InForce {
    pub(crate) config: Config,
    pub(crate) tokens: Tokens,
    /// Where each option was set.
    pub(crate) origins: Origins,
    pub(crate) listeners: Vec<ListenerFigures>,
    /// When the certificates that were loaded end.
    pub(crate) expiries: Vec<TlsExpiry>,
    /// What became of messages, on its way to a collector.
    pub(crate) spans: Arc<SpanQueue>,
}

impl InForce {
    /// Names of files with certificates or lists of these kinds, and when the first thing in them ends, in seconds since 1970.
    /// Where they are is nobody's business; of two files with the same name the one that ends first counts.
    pub(super) fn file_ends(&self, is_asked: fn(TlsExpiryKind) -> bool) -> Vec<(String, i64)> {
        let mut ends: Vec<(String, i64)> = Vec::new();
        for expiry in self.expiries.iter().filter(|expiry| is_asked(expiry.kind)) {
            let path: &Path = &expiry.file;
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            match ends.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = expiry.ends_seconds.min(*known),
                None => ends.push((name, expiry.ends_seconds)),
            }
        }
        ends
    }
}

impl AdminState {
    pub(crate) fn new(
        clock: Clock,
        mailboxes: Arc<[Mailbox]>,
        shared: Arc<Shared>,
        accepting: Arc<Accepting>,
        access: Arc<Access>,
        storage: Option<Arc<Storage>>,
        in_force: InForce,
    ) -> Self {
        Self {
            clock,
            mailboxes,
            shared,
            accepting,
            access,
            storage,
            in_force: RwLock::new(Arc::new(in_force)),
            is_stopping: AtomicBool::new(false),
            reloader: Mutex::new(None),
            log_levels: Mutex::new(None),
            answered: Default::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// What asks for a reload goes to the receiver from now on.
    pub(crate) fn reload_requests(&self) -> mpsc::Receiver<ReloadRequest> {
        let (sender, receiver) = mpsc::channel(1);
        *self.reloader.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// Has the configuration read again; `None` if nobody can.
    pub(super) async fn reload(&self) -> Option<Result<Changes, Problems>> {
        let sender = self.reloader.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let (answer, answered) = oneshot::channel();
        sender.send(answer).await.ok()?;
        answered.await.ok()
    }

    /// Who sets the levels of the log from now on.
    pub(crate) fn set_log(&self, levels: LogLevels) {
        *self.log_levels.lock().unwrap_or_else(PoisonError::into_inner) = Some(levels);
    }

    /// Sets the levels of the log; `None` if nobody can.
    pub(super) fn set_log_levels(&self, levels: &str) -> Option<Result<(), String>> {
        let set = self.log_levels.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(set(levels))
    }

    pub(crate) fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A reload is done.
    pub(crate) fn set_in_force(&self, in_force: InForce) {
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(in_force);
    }

    /// The shutdown has begun: nobody is to be sent here any more.
    pub(crate) fn set_stopping(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    pub(super) fn count_answer(&self, status: u16) {
        if let Some(count) = self.answered.get(usize::from(status / 100)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// First digit of the status, and how many requests had it.
    pub(super) fn answered(&self) -> impl Iterator<Item = (usize, u64)> {
        self.answered.iter().map(|count| count.load(Ordering::Relaxed)).enumerate().skip(1)
    }

    /// What `act` does, or finds, on a shard. It runs within a turn, so it must be short.
    ///
    /// # Errors
    /// The shard does not answer in time.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        shard: usize,
        act: impl FnOnce(&Driver) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        wait(self.send(shard, act), Instant::now() + ANSWER_MAX).await
    }

    /// As [`Self::ask`], of the shard where a client lives.
    ///
    /// # Errors
    /// The shard does not answer in time.
    pub(super) async fn ask_home<T: Send + 'static>(
        &self,
        client_id: &str,
        act: impl FnOnce(&Driver) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        // As many mailboxes as there are shards.
        let home = home_shard(client_id, self.mailboxes.len() as u16);
        self.ask(usize::from(home.0), act).await
    }

    /// As [`Self::ask`], of all shards at the same time; the answers are in their order.
    ///
    /// # Errors
    /// One does not answer in time.
    pub(super) async fn ask_all<T: Send + 'static>(
        &self,
        act: impl Fn(&Driver) -> T + Clone + Send + 'static,
    ) -> Result<Vec<T>, Problem> {
        let asked: Vec<_> = (0..self.mailboxes.len()).map(|shard| self.send(shard, act.clone())).collect();
        let deadline = Instant::now() + ANSWER_MAX;
        let mut answers = Vec::with_capacity(asked.len());
        for answer in asked {
            answers.push(wait(answer, deadline).await?);
        }
        Ok(answers)
    }

    /// Waits until every shard has done what it was told before: whoever is answered can count on it. One that is slow just now
    /// will take its mail in order.
    pub(super) async fn await_shards(&self) {
        let _ = self.ask_all(|_| ()).await;
    }

    /// Whether every shard takes turns.
    pub(crate) async fn all_shards_answer(&self) -> bool {
        self.ask_all(|_| ()).await.is_ok()
    }

    fn send<T: Send + 'static>(
        &self,
        shard: usize,
        act: impl FnOnce(&Driver) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (answer, answered) = oneshot::channel();
        self.mailboxes[shard].command(Command::Ask(Box::new(move |driver| {
            // Whoever asked may have gone; then nobody wants it done either.
            if !answer.is_closed() {
                let _ = answer.send(act(driver));
            }
        })));
        answered
    }
}

async fn wait<T>(answer: oneshot::Receiver<T>, deadline: Instant) -> Result<T, Problem> {
    match timeout_at(deadline, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        _ => Err(Problem::no_answer()),
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::pin::pin;
    use std::sync::mpsc;

    use super::*;
    use crate::Broker;
    use crate::config::Durability;

    #[test]
    fn a_shard_that_takes_no_turns_is_noticed() {
        let mut config = Config::default();
        for listener in &mut config.listeners {
            listener.address = "tcp://127.0.0.1:0".parse().expect("an address");
        }
        config.listeners.truncate(1);
        config.storage.durability = Durability::Memory;
        let broker = Broker::builder(config).start().expect("it starts");
        let state = &broker.admin_state;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            assert!(state.all_shards_answer().await);
            let (go_on, gate) = mpsc::channel::<()>();
            let mut stuck = pin!(state.ask(0, move |_| gate.recv().is_err()));
            tokio::select! {
                biased;
                _ = &mut stuck => panic!("it waits"),
                () = ready(()) => {}
            }
            assert!(!state.all_shards_answer().await);
            drop(go_on);
            assert!(stuck.await.is_err() || state.all_shards_answer().await);
            assert!(state.all_shards_answer().await);
        });
    }
}
