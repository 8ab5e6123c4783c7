use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tokio::time::timeout;

use crate::client::Inner;
use crate::clock::random_seed;
use crate::session::Filter;
use crate::shared::Phase;
use crate::{Client, Message, PublishError, ReasonCode, SubscribeError, Subscription};

/// The answers to one request, as they come: a stream. Dropped, further ones are of no interest.
#[derive(Debug)]
pub struct Responses {
    subscription: Subscription,
    correlation_data: Vec<u8>,
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// MQTT 3.1.1 has no requests.
    NotSupported,
    /// The request could not be published.
    Publish(PublishError),
    /// The topic of the answers could not be subscribed to.
    Subscribe(SubscribeError),
    /// The server says that nobody has subscribed to the topic of the request. Only known with QoS 1 and 2.
    NoResponder,
    /// No answer came in time.
    TimedOut,
    /// The client has ended.
    Ended,
}

impl Client {
    /// Publishes a request and waits for one answer (section 4.10; 5.0 only). Response Topic and Correlation Data are set
    /// here; whoever answers uses [`Message::response`].
    ///
    /// # Errors
    /// There is none.
    pub async fn request(&self, request: Message, patience: Duration) -> Result<Message, RequestError> {
        let answer = async {
            let mut responses = self.request_many(request).await?;
            responses.recv().await.ok_or(RequestError::Ended)
        };
        timeout(patience, answer).await.unwrap_or(Err(RequestError::TimedOut))
    }

    /// Publishes a request to which many may answer: a stream of their answers, which ends when it is dropped.
    ///
    /// # Errors
    /// The request could not be made.
    pub async fn request_many(&self, request: Message) -> Result<Responses, RequestError> {
        let inner = &self.inner;
        if inner.shared.lock().session.protocol_version().is_v3() {
            return Err(RequestError::NotSupported);
        }
        let base = inner.response_base.get_or_try_init(|| subscribe_to_responses(inner)).await?;
        let number = inner.last_request.fetch_add(1, Ordering::Relaxed);
        let topic = format!("{base}/{number}");
        let correlation_data = number.to_be_bytes().to_vec();
        let subscription = self.listen([topic.as_str()]);
        let request = request.response_topic(topic).correlation_data(correlation_data.clone());
        let published = self.publish(request).await.map_err(RequestError::Publish)?;
        if published.reason_code == ReasonCode::NO_MATCHING_SUBSCRIBERS {
            return Err(RequestError::NoResponder);
        }
        Ok(Responses { subscription, correlation_data })
    }
}

/// Subscribes to the answers of all requests of this client: below what the server proposes, or a topic that nobody can
/// guess.
async fn subscribe_to_responses(inner: &Arc<Inner>) -> Result<String, RequestError> {
    let connected = inner.shared.wait_for(|phase| match phase {
        Phase::Connected(connected) => Some(Ok(Arc::clone(connected))),
        Phase::Ended(_) => Some(Err(RequestError::Ended)),
        Phase::Idle | Phase::Connecting | Phase::Disconnected => None,
    });
    let connected = connected.await?;
    let base = match &connected.response_information {
        Some(base) => format!("{}/{:016x}", base.trim_end_matches('/'), random_seed()),
        None => format!("responses/{:016x}{:016x}", random_seed(), random_seed()),
    };
    // The streams of the single requests take the answers.
    let answer = inner.subscribe_without_stream(vec![Filter::new(format!("{base}/+"))]);
    let answer = answer.map_err(RequestError::Subscribe)?.await.map_err(|_| RequestError::Ended)?;
    if answer.reason_codes.iter().any(|code| code.is_error()) {
        let (reason_codes, reason_string) = (answer.reason_codes, answer.reason_string);
        return Err(RequestError::Subscribe(SubscribeError::Rejected { reason_codes, reason_string }));
    }
    Ok(base)
}

impl Responses {
    /// The next answer; `None` when the client has ended.
    pub async fn recv(&mut self) -> Option<Message> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            let Some(message) = ready!(Pin::new(&mut self.subscription).poll_next(context)) else {
                return Poll::Ready(None);
            };
            let data =
                message.properties.as_ref().and_then(|properties| properties.correlation_data.as_deref());
            // Some do not send it back; the topic is for this request alone.
            if data.is_none_or(|data| data == self.correlation_data) {
                return Poll::Ready(Some(message));
            }
        }
    }
}

impl Stream for Responses {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        self.get_mut().poll_recv(context)
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSupported => f.write_str("MQTT 3.1.1 has no requests"),
            Self::Publish(error) => error.fmt(f),
            Self::Subscribe(error) => error.fmt(f),
            Self::NoResponder => f.write_str("nobody has subscribed to the topic of the request"),
            Self::TimedOut => f.write_str("no answer came in time"),
            Self::Ended => f.write_str("the client has ended"),
        }
    }
}

impl std::error::Error for RequestError {}
