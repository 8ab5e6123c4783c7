use ferry_codec::{Auth, Packet, ReasonCode};
use ferry_session::Timestamp;

use super::client_session::State;
use super::{ClientSession, CloseReason, Fault, InvalidValue, SessionEvent};

impl ClientSession {
    /// Authenticates again on this connection, with the method of its CONNECT `[MQTT-4.12.1-1]`. False if there is no
    /// mechanism or no connection.
    pub fn re_authenticate(&mut self, now: Timestamp) -> bool {
        let is_v5 = !self.options.protocol_version.is_v3();
        let Some(mechanism) = self.mechanism.as_mut() else { return false };
        // [MQTT-4.12.0-7]: no AUTH without a method in CONNECT.
        if !is_v5 || !matches!(self.state, State::Connected(_)) {
            return false;
        }
        let data = mechanism.start();
        self.write_auth(now, ReasonCode::RE_AUTHENTICATE, &data);
        true
    }

    /// What the mechanism wants done before a connection, where it may wait.
    pub fn preparation(&self) -> Option<Box<dyn FnOnce() + Send>> {
        self.mechanism.as_ref().filter(|_| !self.options.protocol_version.is_v3())?.preparation()
    }

    pub(super) fn auth_received(&mut self, now: Timestamp, auth: &Auth<'_>) -> Result<(), Fault> {
        let Some(mechanism) = self.mechanism.as_mut() else {
            return Err(Fault::protocol_error("AUTH although CONNECT named no method", "MQTT-4.12.0-6"));
        };
        if auth.authentication_method != Some(mechanism.method()) {
            return Err(Fault::protocol_error("AUTH with another method than CONNECT", "MQTT-4.12.0-5"));
        }
        let data = auth.authentication_data.unwrap_or_default();
        if auth.reason_code == ReasonCode::CONTINUE_AUTHENTICATION {
            match mechanism.challenge(data) {
                // [MQTT-4.12.0-3].
                Ok(answer) => self.write_auth(now, ReasonCode::CONTINUE_AUTHENTICATION, &answer),
                Err(why) => self.authentication_failed(now, why),
            }
            return Ok(());
        }
        if !matches!(self.state, State::Connected(_)) {
            return Err(Fault::protocol_error("AUTH 0x00 instead of CONNACK", ""));
        }
        match mechanism.success(data) {
            Ok(()) => self.events.push_back(SessionEvent::Authenticated),
            Err(why) => self.authentication_failed(now, why),
        }
        Ok(())
    }

    fn authentication_failed(&mut self, now: Timestamp, why: String) {
        self.write_disconnect(now, ReasonCode::UNSPECIFIED_ERROR);
        self.close(CloseReason::AuthenticationFailed(why));
    }

    fn write_auth(&mut self, now: Timestamp, reason_code: ReasonCode, data: &[u8]) {
        if let Err(invalid) = InvalidValue::check_bytes("AUTH", "Authentication Data", data) {
            return self.authentication_failed(now, invalid.to_string());
        }
        let method = self.mechanism.as_ref().map(|mechanism| mechanism.method().to_owned());
        let auth = Auth {
            reason_code,
            authentication_method: method.as_deref(),
            authentication_data: Some(data).filter(|data| !data.is_empty()),
            ..Auth::default()
        };
        self.write(now, &Packet::Auth(auth));
    }
}
