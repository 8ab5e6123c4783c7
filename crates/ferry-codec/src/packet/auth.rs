use crate::{ReasonCode, UserProperties};

/// AUTH: a step of an enhanced authentication, MQTT 5.0 only (section 3.15).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Auth<'a> {
    /// 0x00, 0x18 or 0x19 `[MQTT-3.15.2-1]`; the server alone sends 0x00, the client alone 0x19.
    pub reason_code: ReasonCode,
    /// Must be there (`U5-080`) and be the same as in CONNECT `[MQTT-4.12.0-5]`.
    pub authentication_method: Option<&'a str>,
    /// Its contents are the method's business.
    pub authentication_data: Option<&'a [u8]>,
    /// Words for people, never for programs.
    pub reason_string: Option<&'a str>,
    /// More about the reason.
    pub user_properties: UserProperties<'a>,
}
