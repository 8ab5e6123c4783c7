use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

use super::problem::Problem;
use super::trace::TraceBody;

/// What is answered to a request.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    content_type: &'static str,
    body: AnswerBody,
    allow: Option<String>,
    /// What the audit log is told besides the request.
    pub(super) about: Option<String>,
    /// How long the body may take to come.
    pub(super) lasts: Duration,
}

/// The body of an answer.
pub(super) enum AnswerBody {
    /// In one piece.
    Whole(Option<Bytes>),
    /// As it happens.
    Lines(Box<TraceBody>),
}

impl Answer {
    pub(super) fn json(value: &serde_json::Value) -> Self {
        Self::text("application/json", value.to_string())
    }

    pub(super) fn text(content_type: &'static str, text: String) -> Self {
        Self::new(StatusCode::OK, content_type, AnswerBody::Whole(Some(text.into())))
    }

    /// Lines of JSON, for as long as this at most.
    pub(super) fn lines(body: TraceBody, lasts: Duration) -> Self {
        let body = AnswerBody::Lines(Box::new(body));
        Self { lasts, ..Self::new(StatusCode::OK, "application/x-ndjson", body) }
    }

    fn new(status: StatusCode, content_type: &'static str, body: AnswerBody) -> Self {
        Self { status, content_type, body, allow: None, about: None, lasts: Duration::ZERO }
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The audit log is told this, too.
    pub(super) fn about(self, words: String) -> Self {
        Self { about: Some(words), ..self }
    }

    pub(super) fn into_response(self) -> Response<AnswerBody> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"ferry\""));
        }
        if let Some(allow) = self.allow.and_then(|allow| HeaderValue::from_str(&allow).ok()) {
            headers.insert(ALLOW, allow);
        }
        response
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let body = AnswerBody::Whole(Some(problem.to_json().to_string().into()));
        Self { allow: problem.allow, ..Self::new(problem.status, "application/problem+json", body) }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().filter(|bytes| !bytes.is_empty())),
            Self::Lines(lines) => lines.poll_next(context),
        };
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Lines(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Lines(_) => SizeHint::default(),
        }
    }
}
