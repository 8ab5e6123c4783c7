use std::ops::AddAssign;

/// What has passed between the broker and a client, in bytes and messages of MQTT: without what TLS, WebSocket and TCP add.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes of packets that the client has sent, its CONNECT among them.
    pub bytes_received: u64,
    /// Bytes of packets that were written to it.
    pub bytes_sent: u64,
    /// PUBLISH packets that it has sent, those that were refused among them.
    pub messages_received: u64,
    /// PUBLISH packets made for it, those that were sent again among them.
    pub messages_sent: u64,
}

impl Traffic {
    /// In both directions.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes_received + self.bytes_sent
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.bytes_received += other.bytes_received;
        self.bytes_sent += other.bytes_sent;
        self.messages_received += other.messages_received;
        self.messages_sent += other.messages_sent;
    }
}
