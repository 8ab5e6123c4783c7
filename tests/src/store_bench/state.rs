use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::task::spawn_local;

use super::client::{leave, on_runtime, retain, subscriber};
use super::{StoreBroker, StoreBrokerKind};

/// What a restart with much state takes.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    /// From SIGTERM to the end of the process.
    pub stop: Duration,
    /// From the start of the process to the first connection.
    pub start: Duration,
    /// Memory afterwards.
    pub resident_bytes: u64,
}

/// Sessions that are begun at the same time: they share what they wait for.
const TOGETHER: usize = 200;

/// Makes so much state, ends the broker in order, and starts it again.
///
/// # Errors
/// The broker refuses something, or is gone.
pub fn restart(
    kind: StoreBrokerKind,
    directory: &Path,
    retained: usize,
    sessions: usize,
) -> Result<Restart, String> {
    let (broker, _) = StoreBroker::start(kind, directory)?;
    on_runtime(async {
        retain(broker.address(), retained).await.map_err(|error| error.to_string())?;
        make_sessions(broker.address(), sessions).await
    })?;
    let stop = broker.stop()?;
    let (broker, start) = StoreBroker::start(kind, directory)?;
    Ok(Restart { stop, start, resident_bytes: broker.resident_bytes()? })
}

async fn make_sessions(address: SocketAddr, count: usize) -> Result<(), String> {
    let make = |first: usize| async move {
        for session in (first..count).step_by(TOGETHER) {
            leave(subscriber(address, session).await?).await?;
        }
        Ok::<(), std::io::Error>(())
    };
    let tasks: Vec<_> = (0..TOGETHER).map(|first| spawn_local(make(first))).collect();
    for task in tasks {
        let made = task.await.map_err(|error| error.to_string())?;
        made.map_err(|error| error.to_string())?;
    }
    Ok(())
}
