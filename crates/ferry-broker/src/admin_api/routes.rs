//! Every path of the API, with who may use it and what it does.

use hyper::Method;

use super::answer::Answer;
use super::health::{health, ready};
use super::metrics::metrics;
use super::problem::Problem;
use super::request::Call;

/// One path with one method.
pub(super) struct Route {
    pub(super) method: Method,
    path: &'static str,
    pub(super) access: Access,
    /// The parameters of the query.
    pub(super) query: &'static [&'static str],
    pub(super) operation: Operation,
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Whoever reaches it.
    Everybody,
    /// As `admin.metrics_without_token` says, or a viewer.
    Metrics,
}

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Health,
    Ready,
    Metrics,
}

static ROUTES: [Route; 3] = [
    Route {
        method: Method::GET,
        path: "/health",
        access: Access::Everybody,
        query: &[],
        operation: Operation::Health,
    },
    Route {
        method: Method::GET,
        path: "/ready",
        access: Access::Everybody,
        query: &[],
        operation: Operation::Ready,
    },
    Route {
        method: Method::GET,
        path: "/metrics",
        access: Access::Metrics,
        query: &[],
        operation: Operation::Metrics,
    },
];

impl Operation {
    pub(super) async fn run(self, call: Call) -> Result<Answer, Problem> {
        match self {
            Self::Health => health(&call).await,
            Self::Ready => Ok(ready(&call)),
            Self::Metrics => metrics(&call).await,
        }
    }
}

/// The route of a request.
///
/// # Errors
/// There is no such path, or it does not have this method.
pub(super) fn find(method: &Method, path: &str) -> Result<&'static Route, Problem> {
    let mut methods = Vec::new();
    for route in ROUTES.iter().filter(|route| route.path == path) {
        if route.method == *method {
            return Ok(route);
        }
        methods.push(route.method.as_str());
    }
    if methods.is_empty() {
        return Err(Problem::not_found(format!("there is no {path:?}"), "see /health, /ready and /metrics"));
    }
    Err(Problem::wrong_method(methods.join(", ")))
}
