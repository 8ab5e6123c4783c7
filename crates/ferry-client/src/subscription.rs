use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::client::Inner;
use crate::mailbox::MailboxId;
use crate::{Message, ReasonCode, SubscribeError};

/// The messages that match some filters: a stream.
///
/// Each message goes to all streams with a filter that matches it; if several take one of QoS 1 or 2, it is acknowledged
/// by the first of them that is still there.
///
/// Dropping a stream does not unsubscribe: a session that outlives the program goes on collecting. What a dropped stream
/// has not taken goes to the stream that takes what nobody else wants ([`Client::listen`](crate::Client::listen) without
/// filters). If there is none, messages of QoS 1 and 2 of such a session stay unacknowledged for a second, for a client
/// that is dropped or disconnected after its streams: then the server sends them again to the next connection. If the
/// client is still there after that second, they are acknowledged and told as
/// [`Event::Unclaimed`](crate::Event::Unclaimed), so that they do not keep the server from sending others. A stream that
/// is opened meanwhile and has a filter for them gets them.
#[derive(Debug)]
pub struct Subscription {
    pub(crate) inner: Arc<Inner>,
    pub(crate) mailbox: MailboxId,
    pub(crate) filters: Vec<String>,
    pub(crate) reason_codes: Vec<ReasonCode>,
}

/// What is owed to the server for a message of QoS 1 or 2: nothing is sent until [`send`](Self::send) or
/// [`refuse`](Self::refuse). Dropped, the message stays unacknowledged, and comes again on a later connection of the session.
#[derive(Debug)]
#[must_use = "a message that is not acknowledged comes again, and too many of them stop the server from sending more"]
pub struct Acknowledgement {
    inner: Arc<Inner>,
    number: Option<u64>,
}

impl Subscription {
    /// The next message, acknowledged as it is taken; `None` when the client has ended and nothing is left.
    pub async fn recv(&mut self) -> Option<Message> {
        std::future::poll_fn(|context| self.poll_recv(context)).await
    }

    /// The next message, to be acknowledged by the caller when it is done with it.
    pub async fn recv_unacknowledged(&mut self) -> Option<(Message, Acknowledgement)> {
        let taken =
            std::future::poll_fn(|context| self.inner.shared.poll_take(self.mailbox, false, context)).await?;
        let acknowledgement =
            Acknowledgement { inner: Arc::clone(&self.inner), number: taken.acknowledgement };
        Some((taken.message, acknowledgement))
    }

    /// The next message if there is one already, acknowledged as it is taken.
    pub fn try_recv(&mut self) -> Option<Message> {
        self.inner.shared.try_take(self.mailbox)
    }

    /// The filters, in the order of the SUBSCRIBE.
    #[must_use]
    pub fn filters(&self) -> &[String] {
        &self.filters
    }

    /// What the server granted: one for each filter, the QoS or, from 0x80, why it refused. Empty if nothing was asked.
    #[must_use]
    pub fn reason_codes(&self) -> &[ReasonCode] {
        &self.reason_codes
    }

    /// Unsubscribes from all its filters, and waits for the answer.
    ///
    /// # Errors
    /// If the client ends first.
    pub async fn unsubscribe(self) -> Result<Vec<ReasonCode>, SubscribeError> {
        self.inner.unsubscribe(self.filters.clone()).await
    }

    fn poll_recv(&mut self, context: &Context<'_>) -> Poll<Option<Message>> {
        let taken = self.inner.shared.poll_take(self.mailbox, true, context);
        taken.map(|taken| taken.map(|taken| taken.message))
    }
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        self.get_mut().poll_recv(context)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.inner.shared.close_mailbox(self.mailbox);
    }
}

impl Acknowledgement {
    /// Acknowledges the message. The server gets the acknowledgements in the order of the messages `[MQTT-4.6.0-2]`.
    pub fn send(self) {
        self.inner.shared.acknowledge(self.number, ReasonCode::SUCCESS);
    }

    /// Refuses the message, with a reason code from 0x80; in 3.1.1 that acknowledges it.
    pub fn refuse(self, reason_code: ReasonCode) {
        self.inner.shared.acknowledge(self.number, reason_code);
    }
}
