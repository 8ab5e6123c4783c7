use crate::{ProtocolVersion, ReasonCode};

/// Why a packet was refused: always the peer's fault, so always exactly one [`ReasonCode`] (section 4.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What a DISCONNECT or CONNACK of MQTT 5.0 would say.
    pub reason_code: ReasonCode,
    /// What is wrong, in words; names the field.
    pub detail: &'static str,
    /// The rule that was broken: `MQTT-x.y.z-n` (5.0), `MQTT3-x.y.z-n` (3.1.1), `U5-nnn` (a rule of 5.0
    /// without a number of its own), or empty where only our own limit was exceeded.
    pub statement: &'static str,
    /// The protocol version that was being decoded, if it was known by then. An answer to a bad CONNECT
    /// must be written in it.
    pub protocol_version: Option<ProtocolVersion>,
    /// Set if a CONNECT asked for a protocol that we do not speak.
    pub unsupported_version: Option<UnsupportedVersion>,
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.reason_code, self.detail)?;
        if !self.statement.is_empty() {
            write!(formatter, " [{}]", self.statement)?;
        }
        Ok(())
    }
}

impl std::error::Error for DecodeError {}

/// The protocol that a refused CONNECT asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsupportedVersion {
    /// The protocol name was `MQTT` or `MQIsdp`; if not, the peer may not be an MQTT client at all.
    pub protocol_name_known: bool,
    /// The protocol level byte as received.
    pub level: u8,
}

impl UnsupportedVersion {
    /// The format in which the peer can be expected to read a refusing CONNACK; `None`: just close.
    ///
    /// A level below 5 is answered with the return code 0x01 of 3.1.1 `[MQTT3-3.1.2-2]`, one above with 0x84
    /// `[MQTT-3.1.2-2]`.
    #[must_use]
    pub const fn answer_version(self) -> Option<ProtocolVersion> {
        match (self.protocol_name_known, self.level & 0x7F) {
            (false, _) => None,
            (true, 0..=4) => Some(ProtocolVersion::V311),
            (true, _) => Some(ProtocolVersion::V5),
        }
    }
}
