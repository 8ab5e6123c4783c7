use ferry_session::Timestamp;

/// The client's side of Keep Alive: when a PINGREQ is due `[MQTT-3.1.2-20]`, `[MQTT3-3.1.2-23]`, and when the server has
/// been silent for too long. There is no other timer in a quiet connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PingTimer {
    /// 0: no Keep Alive.
    interval_ms: u64,
    timeout_ms: u64,
    last_sent_at: Timestamp,
    last_received_at: Timestamp,
    ping_sent_at: Option<Timestamp>,
    /// Nobody reads what the server sends, on purpose.
    paused: bool,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PingAction {
    Nothing,
    SendPingreq,
    /// The server has not answered the last PINGREQ.
    Close,
}

impl PingTimer {
    pub(crate) const OFF: Self = Self {
        interval_ms: 0,
        timeout_ms: 0,
        last_sent_at: Timestamp(0),
        last_received_at: Timestamp(0),
        ping_sent_at: None,
        paused: false,
    };

    pub(crate) fn new(keep_alive_seconds: u16, timeout_ms: u32, now: Timestamp) -> Self {
        Self {
            // A tenth earlier than promised, for the way to the server.
            interval_ms: u64::from(keep_alive_seconds) * 900,
            timeout_ms: u64::from(timeout_ms.max(1)),
            last_sent_at: now,
            last_received_at: now,
            ..Self::OFF
        }
    }

    /// Any packet was sent.
    pub(crate) fn sent(&mut self, now: Timestamp) {
        self.last_sent_at = now;
    }

    /// Bytes came, so the server is there.
    pub(crate) fn received(&mut self, now: Timestamp) {
        self.last_received_at = now;
        self.ping_sent_at = None;
    }

    /// More of a large message can be sent: the server has taken what came before, so it is there, even if a PINGREQ has to wait
    /// behind the rest.
    pub(crate) fn went_on(&mut self, now: Timestamp) {
        self.last_sent_at = now;
        self.last_received_at = now;
        self.ping_sent_at = self.ping_sent_at.map(|_| now);
    }

    /// Reading stops or goes on; a server that is not listened to is not blamed for being silent.
    pub(crate) fn set_paused(&mut self, paused: bool, now: Timestamp) {
        if self.paused && !paused {
            self.last_received_at = now;
            self.ping_sent_at = self.ping_sent_at.map(|_| now);
        }
        self.paused = paused;
    }

    pub(crate) fn deadline(&self) -> Timestamp {
        if self.interval_ms == 0 {
            return Timestamp::NEVER;
        }
        match self.ping_sent_at {
            Some(at) if !self.paused => at
                .plus_milliseconds(self.timeout_ms)
                .min(self.last_sent_at.plus_milliseconds(self.interval_ms)),
            Some(_) => self.last_sent_at.plus_milliseconds(self.interval_ms),
            // A client that only sends would not notice that nobody is there any more.
            None => self.last_sent_at.min(self.last_received_at).plus_milliseconds(self.interval_ms),
        }
    }

    pub(crate) fn tick(&mut self, now: Timestamp) -> PingAction {
        if now < self.deadline() {
            return PingAction::Nothing;
        }
        let unanswered = self.ping_sent_at.filter(|_| !self.paused);
        if unanswered.is_some_and(|at| at.plus_milliseconds(self.timeout_ms) <= now) {
            return PingAction::Close;
        }
        self.ping_sent_at = Some(self.ping_sent_at.unwrap_or(now));
        self.last_sent_at = now;
        PingAction::SendPingreq
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(0);

    #[test]
    fn no_keep_alive_no_timer() {
        assert_eq!(PingTimer::new(0, 10, START).deadline(), Timestamp::NEVER);
    }

    /// [MQTT-3.1.2-20], [MQTT3-3.1.2-23]
    #[test]
    fn a_silent_client_sends_pingreq_before_the_keep_alive_is_over() {
        let mut timer = PingTimer::new(10, 5_000, START);
        assert_eq!(timer.deadline(), Timestamp(9_000));
        assert_eq!(timer.tick(Timestamp(8_999)), PingAction::Nothing);
        assert_eq!(timer.tick(Timestamp(9_000)), PingAction::SendPingreq);
        timer.received(Timestamp(9_100));
        // What is sent instead makes it unnecessary, as long as something comes back.
        timer.sent(Timestamp(12_000));
        timer.received(Timestamp(12_500));
        assert_eq!(timer.deadline(), Timestamp(21_000));
    }

    #[test]
    fn a_server_that_does_not_answer_is_gone() {
        let mut timer = PingTimer::new(10, 5_000, START);
        timer.sent(Timestamp(8_000));
        assert_eq!(timer.tick(Timestamp(9_000)), PingAction::SendPingreq);
        assert_eq!(timer.deadline(), Timestamp(14_000));
        assert_eq!(timer.tick(Timestamp(14_000)), PingAction::Close);
    }

    /// A timeout longer than the Keep Alive: the client goes on sending while it waits.
    #[test]
    fn a_short_keep_alive_is_kept_while_waiting() {
        let mut timer = PingTimer::new(1, 5_000, START);
        let pings = (0..7_000).filter(|at| timer.tick(Timestamp(*at)) == PingAction::SendPingreq).count();
        assert_eq!(pings, 6);
        assert_eq!(timer.tick(Timestamp(7_000)), PingAction::Close);
    }

    #[test]
    fn a_server_that_is_not_listened_to_is_not_blamed() {
        let mut timer = PingTimer::new(10, 5_000, START);
        assert_eq!(timer.tick(Timestamp(9_000)), PingAction::SendPingreq);
        timer.set_paused(true, Timestamp(9_001));
        assert_eq!(timer.tick(Timestamp(18_000)), PingAction::SendPingreq);
        assert_eq!(timer.tick(Timestamp(27_000)), PingAction::SendPingreq);
        timer.set_paused(false, Timestamp(27_001));
        assert_eq!(timer.tick(Timestamp(32_000)), PingAction::Nothing);
        assert_eq!(timer.tick(Timestamp(32_001)), PingAction::Close);
    }
}
