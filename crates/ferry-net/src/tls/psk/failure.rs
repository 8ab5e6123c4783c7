use std::fmt;

use openssl::ssl::{Error, SslRef};

use super::context::claim_index;
use crate::handshake::HandshakeReason;

/// What OpenSSL says when the other end breaks a rule, or has another key.
#[derive(Debug)]
pub(crate) struct PskFailure {
    reason: HandshakeReason,
    detail: String,
}

/// Codes of OpenSSL from here on are alerts that the other end has sent (`SSL_AD_REASON_OFFSET`).
const ALERT_CODE_MIN: i32 = 1000;

/// No cipher suite, version or way to sign in common; the latter is what a client of TLS 1.3 without a key finds.
const INCOMPATIBLE_CODES: [i32; 5] = [
    118, // SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM
    193, // SSL_R_NO_SHARED_CIPHER
    258, // SSL_R_UNSUPPORTED_PROTOCOL
    292, // SSL_R_VERSION_TOO_LOW
    376, // SSL_R_NO_SUITABLE_KEY_SHARE
];

/// What is not a record of TLS at all.
const GARBAGE_CODES: [i32; 6] = [
    156, // SSL_R_HTTP_REQUEST
    159, // SSL_R_LENGTH_MISMATCH
    198, // SSL_R_PACKET_LENGTH_TOO_LONG
    244, // SSL_R_UNEXPECTED_MESSAGE
    267, // SSL_R_WRONG_VERSION_NUMBER
    443, // SSL_R_BAD_RECORD_TYPE
];

impl PskFailure {
    pub(super) fn of_handshake(error: &Error, ssl: &SslRef) -> Self {
        let failure = Self::new(error);
        if matches!(failure.reason, HandshakeReason::TlsAlertReceived | HandshakeReason::TlsIncompatible) {
            return failure;
        }
        let claim = claim_index().ok().and_then(|index| ssl.ex_data(index));
        let Some(claim) = claim else { return failure };
        let detail = match claim.is_known {
            true => format!("not the key of the identity {:?}: {}", claim.identity, failure.detail),
            false => format!("no identity {:?}", claim.identity),
        };
        Self { reason: HandshakeReason::TlsKeyWrong, detail }
    }

    pub(super) fn new(error: &Error) -> Self {
        let first = error.ssl_error().and_then(|stack| stack.errors().first());
        let code = first.map_or(0, openssl::error::Error::reason_code);
        let reason = match code {
            ALERT_CODE_MIN.. => HandshakeReason::TlsAlertReceived,
            _ if INCOMPATIBLE_CODES.contains(&code) => HandshakeReason::TlsIncompatible,
            _ if GARBAGE_CODES.contains(&code) => HandshakeReason::TlsGarbage,
            _ => HandshakeReason::TlsFailed,
        };
        let detail = first.and_then(openssl::error::Error::reason).unwrap_or("unknown").to_owned();
        Self { reason, detail }
    }

    pub(crate) fn reason(&self) -> HandshakeReason {
        self.reason
    }

    pub(crate) fn is_alert(&self) -> bool {
        self.reason == HandshakeReason::TlsAlertReceived
    }
}

impl fmt::Display for PskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for PskFailure {}
