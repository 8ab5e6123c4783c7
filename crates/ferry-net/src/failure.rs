//! Names of what ends a stream, for counters.

use std::io;

#[cfg(feature = "psk")]
use crate::tls::PskFailure;
use crate::websocket::frame::FrameError;

/// The name under which an error of a [`crate::Stream`] is counted, such as `websocket_text`, `tls_alert` or
/// `connection_reset`.
pub fn failure_name(error: &io::Error) -> &'static str {
    let inner = error.get_ref();
    if let Some(frame) = inner.and_then(|inner| inner.downcast_ref::<FrameError>()) {
        return frame.name();
    }
    #[cfg(feature = "psk")]
    if let Some(failure) = inner.and_then(|inner| inner.downcast_ref::<PskFailure>()) {
        return if failure.is_alert() { "tls_alert" } else { "tls_violation" };
    }
    match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(_)) => return "tls_alert",
        Some(_) => return "tls_violation",
        None => {}
    }
    match error.kind() {
        io::ErrorKind::ConnectionReset => "connection_reset",
        io::ErrorKind::BrokenPipe => "broken_pipe",
        io::ErrorKind::TimedOut => "network_timeout",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "network_unreachable",
        _ => "io_error",
    }
}
