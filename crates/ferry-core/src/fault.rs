use ferry_codec::{DecodeError, ReasonCode};

/// What a client did wrong, or what it may not do: ends its connection with one reason code (section 4.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason_code: ReasonCode,
    /// Words for people; the Reason String.
    pub(crate) detail: &'static str,
}

impl Fault {
    pub(crate) const fn new(reason_code: ReasonCode, detail: &'static str) -> Self {
        Self { reason_code, detail }
    }

    pub(crate) const fn protocol_error(detail: &'static str) -> Self {
        Self::new(ReasonCode::PROTOCOL_ERROR, detail)
    }
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Self::new(error.reason_code, error.detail)
    }
}
