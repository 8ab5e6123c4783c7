use crate::{Refusal, Verdict};

/// One conversation of enhanced authentication (MQTT 5.0 section 4.12), by a method such as SCRAM: from the CONNECT, or the
/// AUTH that starts re-authentication, to its end.
pub trait Exchange: Send {
    /// Answers the Authentication Data of the client's next packet; `None` when it sent none.
    fn step(&mut self, data: Option<Box<[u8]>>) -> Verdict<Step>;
}

/// What follows a client's Authentication Data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// More is needed: AUTH with 0x18 (Continue authentication) [MQTT-4.12.0-2].
    Continue {
        /// Authentication Data for the client.
        data: Option<Box<[u8]>>,
    },
    /// Proven: CONNACK, or AUTH with 0x00 after re-authentication.
    Accept {
        /// The name that permissions go by. Re-authentication cannot change it.
        user_name: Option<Box<str>>,
        /// Authentication Data of the last answer, by which some methods prove the server.
        data: Option<Box<[u8]>>,
        /// When what was proven expires, and the connection is to end unless the client authenticates again; `None` for never.
        until_unix_seconds: Option<u64>,
    },
    /// Not proven: CONNACK with the reason code, or DISCONNECT after re-authentication [MQTT-4.12.0-4].
    Refuse {
        /// What the client is told.
        refusal: Refusal,
        /// Why, for the log alone.
        detail: Box<str>,
    },
}
