//! The TLS step of a handshake.

use std::io;

use rustls::Error;

use super::{Failure, HandshakeReason, disconnected, flush};
use crate::channel::Channel;
#[cfg(feature = "psk")]
use crate::tls::PskFailure;
use crate::tls::TlsSession;

/// Runs the handshake to its end on a channel that may have read the first bytes of it.
pub(super) async fn finish(
    channel: &mut Channel,
    session: TlsSession,
    bytes_max: usize,
) -> Result<(), Failure> {
    let early = channel.take_early_input();
    channel.start_tls(session);
    let mut received = early.len();
    channel.process_early_records(&early).map_err(|error| failure(&error))?;
    drop(early);
    loop {
        flush(channel).await?;
        if !channel.tls().is_some_and(|tls| tls.is_handshaking()) {
            return Ok(());
        }
        if received > bytes_max {
            return Err((HandshakeReason::TlsTooLarge, format!("limit {bytes_max} bytes")));
        }
        channel.socket().readable().await.map_err(|error| disconnected(&error))?;
        match channel.try_read_records() {
            Ok(0) => return Err((HandshakeReason::Disconnected, "during the TLS handshake".to_owned())),
            Ok(length) => received += length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(failure(&error)),
        }
    }
}

/// Tells the reason of an error that came from TLS, or from the socket.
pub(super) fn failure(error: &io::Error) -> Failure {
    #[cfg(feature = "psk")]
    if let Some(cause) = error.get_ref().and_then(|inner| inner.downcast_ref::<PskFailure>()) {
        return (cause.reason(), cause.to_string());
    }
    let Some(cause) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return disconnected(error);
    };
    let reason = match cause {
        Error::InvalidMessage(_) => HandshakeReason::TlsGarbage,
        Error::PeerIncompatible(_) => HandshakeReason::TlsIncompatible,
        Error::NoApplicationProtocol => HandshakeReason::TlsNoSharedAlpn,
        Error::NoCertificatesPresented => HandshakeReason::TlsCertificateMissing,
        Error::InvalidCertificate(_) | Error::InvalidCertRevocationList(_) => {
            HandshakeReason::TlsCertificateInvalid
        }
        Error::AlertReceived(_) => HandshakeReason::TlsAlertReceived,
        _ => HandshakeReason::TlsFailed,
    };
    (reason, cause.to_string())
}
