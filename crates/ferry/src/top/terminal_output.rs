use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::Notify;

/// What is drawn, on its way to the terminal. A thread writes it, which takes as long as the terminal likes: one that nobody
/// reads stops the thread, and nothing else. The end of the process does not wait for it.
#[derive(Clone)]
pub(super) struct TerminalOutput(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// There are bytes to write.
    given: Condvar,
    /// All of them are written, or they cannot be.
    written: Notify,
}

#[derive(Default)]
struct State {
    /// As much as one drawing gives: the next one is not begun before these are written.
    bytes: Vec<u8>,
    is_writing: bool,
    error: Option<io::Error>,
}

impl TerminalOutput {
    /// To the terminal that is standard output.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn start() -> io::Result<Self> {
        // Not through the standard library's own, which would be locked while the terminal takes nothing.
        let terminal = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let shared = Shared { state: Mutex::default(), given: Condvar::new(), written: Notify::const_new() };
        let output = Self(Arc::new(shared));
        let of_thread = output.clone();
        thread::Builder::new().name("terminal".to_owned()).spawn(move || of_thread.write_to(terminal))?;
        Ok(output)
    }

    /// Waits until all that was given is written.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) async fn written(&self) -> io::Result<()> {
        loop {
            let written = self.0.written.notified();
            tokio::pin!(written);
            written.as_mut().enable();
            {
                let mut state = self.lock();
                if let Some(error) = state.error.take() {
                    return Err(error);
                }
                if state.bytes.is_empty() && !state.is_writing {
                    return Ok(());
                }
            }
            written.await;
        }
    }

    fn write_to(&self, mut terminal: impl Write) {
        loop {
            let mut state = self.lock();
            while state.bytes.is_empty() {
                state = self.0.given.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let bytes = std::mem::take(&mut state.bytes);
            state.is_writing = true;
            drop(state);
            let written = terminal.write_all(&bytes);
            let mut state = self.lock();
            state.is_writing = false;
            state.error = written.err();
            if state.bytes.is_empty() || state.error.is_some() {
                state.bytes.clear();
                self.0.written.notify_waiters();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for TerminalOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.given.notify_one();
        Ok(())
    }
}
