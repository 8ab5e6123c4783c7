use crate::{ReasonCode, UserProperties};

/// DISCONNECT: the last packet of a connection (section 3.14). Its default is a normal disconnection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Always 0x00 in 3.x.
    pub reason_code: ReasonCode,
    /// Seconds; from a client only `[MQTT-3.14.2-2]`. Absent: the value of CONNECT stays.
    pub session_expiry_interval: Option<u32>,
    /// Words for people, never for programs.
    pub reason_string: Option<&'a str>,
    /// More about the reason.
    pub user_properties: UserProperties<'a>,
    /// Another server to use, with 0x9C or 0x9D; sent by a server.
    pub server_reference: Option<&'a str>,
}

impl Disconnect<'_> {
    /// A DISCONNECT that carries a reason code and nothing else.
    #[must_use]
    pub const fn new(reason_code: ReasonCode) -> Self {
        Self {
            reason_code,
            session_expiry_interval: None,
            reason_string: None,
            user_properties: UserProperties::EMPTY,
            server_reference: None,
        }
    }
}
