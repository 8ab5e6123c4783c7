use std::fmt;
use std::sync::Arc;

use ferry_session::Timestamp;

use crate::{Certificate, ConnId, Grants};

/// Asks the driver to judge a client. It answers, at once or later, with
/// [`Event::Authenticated`](crate::Event::Authenticated).
#[derive(Debug)]
pub struct AuthRequest {
    /// The connection to answer for.
    pub conn: ConnId,
    /// What is to be judged.
    pub step: AuthStep,
}

/// One step of authentication.
#[derive(Debug)]
pub enum AuthStep {
    /// A CONNECT without an Authentication Method (section 3.1.3.5).
    Connect(Credentials),
    /// Enhanced authentication begins (section 4.12), or begins again for a connected client (section 4.12.1).
    Start {
        /// What else the client said of itself.
        credentials: Credentials,
        /// The Authentication Method.
        method: Box<str>,
        /// The Authentication Data, if there was any.
        data: Option<Box<[u8]>>,
        /// The client is connected already and goes on meanwhile with the rights it has.
        reauthenticate: bool,
    },
    /// The client's answer to [`AuthOutcome::Continue`].
    Continue {
        /// The Authentication Data, if there was any.
        data: Option<Box<[u8]>>,
    },
}

/// What a client says of itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The client identifier as the session will use it, assigned if the client sent none.
    pub client_id: Box<str>,
    /// User Name of the CONNECT.
    pub user_name: Option<Box<str>>,
    /// Password of the CONNECT; in MQTT 5.0 also without a user name.
    pub password: Option<Box<[u8]>>,
    /// As in [`ConnInfo`](crate::ConnInfo).
    pub peer_address: Box<str>,
    /// As in [`ConnInfo`](crate::ConnInfo).
    pub certificate_common_name: Option<Box<str>>,
    /// As in [`ConnInfo`](crate::ConnInfo).
    pub certificate: Option<Certificate>,
    /// Protocol Version of the CONNECT: 3, 4 or 5.
    pub protocol_version: u8,
    /// As the name in [`ListenerPolicy`](crate::ListenerPolicy).
    pub listener: Box<str>,
    /// As in [`ConnInfo`](crate::ConnInfo).
    pub psk_identity: Option<Box<str>>,
    /// As in [`ListenerPolicy`](crate::ListenerPolicy).
    pub authenticators: Arc<[Box<str>]>,
    /// As in [`ListenerPolicy`](crate::ListenerPolicy).
    pub anonymous_allowed: bool,
}

impl fmt::Debug for Credentials {
    /// Without the password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("client_id", &self.client_id)
            .field("user_name", &self.user_name)
            .field("has_password", &self.password.is_some())
            .field("peer_address", &self.peer_address)
            .field("certificate_common_name", &self.certificate_common_name)
            .field("psk_identity", &self.psk_identity)
            .finish_non_exhaustive()
    }
}

/// The judgement on an [`AuthRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthOutcome {
    /// The client is who it says.
    Accept {
        /// The name that permissions go by; `None` for an anonymous client.
        user_name: Option<Box<str>>,
        /// Authentication Data of the last answer of an enhanced authentication.
        data: Option<Box<[u8]>>,
        /// When the connection is to end, unless the client has authenticated again; [`Timestamp::NEVER`] for never.
        until: Timestamp,
        /// For the authorizer. Re-authentication does not change it.
        grants: Option<Grants>,
    },
    /// Enhanced authentication needs another step: AUTH with 0x18 [MQTT-4.12.0-2].
    Continue {
        /// Authentication Data for the client.
        data: Option<Box<[u8]>>,
    },
    /// Not let in, or not any longer [MQTT-4.12.0-4] [MQTT-4.12.1-2].
    Reject {
        /// At least 0x80; in CONNACK, or in DISCONNECT after re-authentication.
        reason_code: ferry_codec::ReasonCode,
        /// Words for people.
        reason_string: Option<Box<str>>,
        /// Words for the log, which the client is not told.
        detail: Option<Box<str>>,
        /// Another server, with 0x9C or 0x9D.
        server_reference: Option<Box<str>>,
    },
}
