//! What protocol a client speaks, told by its first bytes, to say more than "malformed packet" to whoever
//! mixed up two ports.

use crate::handshake::HandshakeReason;
use crate::proxy_protocol;

/// What a listener expects to read first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Mqtt,
    Tls,
    Http,
}

/// The content type of a TLS record that carries a handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;
/// The fixed header of CONNECT.
const MQTT_CONNECT: u8 = 0x10;

/// Tells the mistake if `first` (not empty) is clearly another protocol than expected. What is merely
/// garbage is left to the parser of the expected protocol.
pub(crate) fn wrong_protocol(expected: Expected, first: &[u8]) -> Option<HandshakeReason> {
    let byte = *first.first()?;
    match expected {
        Expected::Mqtt | Expected::Http if byte == TLS_HANDSHAKE => Some(HandshakeReason::TlsOnPlain),
        Expected::Mqtt | Expected::Tls if is_http(first) => Some(match expected {
            Expected::Tls => HandshakeReason::HttpOnTls,
            _ => HandshakeReason::HttpOnMqtt,
        }),
        Expected::Tls if byte == MQTT_CONNECT => Some(HandshakeReason::MqttOnTls),
        Expected::Http if byte == MQTT_CONNECT => Some(HandshakeReason::MqttOnWebSocket),
        _ if proxy_protocol::starts_header(first) => Some(HandshakeReason::ProxyUnexpected),
        _ => None,
    }
}

fn is_http(first: &[u8]) -> bool {
    const METHODS: [&[u8]; 8] =
        [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"OPTIONS ", b"CONNECT ", b"PATCH "];
    METHODS.iter().any(|method| first.starts_with(method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_has_its_reason() {
        use Expected::{Http, Mqtt, Tls};
        let client_hello = [0x16, 0x03, 0x01, 0x02, 0x00];
        for (expected, first, reason) in [
            (Mqtt, &client_hello[..], Some(HandshakeReason::TlsOnPlain)),
            (Http, &client_hello[..1], Some(HandshakeReason::TlsOnPlain)),
            (Tls, &client_hello[..], None),
            (Mqtt, b"GET / HTTP/1", Some(HandshakeReason::HttpOnMqtt)),
            (Tls, b"GET / HTTP/1", Some(HandshakeReason::HttpOnTls)),
            (Http, b"GET / HTTP/1", None),
            (Tls, b"\x10\x0c\0\x04MQTT", Some(HandshakeReason::MqttOnTls)),
            (Http, b"\x10\x0c\0\x04MQTT", Some(HandshakeReason::MqttOnWebSocket)),
            (Mqtt, b"\x10\x0c\0\x04MQTT", None),
            (Mqtt, b"PROXY TCP4 1", Some(HandshakeReason::ProxyUnexpected)),
            (Tls, b"\r\n\r\n\0\r\nQUIT\n", Some(HandshakeReason::ProxyUnexpected)),
            (Mqtt, b"\xc0\0", None),
            (Mqtt, b"", None),
        ] {
            assert_eq!(wrong_protocol(expected, first), reason, "{expected:?} {first:?}");
        }
    }
}
