use std::fmt;

use hyper::StatusCode;
use serde_json::{Value, json};

/// Why a request was not done, as a problem document of RFC 9457. Its `remedy` says what to do.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// The last part of `type`, which programs may go by.
    kind: &'static str,
    title: &'static str,
    pub(super) detail: String,
    remedy: String,
    /// The methods that there are, with 405.
    pub(super) allow: Option<String>,
}

impl Problem {
    pub(super) fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl fmt::Display,
        remedy: impl fmt::Display,
    ) -> Self {
        Self { status, kind, title, detail: detail.to_string(), remedy: remedy.to_string(), allow: None }
    }

    /// Something in the request is wrong.
    pub(super) fn bad_request(detail: impl fmt::Display, remedy: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "The request is wrong", detail, remedy)
    }

    /// There is no such thing.
    pub(super) fn not_found(detail: impl fmt::Display, remedy: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail, remedy)
    }

    /// The path is there, but not with this method.
    pub(super) fn wrong_method(allow: String) -> Self {
        let detail = format!("this path has only {allow}");
        let remedy = "see /api/v1/openapi.json";
        let title = "There is no such method here";
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", title, detail, remedy);
        Self { allow: Some(allow), ..problem }
    }

    /// A shard did not answer.
    pub(super) fn no_answer() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no-answer",
            "A shard did not answer in time",
            "a shard is busy, or the broker is shutting down",
            "try again; if it stays so, look at the log and at the processor time of the broker",
        )
    }

    /// It holds now, but could not be written to the data directory.
    pub(super) fn not_kept(words: impl fmt::Display) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "not-kept",
            "It is in force, but not kept",
            format!("after a restart it is forgotten: {words}"),
            "see to the disk, then do it again",
        )
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "type": format!("urn:ferry:problem:{}", self.kind),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "remedy": self.remedy,
        })
    }
}
