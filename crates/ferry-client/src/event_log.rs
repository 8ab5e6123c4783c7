//! What a client tells those who read logs: what happens to its connections, and never what it sends nor any secret.

use tracing::{Span, debug, field, info, info_span, warn};

use crate::session::CloseReason;
use crate::{ConnectionError, Event, ProtocolVersion, ReasonCode, ServerAddress};

/// The span of one connection, from the attempt to what is told of its end. Its fields tell several clients apart.
#[derive(Debug)]
pub(crate) struct ConnectionLog {
    span: Span,
    /// Whether the span has the Client Identifier, which the server may have to choose first.
    is_named: bool,
}

impl ConnectionLog {
    /// `attempt` counts from 1 since a server accepted a connection last.
    pub(crate) fn new(
        client_id: &str,
        server: &ServerAddress,
        protocol_version: ProtocolVersion,
        attempt: u64,
    ) -> Self {
        let client = (!client_id.is_empty()).then_some(client_id);
        let span = info_span!("mqtt_connection", client_id = client, %server, %protocol_version, attempt);
        Self { span, is_named: client.is_some() }
    }

    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    pub(crate) fn event(&mut self, event: &Event) {
        if let Event::Connected(connected) = event
            && !std::mem::replace(&mut self.is_named, true)
        {
            self.span.record("client_id", field::display(&connected.client_id));
        }
        self.span.in_scope(|| log(event));
    }

    /// The answer to a SUBSCRIBE of the application.
    pub(crate) fn subscribed(&self, filters: &[String], reason_codes: &[ReasonCode]) {
        self.span.in_scope(|| debug!(?filters, reason_codes = ?names(reason_codes), "subscribed"));
    }
}

fn log(event: &Event) {
    match event {
        Event::Connecting(_) => debug!("connecting"),
        Event::Connected(connected) => {
            let keep_alive_seconds = connected.keep_alive_seconds;
            if connected.session_present {
                info!(keep_alive_seconds, "connected, the session goes on");
            } else {
                info!(keep_alive_seconds, "connected, with a new session");
            }
        }
        Event::Disconnected { reason, .. } if is_intended(reason) => info!("disconnected"),
        Event::Disconnected { reason, retry_in_ms, unconfirmed_qos0 } => match retry_in_ms {
            Some(retry_in_ms) => {
                warn!(%reason, unconfirmed_qos0, retry_in_ms, "no connection, trying again");
            }
            None => warn!(%reason, unconfirmed_qos0, "no connection, giving up"),
        },
        Event::Resubscribed { filters, reason_codes } => {
            if reason_codes.iter().any(|code| code.is_error()) {
                let reason_codes = names(reason_codes);
                warn!(?filters, ?reason_codes, "the session was lost, and a subscription is refused now");
            } else {
                info!(?filters, "the session was lost, subscribed again");
            }
        }
        Event::NotPublished { topic, reason } => warn!(topic, %reason, "a message was not delivered"),
        Event::Rejected { topic, reason_code } => {
            warn!(topic, reason_code = reason_code.name(), "the server refused a message");
        }
        Event::Unclaimed { topic } => debug!(topic, "a message was discarded: no stream wanted it"),
        Event::Overflowed { topic } => debug!(topic, "a message was discarded: the streams are full"),
        Event::Authenticated => debug!("authenticated again"),
        // Of one stream of events, not of the client.
        Event::Missed(_) => {}
    }
}

fn is_intended(reason: &ConnectionError) -> bool {
    matches!(reason, ConnectionError::Ended | ConnectionError::Session(CloseReason::Requested(_)))
}

fn names(reason_codes: &[ReasonCode]) -> Vec<&'static str> {
    reason_codes.iter().map(|code| code.name()).collect()
}
