use ferry_codec::{Disconnect, Packet, ReasonCode};
use ferry_session::Timestamp;

use super::client_session::State;
use super::{ClientSession, CloseReason, Fault, ServerReason};
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

impl ClientSession {
    /// Ends the connection with DISCONNECT. Nothing is sent after it `[MQTT-3.14.4-2]`, `[MQTT3-3.14.4-2]`, and the driver
    /// closes the connection `[MQTT-3.14.4-1]`, `[MQTT3-3.14.4-1]`.
    ///
    /// In 3.x a reason code from 0x04 is expressed by closing without DISCONNECT, so that the will is published.
    pub fn disconnect(&mut self, now: Timestamp, options: &DisconnectOptions) {
        match self.state {
            State::Disconnected | State::Closing => return,
            // A 3.x server takes nothing before its CONNACK has gone out, and there is nothing to end.
            State::AwaitConnack { .. } => {}
            State::Connected(_) => {
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
                let wants_will = options.reason_code != ReasonCode::NORMAL_DISCONNECTION;
                if !(self.options.protocol_version.is_v3() && wants_will) {
                    self.write(now, &Packet::Disconnect(disconnect));
                }
            }
        }
        self.close(CloseReason::Requested(options.reason_code));
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
            self.write(now, &Packet::Disconnect(Disconnect::new(of_client(reason_code))));
        }
    }
}

/// Table 3-10: what a client may send.
fn of_client(reason_code: ReasonCode) -> ReasonCode {
    match reason_code.code() {
        0x00 | 0x04 | 0x80..=0x83 | 0x90 | 0x93..=0x99 => reason_code,
        _ => ReasonCode::PROTOCOL_ERROR,
    }
}
