use ferry_core::SessionView;

/// What the broker has of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestSession {
    /// The Client Identifier.
    pub client_id: String,
    /// Whether it is connected now.
    pub is_connected: bool,
    /// How many subscriptions it has.
    pub subscriptions: usize,
    /// Messages that wait for it.
    pub queued_messages: usize,
    /// Messages that were sent to it and are not acknowledged.
    pub inflight_messages: usize,
    /// Seconds that it outlives its connection; `u32::MAX` is for ever.
    pub expiry_interval_seconds: u32,
}

impl TestSession {
    pub(crate) fn new(session: &SessionView<'_>) -> Self {
        Self {
            client_id: session.client_id.to_owned(),
            is_connected: session.conn.is_some(),
            subscriptions: session.subscriptions,
            queued_messages: session.queued_messages,
            inflight_messages: session.inflight_messages,
            expiry_interval_seconds: session.expiry_interval_seconds,
        }
    }
}
