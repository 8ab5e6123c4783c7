use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use ferry_net::PeerAddress;
use hyper::body::{Body, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::{HeaderMap, Method, Request, StatusCode};

use super::answer::Answer;
use super::guard::check_names;
use super::json_body::JsonBody;
use super::problem::Problem;
use super::query::Query;
use super::routes::{Access, Route, find};
use super::state::{AdminState, InForce};
use super::tokens::{Caller, Unknown};
use crate::config::{AdminRole, OpenMetrics};

/// What an operation is told of the request.
pub(super) struct Call {
    pub(super) state: Arc<AdminState>,
    pub(super) in_force: Arc<InForce>,
    pub(super) query: Query,
    /// What stands for `{...}` in the path.
    pub(super) captured: String,
    pub(super) body: JsonBody,
}

/// Does what is asked, if it may be done.
///
/// # Errors
/// It cannot, or may not be done.
pub(super) async fn respond(
    state: &Arc<AdminState>,
    peer: PeerAddress,
    request: Request<Incoming>,
) -> Result<Answer, Problem> {
    let in_force = state.in_force();
    if !matches!(peer, PeerAddress::Unix { .. }) {
        check_names(request.headers(), &in_force.config.admin)?;
    }
    // Whoever may read may ask for the headers alone; the body is left out later.
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let (route, captured) = find(method, request.uri().path())?;
    let caller = authenticate(&in_force, peer, route, request.headers())?;
    let names: Vec<&str> = route.query.iter().map(|parameter| parameter.name).collect();
    let query = Query::parse(request.uri().query().unwrap_or_default())?;
    query.check_names(&names)?;
    if let Some(missing) =
        route.query.iter().find(|parameter| parameter.required && query.get(parameter.name).is_none())
    {
        let detail = format!("the parameter {} is not there", missing.name);
        return Err(Problem::bad_request(detail, missing.about));
    }
    let act = format!("{} {}", request.method(), request.uri());
    if route.body.is_some() {
        check_content_type(request.headers())?;
    }
    let body = read_body(request.into_body(), in_force.config.admin.body_bytes_max).await?;
    let state = Arc::clone(state);
    let answer = route.operation.run(Call { state, in_force, query, captured, body: JsonBody(body) }).await;
    if route.method != Method::GET {
        audit(caller.as_ref(), peer, &act, &answer);
    }
    answer
}

/// Tells the log, under the target `audit`, who has done what, or has tried to.
fn audit(caller: Option<&Caller>, peer: PeerAddress, act: &str, result: &Result<Answer, Problem>) {
    let who = caller.map_or("nobody", |caller| &caller.name);
    match result {
        Ok(answer) => {
            let about = answer.about.as_ref().map(|about| format!(", {about:?}")).unwrap_or_default();
            tracing::info!(target: "audit", "audit: {who:?} from {peer}: {act:?}: done{about}");
        }
        Err(problem) => tracing::info!(
            target: "audit",
            "audit: {who:?} from {peer}: {act:?}: not done ({}), {}",
            problem.status.as_u16(),
            problem.detail
        ),
    }
}

/// # Errors
/// What comes is not said to be JSON: a page of another site could send that without being asked.
fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = format!("the body is said to be {kind:?}");
    let remedy = "send JSON with the header Content-Type: application/json";
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "content-type",
        "The body is no JSON",
        detail,
        remedy,
    ))
}

/// Who asks, if that may be done by them.
fn authenticate(
    in_force: &InForce,
    peer: PeerAddress,
    route: &Route,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Problem> {
    if let PeerAddress::Unix { user_id, .. } = peer {
        // The rights of the file have let them in.
        let name = user_id.map_or("unix".to_owned(), |user_id| format!("unix user {user_id}"));
        return Ok(Some(Caller { name, role: AdminRole::Admin }));
    }
    let admin = &in_force.config.admin;
    let is_open = match (route.access, admin.metrics_without_token) {
        (Access::Everybody, _) | (Access::Metrics, OpenMetrics::Yes) => true,
        (Access::Metrics, OpenMetrics::Local) => {
            admin.address.as_ref().is_some_and(|address| address.is_local_only())
        }
        _ => false,
    };
    let needed = match route.access {
        _ if is_open => return Ok(None),
        Access::Everybody | Access::Metrics => AdminRole::Viewer,
        Access::Role(role) => role,
    };
    let caller = in_force.tokens.caller(headers).map_err(|unknown| unauthorized(unknown, needed))?;
    if caller.role < needed {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "role",
            "The role is not enough",
            format!(
                "the token {:?} has the role {:?}; this needs {:?}",
                caller.name,
                caller.role.name(),
                needed.name()
            ),
            "use a token with that role",
        ));
    }
    Ok(Some(caller))
}

fn unauthorized(unknown: Unknown, needed: AdminRole) -> Problem {
    let detail = match unknown {
        Unknown::NoToken => "there is no token in the request",
        Unknown::WrongToken => "the token is not one of this broker",
    };
    let remedy = format!(
        "send the header Authorization: Bearer SECRET with the secret of an [[admin.token]] whose role is at least {:?}, or \
         use the Unix socket admin.sock in the data directory",
        needed.name()
    );
    Problem::new(StatusCode::UNAUTHORIZED, "token", "A token is needed", detail, remedy)
}

/// The whole body.
///
/// # Errors
/// It is too large, or does not come to its end.
async fn read_body(mut body: Incoming, bytes_max: usize) -> Result<Vec<u8>, Problem> {
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The body is too large",
            format!("it has more than {bytes_max} bytes"),
            "send less, or raise admin.body_bytes_max",
        )
    };
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| {
            Problem::bad_request(format!("the body is broken: {error}"), "send it as its headers say")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}
