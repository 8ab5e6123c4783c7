use std::fmt;

/// What is wrong with a message, or with whom it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramError {
    /// It is longer than [`MESSAGE_BYTES_MAX`](crate::MESSAGE_BYTES_MAX).
    TooLong,
    /// It is not of the form that RFC 5802, section 7, gives it; the words say which part.
    Malformed(&'static str),
    /// The client asks for channel binding, or either side for an extension that must be understood.
    Unsupported(&'static str),
    /// The nonce is not the one of this exchange.
    Nonce,
    /// The server asks for too few or too many iterations.
    Iterations(u32),
    /// The client does not know the password.
    Proof,
    /// The server does not know the user: it is not the one that it says it is.
    Signature,
    /// The server tells its own error.
    Server,
    /// The message does not belong here.
    OutOfPlace,
}

impl fmt::Display for ScramError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::TooLong => "the SCRAM message is too long",
            Self::Malformed(part) => return write!(formatter, "the SCRAM message is malformed: {part}"),
            Self::Unsupported(what) => return write!(formatter, "SCRAM without {what} only"),
            Self::Nonce => "the SCRAM nonce is not that of this exchange",
            Self::Iterations(number) => {
                return write!(
                    formatter,
                    "the server asks for {number} iterations of SCRAM, not for {} to {}",
                    crate::ITERATIONS_MIN,
                    crate::ITERATIONS_MAX
                );
            }
            Self::Proof => "the SCRAM proof is wrong",
            Self::Signature => "the server has not proven that it knows the user",
            Self::Server => "the server tells an error of SCRAM",
            Self::OutOfPlace => "a SCRAM message that does not belong here",
        };
        formatter.write_str(words)
    }
}

impl std::error::Error for ScramError {}
