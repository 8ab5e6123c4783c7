//! Messages as lines of JSON: what `ferry record` writes, and `ferry replay` and `ferry pub --json-lines` read.
//!
//! One object on each line: `topic`, `payload` (or `payload_base64` if it is not UTF-8), `qos`, `retain`, `properties` and `time`.
//! What `-F %j` prints, here and with `mosquitto_sub`, is understood too.

mod lines;
mod read;
mod write;

pub(crate) use lines::{JsonLines, NumberedLine};
pub(crate) use read::{JsonLine, LineMessage};
pub(crate) use write::{append_header, append_message};
