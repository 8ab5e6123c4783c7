use std::io::{self, BufRead, Read};

use tokio::sync::mpsc::{self, Receiver, Sender};

use super::JsonLine;
use crate::payload_format::WrittenFormat;

/// Lines that wait to be published.
const WAITING_MAX: usize = 100;

/// More than the largest message takes in base64.
const LINE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Lines of JSON as they are read, each with what is on it.
///
/// A thread reads them, and waits with the process; the end of the process does not wait for it.
pub(crate) struct JsonLines {
    lines: Receiver<io::Result<NumberedLine>>,
}

/// A line of a file.
#[derive(Debug)]
pub(crate) struct NumberedLine {
    /// From 1.
    pub(crate) number: u64,
    /// Bytes of the file up to the end of this line.
    pub(crate) bytes_read: u64,
    /// It has no end: whoever wrote it was cut off, or is not ready.
    pub(crate) is_torn: bool,
    /// What it says, or what is wrong with it.
    pub(crate) content: Result<JsonLine, String>,
}

impl JsonLines {
    /// Payloads are written in `format`; without one they are themselves.
    pub(crate) fn new(input: impl BufRead + Send + 'static, format: Option<WrittenFormat>) -> Self {
        let (sender, lines) = mpsc::channel(WAITING_MAX);
        std::thread::spawn(move || read_all(input, format, &sender));
        Self { lines }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) async fn next(&mut self) -> io::Result<Option<NumberedLine>> {
        self.lines.recv().await.transpose()
    }
}

fn read_all(
    mut input: impl BufRead,
    format: Option<WrittenFormat>,
    sender: &Sender<io::Result<NumberedLine>>,
) {
    let (mut number, mut bytes_read) = (0, 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        let result = match input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(length) => {
                number += 1;
                bytes_read += length as u64;
                let is_torn = line.pop_if(|byte| *byte == b'\n').is_none();
                let content = if length as u64 == LINE_BYTES_MAX {
                    Err(format!("longer than {LINE_BYTES_MAX} bytes; no message is"))
                } else {
                    JsonLine::parse(&line, format)
                };
                Ok(NumberedLine { number, bytes_read, is_torn, content })
            }
            Err(error) => Err(error),
        };
        let is_end = result.is_err();
        if sender.blocking_send(result).is_err() || is_end {
            return;
        }
    }
}
