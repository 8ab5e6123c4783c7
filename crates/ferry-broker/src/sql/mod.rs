//! Asking a database for the hash of a user's password, and comparing.
//!
//! The database is asked from the thread that asks servers, hashes are computed by the queue of hashes: neither holds up those who
//! serve clients.

#[cfg(feature = "postgresql")]
mod postgresql;
mod query;
mod row;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ferry_auth::{Credentials, DecoyHashes, HashQueue, Judgement, Link, Outcome, Refusal, Verdict};
#[cfg(feature = "postgresql")]
pub(crate) use postgresql::{Postgresql, PostgresqlUrl};
pub(crate) use query::{Dialect, Query};
use row::{Rights, Row};
#[cfg(feature = "sqlite")]
pub(crate) use sqlite::Sqlite;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::answer_cache::AnswerCache;
use crate::config::WhenUnavailable;

/// How a database is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SqlLimits {
    /// For all of it: the wait for a connection too.
    pub(crate) timeout: Duration,
    /// Queries that the database has at a time.
    pub(crate) connections_max: usize,
    /// Queries that wait for a connection.
    pub(crate) waiting_max: usize,
    /// How long it is remembered what an answer has led to; zero for not at all.
    pub(crate) cache_lifetime: Duration,
    /// Answers that are remembered, of those that let in, and again of the others.
    pub(crate) cache_entries_max: usize,
    /// What happens without an answer.
    pub(crate) when_unavailable: WhenUnavailable,
}

/// Where the users are.
pub(crate) enum Database {
    #[cfg(feature = "postgresql")]
    Postgresql(Box<Postgresql>),
    #[cfg(feature = "sqlite")]
    Sqlite(Arc<Sqlite>),
}

/// What a database has said of a client.
#[derive(Debug)]
enum Answer {
    /// There is no row; why, if it is not that nobody is there.
    Nobody(Option<String>),
    One(Row),
    /// There is more than one row, so that nobody knows whose hash counts.
    Several,
}

/// What a database is asked about one client.
struct Question {
    values: Vec<Option<String>>,
    /// Its text for the cache, in which the password is too.
    key: Vec<u8>,
}

/// What an answer has led to.
#[derive(Clone, Debug)]
enum Login {
    Right(Rights),
    /// Why not, for the log.
    Wrong(Box<str>),
    /// The database does not know the user.
    Unknown(Option<Box<str>>),
}

/// Why it is not known who the client is.
enum Fault {
    /// The database has not answered, or not as it must.
    Database(String),
    /// Too many hashes wait.
    Busy,
}

/// Judges user names and passwords by hashes that a database has. A client that offers neither is left to the next judge.
///
/// A user that is not there costs as much time as one that is, and gets the same answer.
pub(crate) struct SqlLink(Arc<Sql>);

struct Sql {
    database: Database,
    query: Arc<Query>,
    runtime: Handle,
    limits: SqlLimits,
    places: Arc<Semaphore>,
    /// Questions that have a place, or wait for one.
    asked: AtomicUsize,
    cache: Mutex<AnswerCache<Login>>,
    queue: Arc<HashQueue>,
    decoys: Arc<DecoyHashes>,
    /// The names of all who judge passwords.
    judges: &'static [&'static str],
    name: &'static str,
}

impl SqlLink {
    /// Asks `database` from `runtime`, compares by `queue`. Users that are not there are left to the others of `judges`, where the
    /// listener asks one of them after this one, which it knows by `name`.
    pub(crate) fn new(
        database: Database,
        query: Query,
        runtime: Handle,
        limits: SqlLimits,
        queue: Arc<HashQueue>,
        (name, judges): (&'static str, &'static [&'static str]),
    ) -> Self {
        Self(Arc::new(Sql {
            database,
            query: Arc::new(query),
            runtime,
            places: Arc::new(Semaphore::new(limits.connections_max)),
            asked: AtomicUsize::new(0),
            cache: Mutex::new(AnswerCache::new(limits.cache_lifetime, limits.cache_entries_max)),
            queue,
            decoys: Arc::new(DecoyHashes::new()),
            limits,
            judges,
            name,
        }))
    }
}

impl Link for SqlLink {
    fn judge(&self, credentials: &Arc<Credentials>) -> Verdict<Judgement> {
        if credentials.user_name.is_none() && credentials.password.is_none() {
            return Verdict::Now(Judgement::Pass);
        }
        let sql = &self.0;
        let question = sql.question(credentials);
        if let Some(login) = sql.cache().get(&question.key, std::time::Instant::now()) {
            return Verdict::Now(sql.judgement(login, credentials));
        }
        let Some(asked) = Asked::begin(sql) else {
            let detail = "too many questions wait for the database (authentication.sql_waiting_max)";
            return Verdict::Now(refuse(Refusal::ServerBusy, detail));
        };
        let (answer, answered) = oneshot::channel();
        let (judging, judged) = (Arc::clone(sql), Arc::clone(credentials));
        sql.runtime.spawn(async move { judging.ask(asked, question, &judged, answer).await });
        let (sql, credentials) = (Arc::clone(sql), Arc::clone(credentials));
        Verdict::Later(Box::pin(async move {
            match answered.await {
                Ok(Ok(login)) => sql.judgement(login, &credentials),
                Ok(Err(Fault::Busy)) => refuse(Refusal::ServerBusy, "too many passwords wait to be checked"),
                Ok(Err(Fault::Database(fault))) => sql.without_answer(&fault),
                Err(_) => sql.without_answer("the broker shuts down"),
            }
        }))
    }
}

impl Sql {
    fn cache(&self) -> MutexGuard<'_, AnswerCache<Login>> {
        // At worst an answer is missing.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn question(&self, credentials: &Credentials) -> Question {
        let values = self.query.values(credentials);
        let mut key = Vec::new();
        let parts = values.iter().map(|value| value.as_deref().map(str::as_bytes));
        let offered = [credentials.user_name.as_deref().map(str::as_bytes), credentials.password.as_deref()];
        for part in parts.chain(offered) {
            // A length before each, so that no part can pass for the next one.
            key.extend(part.map_or(u64::MAX, |part| part.len() as u64).to_le_bytes());
            key.extend_from_slice(part.unwrap_or_default());
        }
        Question { values, key }
    }

    /// Sends what has become of a question. While it waits for its turn, or for a hash, it is dropped when the broker has forgotten the
    /// client; a query goes on, as its connection could not be used for others otherwise.
    async fn ask(
        self: Arc<Self>,
        asked: Asked,
        question: Question,
        credentials: &Arc<Credentials>,
        mut answer: oneshot::Sender<Result<Login, Fault>>,
    ) {
        let deadline = Instant::now() + self.limits.timeout;
        let place = tokio::select! {
            place = timeout_at(deadline, Arc::clone(&self.places).acquire_owned()) => place,
            () = answer.closed() => return,
        };
        let found = match place {
            Ok(Ok(place)) => self.find(question.values, place, deadline).await,
            _ => Err(self.no_answer()),
        };
        // As many places as before, before the next can come by this answer.
        drop(asked);
        let result = match found {
            Err(fault) => Err(Fault::Database(fault)),
            Ok(found) => tokio::select! {
                result = self.compare(found, credentials) => result,
                () = answer.closed() => return,
            },
        };
        if let Ok(login) = &result {
            let lets_in = matches!(login, Login::Right(_));
            self.cache().put(&question.key, login, lets_in, std::time::Instant::now());
        }
        let _ = answer.send(result);
    }

    async fn find(
        &self,
        values: Vec<Option<String>>,
        place: OwnedSemaphorePermit,
        deadline: Instant,
    ) -> Result<Answer, String> {
        let ask = async {
            match &self.database {
                #[cfg(feature = "postgresql")]
                Database::Postgresql(server) => {
                    let _place = place;
                    server.ask(&self.query, &values).await
                }
                #[cfg(feature = "sqlite")]
                Database::Sqlite(file) => {
                    Sqlite::ask(Arc::clone(file), Arc::clone(&self.query), values, place, deadline).await
                }
            }
        };
        timeout_at(deadline, ask).await.unwrap_or_else(|_| Err(self.no_answer()))
    }

    fn no_answer(&self) -> String {
        format!("no answer within {} s", self.limits.timeout.as_secs())
    }

    /// Compares the password with the hash that was found, or with another one that costs as much.
    async fn compare(&self, answer: Answer, credentials: &Arc<Credentials>) -> Result<Login, Fault> {
        if let Answer::Nobody(reason) = &answer
            && self.leaves_unknown(credentials)
        {
            return Ok(Login::Unknown(reason.as_deref().map(Into::into)));
        }
        let (decoys, judged) = (Arc::clone(&self.decoys), Arc::clone(credentials));
        let tells_user_name = self.query.tells_user_name();
        let compared = self
            .queue
            .submit(move || compare(answer, &judged, &decoys, tells_user_name))
            .ok_or(Fault::Busy)?;
        compared.await.map_err(|_| Fault::Busy)?.map_err(Fault::Database)
    }

    fn leaves_unknown(&self, credentials: &Credentials) -> bool {
        let mut asked = credentials.authenticators.iter().map(|asked| &**asked);
        asked.any(|asked| asked == self.name) && asked.any(|asked| self.judges.contains(&asked))
    }

    fn judgement(&self, login: Login, credentials: &Credentials) -> Judgement {
        let wrong = |detail: &str| {
            let detail = format!("{detail} ({})", credentials.shown_user());
            refuse(Refusal::BadUserNameOrPassword, &detail)
        };
        match login {
            Login::Unknown(_) if self.leaves_unknown(credentials) => Judgement::Pass,
            Login::Unknown(reason) => wrong(reason.as_deref().unwrap_or("the database knows no such user")),
            Login::Wrong(detail) => wrong(&detail),
            Login::Right(Rights { user_name, until_unix_seconds, grants }) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                if until_unix_seconds.is_some_and(|until| until <= now) {
                    return refuse(Refusal::NotAuthorized, "what the database allows has expired");
                }
                // Of a name that the database was not told nobody knows whose it is.
                let given = credentials.user_name.clone().filter(|_| self.query.tells_user_name());
                let user_name = user_name.or(given);
                Judgement::Final(Outcome::Accept { user_name, until_unix_seconds, grants })
            }
        }
    }

    fn without_answer(&self, fault: &str) -> Judgement {
        match self.limits.when_unavailable {
            WhenUnavailable::Refuse => {
                refuse(Refusal::ServerUnavailable, &format!("the database cannot be asked: {fault}"))
            }
            WhenUnavailable::Next => {
                tracing::debug!("the database cannot be asked: {fault}; the next judge is asked");
                Judgement::Pass
            }
        }
    }
}

/// Takes the time of one hash, whatever is found. Only who has shown a right password learns of faults in the rest of the row.
fn compare(
    answer: Answer,
    credentials: &Credentials,
    decoys: &DecoyHashes,
    tells_user_name: bool,
) -> Result<Login, String> {
    let user_name = credentials.user_name.as_deref().unwrap_or_default();
    let password = credentials.password.as_deref();
    let row = match answer {
        Answer::One(row) => row,
        Answer::Nobody(_) | Answer::Several => {
            decoys.compare(user_name, password.unwrap_or_default());
            return Ok(match answer {
                Answer::Nobody(reason) => Login::Unknown(reason.map(Into::into)),
                _ => Login::Wrong("the database has more than one row for the user".into()),
            });
        }
    };
    let hash = match row.hash() {
        Ok(hash) => hash,
        Err(fault) => {
            decoys.compare(user_name, password.unwrap_or_default());
            return Ok(Login::Wrong(
                format!("the database has no password hash of the user: {fault}").into(),
            ));
        }
    };
    decoys.learn(&hash);
    // Without a password, what is compared is empty and never right.
    if !hash.verify(password.unwrap_or_default()) | password.is_none() {
        let detail = if password.is_none() { "no password" } else { "wrong password" };
        return Ok(Login::Wrong(detail.into()));
    }
    if !tells_user_name && !row.has_user_name {
        return Err(
            "the query neither is told :user_name nor gives user_name: nobody knows who this is".to_owned()
        );
    }
    row.rights().map(Login::Right)
}

/// One question, until it is dropped.
struct Asked(Arc<Sql>);

impl Asked {
    /// `None` if there are too many.
    fn begin(sql: &Arc<Sql>) -> Option<Self> {
        let questions_max = sql.limits.connections_max + sql.limits.waiting_max;
        let asked = sql.asked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |asked| {
            (asked < questions_max).then_some(asked + 1)
        });
        asked.ok().map(|_| Self(Arc::clone(sql)))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.asked.fetch_sub(1, Ordering::Relaxed);
    }
}

fn refuse(refusal: Refusal, detail: &str) -> Judgement {
    Judgement::Final(Outcome::Refuse { refusal, detail: detail.into() })
}
