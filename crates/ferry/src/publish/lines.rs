use std::io::{self, BufRead};

use tokio::sync::mpsc::{self, Receiver};

/// Lines that wait to be published.
const WAITING_MAX: usize = 100;

/// The lines of standard input as they come, without their ends.
///
/// A thread reads them, and waits with the process; the end of the process does not wait for it.
pub(super) fn of_standard_input() -> Receiver<io::Result<Vec<u8>>> {
    let (sender, lines) = mpsc::channel(WAITING_MAX);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = Vec::new();
            let result = match input.read_until(b'\n', &mut line) {
                Ok(0) => return,
                Ok(_) => {
                    line.pop_if(|byte| *byte == b'\n');
                    Ok(line)
                }
                Err(error) => Err(error),
            };
            let is_end = result.is_err();
            if sender.blocking_send(result).is_err() || is_end {
                return;
            }
        }
    });
    lines
}
