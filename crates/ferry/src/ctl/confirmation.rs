use std::io::{self, BufRead, IsTerminal};

use super::failure::Failure;
use super::table::visible;
use crate::output;

/// Asks on a terminal before something is deleted that cannot be brought back. A script is never asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Confirmation {
    /// The command line has said so already.
    pub(super) is_given: bool,
}

impl Confirmation {
    /// # Errors
    /// The answer is not yes.
    pub(super) fn ask(self, question: &str) -> Result<(), Failure> {
        if self.is_given || !io::stdin().is_terminal() {
            return Ok(());
        }
        output::part(format_args!("{} [y/N] ", visible(question)));
        let mut answer = String::new();
        // What cannot be read is no yes.
        let _read = io::stdin().lock().read_line(&mut answer);
        if !answer.ends_with('\n') {
            output::note("");
        }
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::refused(
                "not confirmed",
                "nothing was deleted; --yes deletes without a question",
            )),
        }
    }
}
