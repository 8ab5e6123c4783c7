use ferry_codec::ReasonCode;

use crate::Timestamp;

/// The Session Expiry Interval: how long the session state outlives its connection (section 3.1.2.11.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionExpiry(u32);

impl SessionExpiry {
    /// The session ends with its connection; also the meaning of an absent interval.
    pub const AT_CLOSE: Self = Self(0);
    /// The session never ends by itself.
    pub const NEVER: Self = Self(u32::MAX);

    /// From the property of a CONNECT or DISCONNECT; 0xFFFF_FFFF is never.
    #[must_use]
    pub const fn from_seconds(seconds: u32) -> Self {
        Self(seconds)
    }

    /// What Clean Session of 3.1 and 3.1.1 means: state is kept without limit, or not at all
    /// (3.1.1 section 3.1.2.4).
    #[must_use]
    pub const fn from_clean_session(clean_session: bool) -> Self {
        if clean_session { Self::AT_CLOSE } else { Self::NEVER }
    }

    /// The interval, 0xFFFF_FFFF for never.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.0
    }

    /// Whether the state outlives the connection `[MQTT-3.1.2-23]`.
    #[must_use]
    pub const fn outlives_connection(self) -> bool {
        self.0 != 0
    }

    /// When a session whose connection closed at `closed_at` ends.
    #[must_use]
    pub const fn session_end(self, closed_at: Timestamp) -> Timestamp {
        if self.0 == u32::MAX { Timestamp::NEVER } else { closed_at.plus_seconds(self.0) }
    }

    /// The interval in force after a DISCONNECT that carries `changed`; absent leaves it as it was.
    ///
    /// `in_connect` is what the client sent in its CONNECT, before any limit of the server.
    ///
    /// # Errors
    /// 0x82 if it was 0 in the CONNECT and is not any more (`U5-075`, `U5-076`).
    pub fn after_disconnect(self, in_connect: Self, changed: Option<u32>) -> Result<Self, ReasonCode> {
        match changed {
            None => Ok(self),
            Some(seconds) if seconds != 0 && in_connect == Self::AT_CLOSE => Err(ReasonCode::PROTOCOL_ERROR),
            Some(seconds) => Ok(Self(seconds)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSED_AT: Timestamp = Timestamp(5_000);

    /// [MQTT-3.1.2-23], [MQTT-4.1.0-2]
    #[test]
    fn when_a_session_ends() {
        assert_eq!(SessionExpiry::AT_CLOSE.session_end(CLOSED_AT), CLOSED_AT);
        assert!(!SessionExpiry::AT_CLOSE.outlives_connection());
        assert_eq!(SessionExpiry::from_seconds(2).session_end(CLOSED_AT), Timestamp(7_000));
        assert!(SessionExpiry::from_seconds(2).outlives_connection());
        // 0xFFFF_FFFF is not 136 years.
        assert_eq!(SessionExpiry::from_seconds(u32::MAX).session_end(CLOSED_AT), Timestamp::NEVER);
        let longest = SessionExpiry::from_seconds(u32::MAX - 1).session_end(CLOSED_AT);
        assert_eq!(longest, CLOSED_AT.plus_seconds(u32::MAX - 1));
    }

    #[test]
    fn clean_session_of_3_1_1() {
        assert_eq!(SessionExpiry::from_clean_session(true), SessionExpiry::AT_CLOSE);
        assert_eq!(SessionExpiry::from_clean_session(false), SessionExpiry::NEVER);
    }

    /// U5-075, U5-076: compared with what the client sent in its CONNECT, not with what the server made of it.
    #[test]
    fn changed_in_disconnect() {
        let (zero, ten) = (SessionExpiry::AT_CLOSE, SessionExpiry::from_seconds(10));
        assert_eq!(ten.after_disconnect(ten, None), Ok(ten));
        assert_eq!(ten.after_disconnect(ten, Some(0)), Ok(zero));
        assert_eq!(ten.after_disconnect(ten, Some(u32::MAX)), Ok(SessionExpiry::NEVER));
        assert_eq!(zero.after_disconnect(zero, Some(0)), Ok(zero));
        assert_eq!(zero.after_disconnect(zero, Some(1)), Err(ReasonCode::PROTOCOL_ERROR));
        assert_eq!(ten.after_disconnect(zero, Some(1)), Err(ReasonCode::PROTOCOL_ERROR));
    }
}
