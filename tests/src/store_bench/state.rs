use std::path::Path;
use std::time::Duration;

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
        for session in 0..sessions {
            let stream = subscriber(broker.address(), session).await.map_err(|error| error.to_string())?;
            leave(stream).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    })?;
    let stop = broker.stop()?;
    let (broker, start) = StoreBroker::start(kind, directory)?;
    Ok(Restart { stop, start, resident_bytes: broker.resident_bytes()? })
}
