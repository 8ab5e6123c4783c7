//! Asking an HTTP server who a client is.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ferry_auth::{Credentials, HookAnswer, Judgement, Link, Outcome, Refusal, Verdict, hook_question};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use crate::answer_cache::AnswerCache;
use crate::config::WhenUnavailable;
use crate::http_client::HttpClient;

/// Bytes of an answer: far more than it needs.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How a hook is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HookLimits {
    /// For all of it: the wait for a place too.
    pub(crate) timeout: Duration,
    /// Questions that the server has at a time.
    pub(crate) requests_max: usize,
    /// Questions that wait for a place.
    pub(crate) waiting_max: usize,
    /// How long an answer is remembered; zero for not at all.
    pub(crate) cache_lifetime: Duration,
    /// Answers that are remembered, of those that let in, and again of the others.
    pub(crate) cache_entries_max: usize,
    /// What happens without an answer.
    pub(crate) when_unavailable: WhenUnavailable,
}

/// Judges clients by what an HTTP server answers.
pub(crate) struct HookLink(Arc<Hook>);

struct Hook {
    client: HttpClient,
    runtime: Handle,
    limits: HookLimits,
    places: Semaphore,
    /// Questions that have a place, or wait for one.
    asked: AtomicUsize,
    cache: Mutex<AnswerCache<HookAnswer>>,
}

/// Why the hook has said nothing.
struct Silence(String);

impl HookLink {
    /// Asks by `client` on `runtime`.
    pub(crate) fn new(client: HttpClient, runtime: Handle, limits: HookLimits) -> Self {
        Self(Arc::new(Hook {
            client,
            runtime,
            places: Semaphore::new(limits.requests_max),
            asked: AtomicUsize::new(0),
            cache: Mutex::new(AnswerCache::new(limits.cache_lifetime, limits.cache_entries_max)),
            limits,
        }))
    }
}

impl Link for HookLink {
    fn judge(&self, credentials: &Arc<Credentials>) -> Verdict<Judgement> {
        let hook = &self.0;
        let question = hook_question(credentials);
        if let Some(answer) = hook.cache().get(question.as_bytes(), Instant::now()) {
            return Verdict::Now(judgement(answer, credentials));
        }
        let Some(asked) = Asked::begin(hook) else {
            let detail = "too many questions wait for the hook (authentication.hook_waiting_max)";
            return Verdict::Now(refuse(Refusal::ServerBusy, detail));
        };
        let (answer, answered) = oneshot::channel();
        let mut answer = answer;
        hook.runtime.spawn(async move {
            let result = tokio::select! {
                result = asked.0.ask(question) => result,
                // The broker has forgotten the client.
                () = answer.closed() => return,
            };
            // As many places as before, before the next can come by this answer.
            drop(asked);
            let _ = answer.send(result);
        });
        let (hook, credentials) = (Arc::clone(hook), Arc::clone(credentials));
        Verdict::Later(Box::pin(async move {
            let ended = |_| Err(Silence("the broker shuts down".to_owned()));
            match answered.await.unwrap_or_else(ended) {
                Ok(answer) => judgement(answer, &credentials),
                Err(silence) => hook.without_answer(&silence),
            }
        }))
    }
}

impl Hook {
    fn cache(&self) -> MutexGuard<'_, AnswerCache<HookAnswer>> {
        // At worst an answer is missing.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, question: String) -> Result<HookAnswer, Silence> {
        let ask = async {
            let _place = self.places.acquire().await;
            let answer = self.client.post_json(question.clone()).await.map_err(Silence::new)?;
            HookAnswer::parse(&answer.body).map_err(Silence::new)
        };
        let answer = tokio::time::timeout(self.limits.timeout, ask).await;
        let seconds = self.limits.timeout.as_secs();
        let answer = answer.map_err(|_| Silence(format!("no answer within {seconds} s")))??;
        let lets_in = matches!(answer, HookAnswer::Allow { .. });
        self.cache().put(question.as_bytes(), &answer, lets_in, Instant::now());
        Ok(answer)
    }

    fn without_answer(&self, silence: &Silence) -> Judgement {
        match self.limits.when_unavailable {
            WhenUnavailable::Refuse => {
                refuse(Refusal::ServerUnavailable, &format!("the hook cannot be asked: {}", silence.0))
            }
            WhenUnavailable::Next => {
                tracing::debug!("the hook cannot be asked: {}; the next judge is asked", silence.0);
                Judgement::Pass
            }
        }
    }
}

impl Silence {
    fn new(error: impl fmt::Display) -> Self {
        Self(format!("{error}"))
    }
}

/// One question, until it is dropped.
struct Asked(Arc<Hook>);

impl Asked {
    /// `None` if there are too many.
    fn begin(hook: &Arc<Hook>) -> Option<Self> {
        let questions_max = hook.limits.requests_max + hook.limits.waiting_max;
        let asked = hook.asked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |asked| {
            (asked < questions_max).then_some(asked + 1)
        });
        asked.ok().map(|_| Self(Arc::clone(hook)))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.asked.fetch_sub(1, Ordering::Relaxed);
    }
}

fn judgement(answer: HookAnswer, credentials: &Credentials) -> Judgement {
    match answer {
        HookAnswer::Ignore => Judgement::Pass,
        HookAnswer::Deny { reason } => {
            let reason = reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
            refuse(Refusal::NotAuthorized, &format!("the hook denies it{reason}"))
        }
        HookAnswer::Allow { user_name, until_unix_seconds, grants } => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            if until_unix_seconds.is_some_and(|until| until <= now) {
                return refuse(Refusal::NotAuthorized, "what the hook allows has expired");
            }
            let user_name = user_name.or_else(|| credentials.user_name.clone());
            Judgement::Final(Outcome::Accept { user_name, until_unix_seconds, grants })
        }
    }
}

fn refuse(refusal: Refusal, detail: &str) -> Judgement {
    Judgement::Final(Outcome::Refuse { refusal, detail: detail.into() })
}
