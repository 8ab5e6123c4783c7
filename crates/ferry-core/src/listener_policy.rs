use std::sync::Arc;

use ferry_codec::{ProtocolVersion, QoS};

/// What the connections of one listener may do; shared by all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerPolicy {
    /// Name of the listener in logs and `$SYS`, such as `tcp://127.0.0.1:1883`.
    pub name: Box<str>,
    /// Who judges its clients, in this order, by the names that the authenticator knows. Nothing to the core.
    pub authenticators: Arc<[Box<str>]>,
    /// Let in clients that prove nothing. The authenticator decides; this is what it is told.
    pub anonymous_allowed: bool,
    /// Accept MQTT 3.1.
    pub v31_allowed: bool,
    /// Accept MQTT 3.1.1.
    pub v311_allowed: bool,
    /// Accept MQTT 5.0.
    pub v5_allowed: bool,
    /// The highest QoS taken from and granted to clients here; the lower of this and
    /// [`CoreConfig::maximum_qos`](crate::CoreConfig::maximum_qos) holds.
    pub maximum_qos: QoS,
    /// Longest Keep Alive in seconds, sent to 5.0 clients as Server Keep Alive. `None`: that of
    /// [`CoreConfig::keep_alive_seconds_max`](crate::CoreConfig::keep_alive_seconds_max).
    pub keep_alive_seconds_max: Option<u16>,
}

impl ListenerPolicy {
    /// Whether clients of `version` are accepted.
    #[must_use]
    pub fn allows(&self, version: ProtocolVersion) -> bool {
        match version {
            ProtocolVersion::V31 => self.v31_allowed,
            ProtocolVersion::V311 => self.v311_allowed,
            ProtocolVersion::V5 => self.v5_allowed,
        }
    }
}

impl Default for ListenerPolicy {
    fn default() -> Self {
        Self {
            name: Box::from(""),
            authenticators: Arc::default(),
            anonymous_allowed: true,
            v31_allowed: true,
            v311_allowed: true,
            v5_allowed: true,
            maximum_qos: QoS::ExactlyOnce,
            keep_alive_seconds_max: None,
        }
    }
}
