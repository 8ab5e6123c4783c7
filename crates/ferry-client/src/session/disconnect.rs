use ferry_codec::{Disconnect, Packet, ProtocolVersion, ReasonCode, UserProperties, encoded_length};
use ferry_session::Timestamp;

use super::client_session::State;
use super::{ClientSession, CloseReason, Fault, InvalidValue, ServerReason};
use crate::message::{owned_pairs, user_properties};

/// What a DISCONNECT says, 5.0 only: a 3.x one says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DisconnectOptions {
    /// 0x00, or 0x04 to have the will published.
    pub reason_code: ReasonCode,
    /// Seconds that the session is to live on; `None`: as said in CONNECT. It cannot be lengthened from 0.
    pub session_expiry_interval: Option<u32>,
    /// Words for people.
    pub reason_string: Option<String>,
    /// Whatever else there is to say.
    pub user_properties: Vec<(String, String)>,
}

impl DisconnectOptions {
    /// Whether a DISCONNECT can say all this.
    ///
    /// # Errors
    /// The first text that is longer than 65,535 bytes or has the character U+0000 `[MQTT-1.5.4-2]`; or a reason code that is
    /// not for clients (Table 3-10).
    pub fn check(&self) -> Result<(), InvalidValue> {
        const OF: &str = "DISCONNECT";
        if !is_of_client(self.reason_code) {
            return Err(InvalidValue { of: OF, name: "Reason Code", why: "not one that a client may send" });
        }
        if let Some(words) = &self.reason_string {
            InvalidValue::check_text(OF, "Reason String", words)?;
        }
        InvalidValue::check_pairs(OF, &self.user_properties)
    }
}

impl ClientSession {
    /// Ends the connection with DISCONNECT. Nothing is sent after it `[MQTT-3.14.4-2]`, `[MQTT3-3.14.4-2]`, and the driver
    /// closes the connection `[MQTT-3.14.4-1]`, `[MQTT3-3.14.4-1]`.
    ///
    /// In 3.x a reason code from 0x04 is expressed by closing without DISCONNECT, so that the will is published.
    ///
    /// # Errors
    /// It cannot say that, see [`DisconnectOptions::check`]: nothing has happened.
    pub fn disconnect(&mut self, now: Timestamp, options: &DisconnectOptions) -> Result<(), InvalidValue> {
        options.check()?;
        match &self.state {
            State::Disconnected | State::Closing => return Ok(()),
            // A 3.x server takes nothing before its CONNACK has gone out, and there is nothing to end.
            State::AwaitConnack { .. } => {}
            State::Connected(connected) => {
                let user_properties = user_properties(&options.user_properties);
                // U5-075: not from 0 to something else.
                let expiry = options.session_expiry_interval;
                let expiry =
                    expiry.filter(|seconds| *seconds == 0 || self.options.session_expiry_interval > 0);
                let disconnect = Disconnect {
                    session_expiry_interval: expiry,
                    reason_string: options.reason_string.as_deref(),
                    user_properties: user_properties.as_user_properties(),
                    ..Disconnect::new(options.reason_code)
                };
                let disconnect = within(disconnect, connected.maximum_packet_size);
                let wants_will = options.reason_code != ReasonCode::NORMAL_DISCONNECTION;
                if !(self.options.protocol_version.is_v3() && wants_will) {
                    self.write(now, &Packet::Disconnect(disconnect));
                }
            }
        }
        self.close(CloseReason::Requested(options.reason_code));
        Ok(())
    }

    pub(super) fn disconnect_received(&mut self, disconnect: &Disconnect<'_>) -> Result<(), Fault> {
        if !matches!(self.state, State::Connected(_)) {
            return Err(Fault::protocol_error("DISCONNECT before CONNACK", "MQTT-3.14.0-1"));
        }
        self.close(CloseReason::Disconnected(ServerReason {
            reason_code: disconnect.reason_code,
            reason_string: disconnect.reason_string.map(str::to_owned),
            server_reference: disconnect.server_reference.map(str::to_owned),
            user_properties: owned_pairs(disconnect.user_properties),
        }));
        Ok(())
    }

    /// The server broke a rule: it is told which (`U5-084`, `U5-013`, `U5-017`), and the connection ends.
    pub(super) fn fault(&mut self, now: Timestamp, fault: Fault) {
        self.write_disconnect(now, fault.reason_code);
        self.close(CloseReason::Fault(fault));
    }

    pub(super) fn write_disconnect(&mut self, now: Timestamp, reason_code: ReasonCode) {
        if !self.options.protocol_version.is_v3() {
            let reason_code =
                if is_of_client(reason_code) { reason_code } else { ReasonCode::PROTOCOL_ERROR };
            self.write(now, &Packet::Disconnect(Disconnect::new(reason_code)));
        }
    }
}

/// What there is no room for in the largest packet that the server takes is left out `[MQTT-3.14.2-3]`, `[MQTT-3.14.2-4]`.
fn within(disconnect: Disconnect<'_>, length_max: u32) -> Disconnect<'_> {
    if encoded_length(&Packet::Disconnect(disconnect), ProtocolVersion::V5) <= length_max as usize {
        return disconnect;
    }
    Disconnect { reason_string: None, user_properties: UserProperties::EMPTY, ..disconnect }
}

/// Table 3-10: whether a client may send it.
fn is_of_client(reason_code: ReasonCode) -> bool {
    matches!(reason_code.code(), 0x00 | 0x04 | 0x80..=0x83 | 0x90 | 0x93..=0x99)
}
