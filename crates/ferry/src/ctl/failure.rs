use std::fmt;

use serde_json::Value;

use crate::output;

/// Why it was not done, and what to do.
#[derive(Debug)]
pub(super) struct Failure {
    kind: Kind,
    words: String,
    remedy: String,
}

/// What a script can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Refused,
    WrongCommandLine,
    NoAnswer,
    NoPermission,
    NotFound,
}

impl Failure {
    /// Nobody answers, or not as a broker would.
    pub(super) fn no_answer(words: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind: Kind::NoAnswer, words: words.into(), remedy: remedy.into() }
    }

    /// What is said cannot be meant.
    pub(super) fn wrong_command_line(words: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind: Kind::WrongCommandLine, words: words.into(), remedy: remedy.into() }
    }

    /// It cannot be asked for so.
    pub(super) fn refused(words: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind: Kind::Refused, words: words.into(), remedy: remedy.into() }
    }

    /// This user may not.
    pub(super) fn permission(words: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind: Kind::NoPermission, words: words.into(), remedy: remedy.into() }
    }

    /// The broker's own words.
    pub(super) fn problem(status: u16, problem: &Value) -> Self {
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        let kind = match status {
            401 | 403 => Kind::NoPermission,
            404 => Kind::NotFound,
            _ => Kind::Refused,
        };
        let remedy = match status {
            401 => {
                "give a token with --token-file FILE, or use the Unix socket in the data directory".to_owned()
            }
            _ => text("remedy"),
        };
        Self { kind, words: text("detail"), remedy }
    }

    /// The same for a question, of which 1 is an answer.
    pub(super) fn of_question(self) -> Self {
        let kind = if self.kind == Kind::Refused { Kind::WrongCommandLine } else { self.kind };
        Self { kind, ..self }
    }

    pub(super) fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Refused => 1,
            Kind::WrongCommandLine => output::WRONG_COMMAND_LINE,
            Kind::NoAnswer => 3,
            Kind::NoPermission => 4,
            Kind::NotFound => 5,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n  help: {}", self.words, self.remedy)
    }
}
