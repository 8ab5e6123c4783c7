use std::fmt;
use std::sync::Arc;

use crate::ClientCertificate;

use crate::shown::shown;

/// What a client says of itself when it connects. Owned, so that a slow judgement need not borrow from the
/// connection it is about.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The client identifier as the session will use it (assigned by the server when the client sent none).
    pub client_id: Box<str>,
    /// User Name of the CONNECT.
    pub user_name: Option<Box<str>>,
    /// Password of the CONNECT: any bytes, and in MQTT 5.0 also without a user name.
    pub password: Option<Box<[u8]>>,
    /// Address of the client, behind a proxy the one that the proxy reported.
    pub peer_address: Box<str>,
    /// Common name of the verified TLS client certificate, when one was presented.
    pub certificate_common_name: Option<Box<str>>,
    /// The whole of it; behind a proxy only if that tells it.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// The user of this machine that the process at the other end of a Unix socket runs as, if the kernel has told it.
    pub peer_user_id: Option<u32>,
    /// Protocol Version of the CONNECT: 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0.
    pub protocol_version: u8,
    /// The listener that it came to, by its address.
    pub listener: Box<str>,
    /// Identity whose pre-shared key the client has shown in the TLS handshake, if there was one.
    pub psk_identity: Option<Box<str>>,
    /// By whom the listener wants its clients to be judged, in this order.
    pub authenticators: Arc<[Box<str>]>,
    /// Whether the listener lets clients in that prove nothing.
    pub anonymous_allowed: bool,
}

impl Credentials {
    /// The address without the port, which differs each time and means nothing: then the same client asks the same question.
    /// `unix` for every Unix socket.
    #[must_use]
    pub fn host(&self) -> &str {
        let address = &*self.peer_address;
        if address.starts_with("unix") {
            return "unix";
        }
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// Whom it says it is, as much of it as belongs into a log.
    #[must_use]
    pub fn shown_user(&self) -> String {
        match &self.user_name {
            Some(name) => format!("user {}", shown(name)),
            None => format!("client {}", shown(&self.client_id)),
        }
    }
}

impl fmt::Debug for Credentials {
    /// Without the password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("client_id", &self.client_id)
            .field("user_name", &self.user_name)
            .field("has_password", &self.password.is_some())
            .field("peer_address", &self.peer_address)
            .field("certificate_common_name", &self.certificate_common_name)
            .field("psk_identity", &self.psk_identity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_no_port() {
        for (address, host) in [
            ("192.0.2.7:5000", "192.0.2.7"),
            ("[2001:db8::1]:5000", "2001:db8::1"),
            ("unix:pid=7", "unix"),
            ("", ""),
        ] {
            let credentials = Credentials { peer_address: address.into(), ..Credentials::default() };
            assert_eq!(credentials.host(), host);
        }
    }
}
