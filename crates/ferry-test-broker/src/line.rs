//! The broker's end of a connection through memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ferry_core::ConnId;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Notify;

use crate::engine::{Engine, Work};

/// Bytes that are on their way in each direction at most.
pub(crate) const LINE_BYTES_MAX: usize = 64 * 1024;

pub(crate) fn lock(engine: &Mutex<Engine>) -> MutexGuard<'_, Engine> {
    engine.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads and writes until the connection is over, whoever ends it.
pub(crate) async fn serve(
    engine: Arc<Mutex<Engine>>,
    id: ConnId,
    wake: Arc<Notify>,
    mut stream: DuplexStream,
) {
    let mut buffer = vec![0; 4096];
    loop {
        let work = lock(&engine).work(id);
        match work {
            Work::Close => break,
            Work::Wait => wake.notified().await,
            Work::Write(bytes) => {
                if !write(&engine, id, &wake, &mut stream, &bytes).await {
                    break;
                }
                lock(&engine).written(id);
            }
            Work::Read => tokio::select! {
                () = wake.notified() => {}
                read = stream.read(&mut buffer) => match read {
                    Ok(length @ 1..) => lock(&engine).receive(id, &buffer[..length]),
                    Ok(0) | Err(_) => break,
                },
            },
        }
    }
    lock(&engine).closed(id);
}

/// False if the connection is over before everything is written.
async fn write(
    engine: &Mutex<Engine>,
    id: ConnId,
    wake: &Notify,
    stream: &mut DuplexStream,
    bytes: &[u8],
) -> bool {
    let mut written = 0;
    while written < bytes.len() {
        tokio::select! {
            result = stream.write(&bytes[written..]) => match result {
                Ok(length) => written += length,
                Err(_) => return false,
            },
            // A client that does not read can be cut off too.
            () = wake.notified() => if !lock(engine).is_open(id) {
                return false;
            },
        }
    }
    true
}
