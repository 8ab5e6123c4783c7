use std::io;
use std::thread::{self, JoinHandle};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// The thread from which servers are asked. Dropping it ends all that is asked, and the thread.
#[derive(Debug)]
pub(crate) struct HttpThread {
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HttpThread {
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name("ferry-http".to_owned()).spawn(move || {
            // Dropping the sender is the message.
            let _ = runtime.block_on(stopped);
            // A name that is looked up in vain must not delay the end of the broker.
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, stop: Some(stop), thread: Some(thread) })
    }

    /// By which things can be done on the thread as long as it is there; later they are dropped.
    pub(crate) fn handle(&self) -> Handle {
        self.runtime.clone()
    }
}

impl Drop for HttpThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that asks HTTP servers has failed");
        }
    }
}
