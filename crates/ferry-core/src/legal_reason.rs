use ferry_codec::ReasonCode;

/// The reason code for a refusing CONNACK: only some are allowed there [MQTT-3.2.2-8], so what would be said in
/// another packet is put in other words. What has no code of its own is 0x81 or 0x82 already (U5-086).
pub(crate) fn in_connack(reason_code: ReasonCode) -> ReasonCode {
    match reason_code.code() {
        0x80..=0x8A | 0x8C | 0x90 | 0x95 | 0x97 | 0x99..=0x9D | 0x9F => reason_code,
        // The server is shutting down, or an operator closes it.
        0x8B | 0x98 => ReasonCode::SERVER_UNAVAILABLE,
        0x96 => ReasonCode::QUOTA_EXCEEDED,
        0x00..=0x7F => ReasonCode::UNSPECIFIED_ERROR,
        _ => ReasonCode::PROTOCOL_ERROR,
    }
}

/// The reason code for a server's DISCONNECT, where some are not allowed either [MQTT-3.14.2-1] (U5-085).
pub(crate) fn in_disconnect(reason_code: ReasonCode) -> ReasonCode {
    match reason_code.code() {
        0x00 | 0x80..=0x83 | 0x87 | 0x89 | 0x8B | 0x8D..=0x90 | 0x93..=0x9F | 0xA0..=0xA2 => reason_code,
        // Words for a client that could not prove who it is.
        0x86 | 0x8A | 0x8C => ReasonCode::NOT_AUTHORIZED,
        0x88 => ReasonCode::SERVER_BUSY,
        0x01..=0x7F => ReasonCode::UNSPECIFIED_ERROR,
        _ => ReasonCode::PROTOCOL_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use ferry_codec::{
        Connack, DecodeLimits, Direction, Disconnect, Packet, ProtocolVersion, decode, encode,
    };

    use super::*;

    #[test]
    fn whatever_is_said_is_legal() {
        let legal = |packet: &Packet<'_>| {
            let mut bytes = Vec::new();
            encode(packet, ProtocolVersion::V5, &mut bytes);
            let limits = DecodeLimits::UNLIMITED;
            decode(&bytes, ProtocolVersion::V5, Direction::FromServer, &limits).is_ok()
        };
        for code in 0x80..=u8::MAX {
            let code = ReasonCode::new(code);
            let connack = Connack { reason_code: in_connack(code), ..Connack::default() };
            assert!(legal(&Packet::Connack(connack)), "{code}");
            assert!(legal(&Packet::Disconnect(Disconnect::new(in_disconnect(code)))), "{code}");
        }
    }

    #[test]
    fn what_is_legal_stays() {
        for code in [ReasonCode::BANNED, ReasonCode::SERVER_MOVED, ReasonCode::PACKET_TOO_LARGE] {
            assert_eq!(in_connack(code), code);
        }
        for code in [ReasonCode::SERVER_SHUTTING_DOWN, ReasonCode::SESSION_TAKEN_OVER] {
            assert_eq!(in_disconnect(code), code);
        }
    }
}
