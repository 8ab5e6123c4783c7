use crate::Timestamp;

/// Notices a silent peer: closes the connection after one and a half times the Keep Alive
/// `[MQTT-3.1.2-22]`. Only received packets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    last_received_at: Timestamp,
    keep_alive_seconds: u16,
}

impl KeepAlive {
    /// `keep_alive_seconds` is the value in force: the Server Keep Alive if one was sent `[MQTT-3.2.2-21]`;
    /// 0 turns the mechanism off.
    #[must_use]
    pub const fn new(keep_alive_seconds: u16, now: Timestamp) -> Self {
        Self { last_received_at: now, keep_alive_seconds }
    }

    /// Any whole control packet arrived.
    pub fn received(&mut self, now: Timestamp) {
        self.last_received_at = now;
    }

    /// The value in force, 0 for none.
    #[must_use]
    pub const fn keep_alive_seconds(&self) -> u16 {
        self.keep_alive_seconds
    }

    /// When the last packet arrived, or the connection began.
    #[must_use]
    pub const fn last_received_at(&self) -> Timestamp {
        self.last_received_at
    }

    /// When the connection is to be closed if nothing arrives; [`Timestamp::NEVER`] if Keep Alive is 0.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        if self.keep_alive_seconds == 0 {
            return Timestamp::NEVER;
        }
        self.last_received_at.plus_milliseconds(self.keep_alive_seconds as u64 * 1500)
    }

    /// Whether the peer has been silent for too long.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.deadline() <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [MQTT-3.1.2-22]
    #[test]
    fn one_and_a_half_times_the_keep_alive() {
        let mut keep_alive = KeepAlive::new(10, Timestamp(1_000));
        assert_eq!(keep_alive.deadline(), Timestamp(16_000));
        assert!(!keep_alive.is_expired(Timestamp(15_999)));
        assert!(keep_alive.is_expired(Timestamp(16_000)));
        keep_alive.received(Timestamp(16_000));
        assert_eq!(keep_alive.deadline(), Timestamp(31_000));
        assert_eq!(KeepAlive::new(u16::MAX, Timestamp(0)).deadline(), Timestamp(98_302_500));
    }

    #[test]
    fn zero_turns_it_off() {
        let keep_alive = KeepAlive::new(0, Timestamp(0));
        assert_eq!(keep_alive.deadline(), Timestamp::NEVER);
        assert!(!keep_alive.is_expired(Timestamp(u64::MAX - 1)));
    }
}
