use std::fmt;

use ferry_codec::{DecodeError, ReasonCode};

/// Why a session wants its connection closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The client asked for it, with this reason code.
    Requested(ReasonCode),
    /// The server refused the connection.
    Refused(ServerReason),
    /// The server sent DISCONNECT.
    Disconnected(ServerReason),
    /// The server broke a rule; in 5.0 it is told which kind.
    Fault(Fault),
    /// The server did not answer CONNECT in time.
    ConnackTimeout,
    /// The server did not answer PINGREQ in time.
    PingTimeout,
    /// While the client had to read on, for an answer of the server, twice as much came with QoS 1 and 2 as may wait for its
    /// acknowledgement. What was not taken comes again on the next connection. 3.x only, where the server cannot be told.
    ReceiveOverrun,
    /// The authentication mechanism does not trust the server, or cannot answer it.
    AuthenticationFailed(String),
}

/// What a server says when it ends a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerReason {
    /// Why.
    pub reason_code: ReasonCode,
    /// Words for people.
    pub reason_string: Option<String>,
    /// Another server to use, with 0x9C or 0x9D.
    pub server_reference: Option<String>,
    /// Whatever else it says.
    pub user_properties: Vec<(String, String)>,
}

/// A rule that the server broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What the server is told.
    pub reason_code: ReasonCode,
    /// In words.
    pub detail: &'static str,
    /// The statement of the standard; may be empty.
    pub statement: &'static str,
}

impl Fault {
    pub(crate) const fn protocol_error(detail: &'static str, statement: &'static str) -> Self {
        Self { reason_code: ReasonCode::PROTOCOL_ERROR, detail, statement }
    }
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Self { reason_code: error.reason_code, detail: error.detail, statement: error.statement }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested(_) => f.write_str("the client disconnected"),
            Self::Refused(reason) => write!(f, "the server refused the connection: {reason}"),
            Self::Disconnected(reason) => write!(f, "the server disconnected: {reason}"),
            Self::Fault(fault) => {
                write!(f, "the server broke a rule: {}", fault.detail)?;
                if fault.statement.is_empty() { Ok(()) } else { write!(f, " [{}]", fault.statement) }
            }
            Self::ConnackTimeout => f.write_str("the server did not answer CONNECT in time"),
            Self::PingTimeout => f.write_str("the server did not answer PINGREQ in time"),
            Self::ReceiveOverrun => f.write_str("more came than may wait; the rest comes again"),
            Self::AuthenticationFailed(why) => write!(f, "authentication failed: {why}"),
        }
    }
}

impl fmt::Display for ServerReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02X})", self.reason_code.name(), self.reason_code.code())?;
        if let Some(words) = &self.reason_string {
            write!(f, ": {words}")?;
        }
        Ok(())
    }
}
