use std::io::{self, ErrorKind, Write};

use ferry_client::{Message, Properties};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::sync::oneshot;

use super::FormArguments;
use crate::client::Ending;
use crate::message_format::MessageFormat;

/// Prints messages to standard output.
pub(crate) struct Printer {
    format: MessageFormat,
    line_end: bool,
    quiet: bool,
    waiting: Vec<u8>,
    is_closed: bool,
}

/// Bytes that may wait to be written together.
const WAITING_MAX: usize = 64 * 1024;

impl Printer {
    pub(crate) fn new(form: &FormArguments, quiet: bool) -> Self {
        let format = form.message_format();
        Self { format, line_end: !form.no_line_end, quiet, waiting: Vec::new(), is_closed: false }
    }

    /// Prints a message, at the latest with the next [`flush`](Self::flush).
    pub(crate) fn print(&mut self, mut message: Message) -> Result<(), Ending> {
        hide_subscription_identifiers(&mut message);
        if let Err(error) = self.format.append(&message, self.line_end, &mut self.waiting)
            && !self.quiet
        {
            eprintln!("error: {error}");
        }
        if self.waiting.len() >= WAITING_MAX { self.flush() } else { Ok(()) }
    }

    /// Writes what waits.
    pub(crate) fn flush(&mut self) -> Result<(), Ending> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(&self.waiting).and_then(|()| stdout.flush());
        self.waiting.clear();
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            Err(error) => Err(Ending::failed(format!("writing: {error}"))),
        }
    }

    /// Whoever read the output has seen enough.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }
}

/// Waits until nobody reads standard output any more, also if there is nothing to print.
pub(crate) async fn output_closed() {
    let (closed, is_closed) = oneshot::channel();
    // It waits without waking; the end of the process does not wait for it.
    std::thread::spawn(move || {
        let stdout = io::stdout();
        // Nothing is asked for but what is always told: that the other end is gone.
        let mut wanted = [PollFd::new(&stdout, PollFlags::empty())];
        loop {
            match poll(&mut wanted, None) {
                Ok(_) => {
                    let _unwanted = closed.send(());
                    return;
                }
                Err(Errno::INTR) => {}
                Err(_) => std::thread::park(),
            }
        }
    });
    // The thread does not end before it has told.
    let _told = is_closed.await;
}

/// They are the client's own, by which it finds the streams of messages.
fn hide_subscription_identifiers(message: &mut Message) {
    if let Some(properties) = &mut message.properties {
        properties.subscription_identifiers.clear();
        if **properties == Properties::default() {
            message.properties = None;
        }
    }
}
