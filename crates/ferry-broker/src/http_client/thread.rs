use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;

/// The thread from which servers are asked. Dropping it ends all that is asked, and the thread.
#[derive(Debug)]
pub(crate) struct HttpThread {
    runtime: Handle,
    /// Until the thread has it.
    waiting: Mutex<Option<Runtime>>,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl HttpThread {
    /// A thread that has not begun yet.
    ///
    /// # Errors
    /// The system has nothing to give.
    pub(crate) fn new() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        Ok(Self { runtime: handle, waiting: Mutex::new(Some(runtime)), running: Mutex::default() })
    }

    /// Begins to do what was asked for and what will be. It is not done when the thread is made because the process may
    /// become another user in between, which threads that are there already do not wholly follow.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn begin(&self) -> io::Result<()> {
        // Neither is left half done.
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(runtime) = waiting.take() else { return Ok(()) };
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name("ferry-http".to_owned()).spawn(move || {
            // Dropping the sender is the message.
            let _ = runtime.block_on(stopped);
            // A name that is looked up in vain must not delay the end of the broker.
            runtime.shutdown_background();
        })?;
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(Running { stop, thread });
        Ok(())
    }

    /// By which things can be done on the thread as long as it is there; later they are dropped.
    pub(crate) fn handle(&self) -> Handle {
        self.runtime.clone()
    }
}

impl Drop for HttpThread {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { stop, thread }) = running else { return };
        drop(stop);
        if thread.join().is_err() {
            tracing::error!("the thread that asks HTTP servers has failed");
        }
    }
}
