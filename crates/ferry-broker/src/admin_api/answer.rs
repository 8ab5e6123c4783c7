use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

use super::problem::Problem;

/// What is answered to a request.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    content_type: &'static str,
    body: Bytes,
    allow: Option<String>,
    /// What the audit log is told besides the request.
    pub(super) about: Option<String>,
}

/// The body of an answer, in one piece.
pub(super) struct WholeBody(Option<Bytes>);

impl Answer {
    pub(super) fn json(value: &serde_json::Value) -> Self {
        Self::text("application/json", value.to_string())
    }

    pub(super) fn text(content_type: &'static str, text: String) -> Self {
        Self { status: StatusCode::OK, content_type, body: text.into(), allow: None, about: None }
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The audit log is told this, too.
    pub(super) fn about(self, words: String) -> Self {
        Self { about: Some(words), ..self }
    }

    pub(super) fn into_response(self) -> Response<WholeBody> {
        let mut response = Response::new(WholeBody(Some(self.body)));
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
        Self {
            status: problem.status,
            content_type: "application/problem+json",
            body: problem.to_json().to_string().into(),
            allow: problem.allow,
            about: None,
        }
    }
}

impl Body for WholeBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
