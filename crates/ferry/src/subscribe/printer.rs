use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;

use ferry_client::{Message, Properties};
use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::sync::oneshot;

use super::FormArguments;
use super::message_files::MessageFiles;
use crate::client::Ending;
use crate::json_line::append_message;
use crate::message_format::MessageFormat;
use crate::output;
use crate::payload_format::PayloadReader;

/// Prints messages to standard output.
pub(crate) struct Printer {
    output: Output,
    payloads: Option<PayloadReader>,
    quiet: bool,
    waiting: Vec<u8>,
    is_closed: bool,
}

/// What becomes of a message.
enum Output {
    Text { format: MessageFormat, line_end: bool },
    JsonLines,
    Files(MessageFiles),
}

/// Bytes that may wait to be written together.
const WAITING_MAX: usize = 64 * 1024;

impl Printer {
    pub(crate) fn new(form: &FormArguments, quiet: bool) -> Self {
        let output = if let Some(directory) = &form.save {
            Output::Files(MessageFiles::new(directory))
        } else if form.json_lines {
            Output::JsonLines
        } else {
            Output::Text { format: form.message_format(), line_end: !form.no_line_end }
        };
        let payloads = form.payload_format.map(|format| PayloadReader::new(format, form.pretty));
        Self { output, payloads, quiet, waiting: Vec::new(), is_closed: false }
    }

    /// Prints a message, at the latest with the next [`flush`](Self::flush). What cannot be printed as it should is told.
    pub(crate) fn print(&mut self, mut message: Message) -> Result<(), Ending> {
        hide_subscription_identifiers(&mut message);
        if let Err(error) = self.append(message)
            && !self.quiet
        {
            output::note(format_args!("error: {error}"));
        }
        if self.waiting.len() >= WAITING_MAX { self.flush() } else { Ok(()) }
    }

    fn append(&mut self, mut message: Message) -> Result<(), String> {
        if let Some(payloads) = &mut self.payloads
            && !message.payload.is_empty()
        {
            message.payload = payloads.readable(&message.topic, &message.payload)?.into_bytes();
        }
        match &mut self.output {
            Output::Text { format, line_end } => format.append(&message, *line_end, &mut self.waiting),
            Output::JsonLines => {
                append_message(&message, Timestamp::now(), &mut self.waiting);
                Ok(())
            }
            Output::Files(files) => {
                let path = files
                    .save(&message, Timestamp::now())
                    .map_err(|error| format!("{}: the payload cannot be saved: {error}", message.topic))?;
                self.waiting.extend_from_slice(path.as_os_str().as_bytes());
                self.waiting.push(b'\n');
                Ok(())
            }
        }
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
