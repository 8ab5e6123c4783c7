//! Why a connection ended before its first MQTT packet.

use std::fmt;

use crate::peer::PeerAddress;

/// A connection that ended before its first MQTT packet.
#[derive(Debug)]
pub struct HandshakeError {
    /// What to count.
    pub reason: HandshakeReason,
    /// The other end: the client if a PROXY header told it, otherwise that of the socket.
    pub peer: PeerAddress,
    /// What exactly was wrong; may be empty.
    pub detail: String,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.peer, self.reason.hint())?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for HandshakeError {}

macro_rules! handshake_reasons {
    ($($(#[doc = $doc:literal])+ $reason:ident $name:literal $hint:literal;)+) => {
        /// Why a connection ended before its first MQTT packet. Each is counted by its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum HandshakeReason {
            $($(#[doc = $doc])+ $reason,)+
        }

        impl HandshakeReason {
            /// Every reason, in a fixed order: `reason as usize` is its place.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$reason),+];

            /// The name of its counter.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$reason => $name,)+ }
            }

            /// What happened and, where someone can do something, what to do.
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$reason => $hint,)+ }
            }
        }
    };
}

handshake_reasons! {
    /// The client closed the connection, or the network did.
    Disconnected "disconnected" "disconnected during the handshake";
    /// Whoever asked for the handshakes does not want this client.
    NotAdmitted "not_admitted" "its address may not connect now";
    /// No byte came in time.
    FirstByteTimeout "first_byte_timeout" "connected and sent nothing";
    /// A TLS client on a listener without TLS.
    TlsOnPlain "tls_on_plain" "a TLS client on a listener without TLS; use the tls:// or wss:// port";
    /// An HTTP or WebSocket client on a listener for plain MQTT.
    HttpOnMqtt "http_on_mqtt" "an HTTP or WebSocket client on a plain MQTT listener; use the ws:// port";
    /// An HTTP client without TLS on a TLS listener.
    HttpOnTls "http_on_tls" "an HTTP client without TLS on a TLS listener";
    /// An MQTT client without TLS on a TLS listener.
    MqttOnTls "mqtt_on_tls" "an MQTT client without TLS on a TLS listener; turn on TLS or use the tcp:// port";
    /// An MQTT client without WebSocket on a WebSocket listener.
    MqttOnWebSocket "mqtt_on_websocket" "an MQTT client without WebSocket on a WebSocket listener; use the tcp:// port";
    /// A PROXY header on a listener that expects none.
    ProxyUnexpected "proxy_unexpected" "a PROXY header on a listener without it; turn on proxy_protocol";
    /// No PROXY header on a listener that requires one.
    ProxyMissing "proxy_missing" "no PROXY header on a listener that requires one";
    /// The PROXY header is malformed.
    ProxyMalformed "proxy_malformed" "a malformed PROXY header";
    /// The PROXY header did not come in time.
    ProxyTimeout "proxy_timeout" "the PROXY header did not come in time";
    /// What came is not TLS.
    TlsGarbage "tls_garbage" "what came is not TLS";
    /// The TLS handshake took too long.
    TlsTimeout "tls_timeout" "the TLS handshake took too long";
    /// The TLS handshake sent too many bytes.
    TlsTooLarge "tls_too_large" "too many bytes in the TLS handshake";
    /// No TLS version, cipher suite, or other parameter in common.
    TlsIncompatible "tls_incompatible" "no TLS version or parameter in common";
    /// No application protocol (ALPN) in common.
    TlsNoSharedAlpn "tls_no_shared_alpn" "the client offers other application protocols (ALPN) than mqtt";
    /// The client showed no certificate and must.
    TlsCertificateMissing "tls_certificate_missing" "no client certificate, and the listener requires one";
    /// The client's certificate is not valid here.
    TlsCertificateInvalid "tls_certificate_invalid" "the client's certificate was not accepted";
    /// No such identity, or not its key.
    TlsKeyWrong "tls_key_wrong" "the client's identity or pre-shared key is not one of the listener's";
    /// The client ended the handshake, often because it does not trust our certificate.
    TlsAlertReceived "tls_alert_received" "the client refused the TLS handshake; does it trust our certificate authority?";
    /// The TLS handshake failed otherwise.
    TlsFailed "tls_failed" "the TLS handshake failed";
    /// The upgrade request did not come in time.
    UpgradeTimeout "upgrade_timeout" "the WebSocket upgrade request did not come in time";
    /// The upgrade request is too large.
    UpgradeTooLarge "upgrade_too_large" "the WebSocket upgrade request is too large";
    /// The upgrade request is not HTTP, or lacks what an upgrade needs.
    UpgradeMalformed "upgrade_malformed" "a malformed WebSocket upgrade request";
    /// An HTTP request that is no upgrade, such as a browser's.
    UpgradeMissing "upgrade_missing" "an HTTP request that is no WebSocket upgrade";
    /// Another path than that of the listener.
    UpgradePath "upgrade_path" "a WebSocket upgrade for another path than the listener's";
    /// Another version of WebSocket than 13.
    UpgradeVersion "upgrade_version" "a WebSocket upgrade for another version than 13";
    /// No subprotocol in common.
    UpgradeSubprotocol "upgrade_subprotocol" "a WebSocket upgrade without the subprotocol mqtt";
    /// A web page that is not among the origins allowed.
    UpgradeOrigin "upgrade_origin" "a WebSocket upgrade from a web page that may not connect";
}
