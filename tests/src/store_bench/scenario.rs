use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{sleep, timeout};

use super::client::{Seen, leave, log_in, on_runtime, publisher, receive, subscriber, until};
use super::packets::{PAYLOAD_BYTES, topic};
use super::{StoreBroker, StoreBrokerKind};

/// Before measuring.
const WARM_UP: Duration = Duration::from_millis(500);

/// How long all clients may take to connect and to subscribe.
const BEGIN_MAX: Duration = Duration::from_secs(60);

/// How long a queue may take to be emptied.
const PATIENCE: Duration = Duration::from_secs(600);

/// Sessions that want messages, each one its own topic.
const SESSIONS: usize = 100;

/// Whether the sessions have a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// None has: all is queued.
    Offline,
    /// All have, and acknowledge at once.
    Online,
}

/// What a run of publishers came to.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
    /// Messages acknowledged.
    pub per_second: f64,
    /// Half of the acknowledgements came in this time.
    pub median: Duration,
    /// 99 of 100 came in this time.
    pub slowest_percent: Duration,
    /// Bytes that the broker wrote for each byte of payload.
    pub written_per_payload: f64,
}

/// What it costs to have messages waiting.
#[derive(Clone, Copy, Debug)]
pub struct Queued {
    /// Memory of the broker, with all of them.
    pub resident_bytes: u64,
    /// Messages taken in per second.
    pub per_second: f64,
}

/// How queues are emptied.
#[derive(Clone, Copy, Debug)]
pub struct Drained {
    /// Messages.
    pub messages: u64,
    /// Messages per second, from the first connection on.
    pub per_second: f64,
}

/// Publishers with so many messages on their way each, for this long, on a new data directory.
///
/// # Errors
/// The broker refuses something, or is gone.
pub fn acknowledged(
    kind: StoreBrokerKind,
    directory: &Path,
    audience: Audience,
    publishers: usize,
    window: usize,
    duration: Duration,
) -> Result<Acknowledged, String> {
    let (broker, _) = StoreBroker::start(kind, directory)?;
    on_runtime(async {
        let seen = Rc::new(Seen::default());
        let address = broker.address();
        let begin = async {
            let sessions = start_sessions(address, SESSIONS.min(publishers)).await?;
            if audience == Audience::Online {
                receive_all(sessions, &seen);
            } else {
                leave_all(sessions).await?;
            }
            publish_all(address, publishers, window, u64::MAX, &seen).await
        };
        let begun = timeout(BEGIN_MAX, begin).await;
        let tasks =
            begun.map_err(|_| format!("has not even let all connect in {} s", BEGIN_MAX.as_secs()))??;
        sleep(WARM_UP).await;
        seen.is_measuring.set(true);
        let before = (Instant::now(), seen.acknowledged.get(), broker.written_bytes()?);
        sleep(duration).await;
        let messages = seen.acknowledged.get() - before.1;
        let elapsed = before.0.elapsed();
        let written_bytes = broker.written_bytes()? - before.2;
        seen.is_over.set(true);
        for task in tasks {
            task.abort();
        }
        let mut latencies = seen.latencies.take();
        latencies.sort_unstable();
        let at = |share: f64| {
            let index = (latencies.len() as f64 * share) as usize;
            latencies.get(index).map_or(Duration::ZERO, |latency| Duration::from_micros(u64::from(*latency)))
        };
        Ok(Acknowledged {
            per_second: messages as f64 / elapsed.as_secs_f64(),
            median: at(0.5),
            slowest_percent: at(0.99),
            written_per_payload: written_bytes as f64 / (messages.max(1) * PAYLOAD_BYTES as u64) as f64,
        })
    })
}

/// So many messages for sessions that are offline; the broker is left running.
///
/// # Errors
/// The broker refuses something, or is gone.
pub fn queued(broker: &StoreBroker, messages: u64) -> Result<Queued, String> {
    on_runtime(async {
        let seen = Rc::new(Seen::default());
        leave_all(start_sessions(broker.address(), SESSIONS).await?).await?;
        let begun = Instant::now();
        let each = messages / SESSIONS as u64;
        for task in publish_all(broker.address(), SESSIONS, 50, each, &seen).await? {
            task.await.map_err(|error| error.to_string())?;
        }
        let per_second = seen.acknowledged.get() as f64 / begun.elapsed().as_secs_f64();
        Ok(Queued { resident_bytes: broker.resident_bytes()?, per_second })
    })
}

/// All sessions of [`queued`] come back and take what waits for them.
///
/// # Errors
/// Not everything comes.
pub fn drained(broker: &StoreBroker, messages: u64) -> Result<Drained, String> {
    on_runtime(async {
        let seen = Rc::new(Seen::default());
        let begun = Instant::now();
        for session in 0..SESSIONS {
            let stream = log_in(broker.address(), &format!("session-{session:06}"), false).await;
            receive_all(vec![(session, stream.map_err(|error| error.to_string())?)], &seen);
        }
        until(|| seen.delivered.get() >= messages, PATIENCE).await?;
        Ok(Drained { messages, per_second: messages as f64 / begun.elapsed().as_secs_f64() })
    })
}

async fn start_sessions(address: SocketAddr, count: usize) -> Result<Vec<(usize, TcpStream)>, String> {
    let mut sessions = Vec::new();
    for session in 0..count {
        let stream = subscriber(address, session).await.map_err(|error| error.to_string())?;
        sessions.push((session, stream));
    }
    Ok(sessions)
}

fn receive_all(sessions: Vec<(usize, TcpStream)>, seen: &Rc<Seen>) {
    for (session, stream) in sessions {
        let seen = Rc::clone(seen);
        spawn_local(async move { receive(stream, &topic(session), &seen).await });
    }
}

async fn leave_all(sessions: Vec<(usize, TcpStream)>) -> Result<(), String> {
    for (_, stream) in sessions {
        leave(stream).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

async fn publish_all(
    address: SocketAddr,
    publishers: usize,
    window: usize,
    count: u64,
    seen: &Rc<Seen>,
) -> Result<Vec<JoinHandle<()>>, String> {
    let mut tasks = Vec::new();
    for number in 0..publishers {
        let stream = log_in(address, &format!("publisher-{number:06}"), true).await;
        let stream = stream.map_err(|error| error.to_string())?;
        let seen = Rc::clone(seen);
        tasks.push(spawn_local(async move {
            let topic = topic(number % SESSIONS.min(publishers));
            if let Err(error) = publisher(stream, &topic, window, count, &seen).await {
                eprintln!("a publisher: {error}");
            }
        }));
    }
    Ok(tasks)
}
