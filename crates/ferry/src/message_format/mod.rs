//! How received messages are printed: `-F`, `-v`, or the payload alone.

mod json;
mod pattern;
mod render;

use std::time::SystemTime;

use ferry_client::Message;
use jiff::Zoned;

pub(crate) use pattern::Pattern;

/// The form of one message in the output.
#[derive(Debug)]
pub(crate) enum MessageFormat {
    /// As it came; nothing of an empty one.
    Payload,
    /// With its topic.
    Verbose,
    /// As `-F` says.
    Pattern {
        /// The words of `-F`.
        pattern: Pattern,
        /// `--pretty`: JSON on several lines.
        pretty: bool,
    },
}

/// When a message came, to the nanosecond, in local time.
struct Received {
    time: Zoned,
}

impl Received {
    fn now() -> Self {
        // A clock before or after all calendars is at their end.
        let time = Zoned::try_from(SystemTime::now()).unwrap_or_default();
        Self { time }
    }
}

impl MessageFormat {
    /// Appends the message, with a line end if there is to be one.
    ///
    /// # Errors
    /// The message cannot have this form; what could be printed of it is appended nevertheless.
    pub(crate) fn append(
        &self,
        message: &Message,
        line_end: bool,
        output: &mut Vec<u8>,
    ) -> Result<(), String> {
        let mut result = Ok(());
        match self {
            Self::Payload if message.payload.is_empty() => return Ok(()),
            Self::Payload => output.extend_from_slice(&message.payload),
            Self::Verbose if message.payload.is_empty() && !line_end => return Ok(()),
            Self::Verbose => {
                output.extend_from_slice(message.topic.as_bytes());
                output.push(b' ');
                let payload = if message.payload.is_empty() { b"(null)" } else { message.payload.as_slice() };
                output.extend_from_slice(payload);
            }
            Self::Pattern { pattern, pretty } => {
                result = render::append(pattern, message, &Received::now(), *pretty, output);
            }
        }
        if line_end {
            output.push(b'\n');
        }
        result
    }
}
