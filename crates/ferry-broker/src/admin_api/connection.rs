use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ferry_net::{Accepted, ListenerOptions, PeerAddress};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use tokio::time::{Instant, sleep_until, timeout};

use super::answer::{Answer, AnswerBody};
use super::problem::Problem;
use super::request::respond;
use super::state::AdminState;
use super::stream_io::{RuntimeTimer, StreamIo};

/// Headers of one request.
const HEADERS_MAX: usize = 64;

/// How long a connection is used for one request after the other; whoever reads too slowly loses it, too.
const CONNECTION_MAX: Duration = Duration::from_secs(300);

/// How long a connection may be used.
struct Lifetime {
    began: Instant,
    milliseconds: AtomicU64,
}

impl Lifetime {
    fn new() -> Self {
        Self { began: Instant::now(), milliseconds: AtomicU64::new(CONNECTION_MAX.as_millis() as u64) }
    }

    fn end(&self) -> Instant {
        self.began + Duration::from_millis(self.milliseconds.load(Ordering::Relaxed))
    }

    /// An answer takes so long from now on.
    fn extend(&self, lasts: Duration) {
        let milliseconds = (self.began.elapsed() + lasts).as_millis() as u64;
        self.milliseconds.fetch_max(milliseconds, Ordering::Relaxed);
    }
}

/// Serves a connection to its end.
pub(super) async fn serve(accepted: Accepted, options: &ListenerOptions, state: Arc<AdminState>) {
    let stream = match accepted.handshake(options).await {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!("refused by the admin API: {error}"),
    };
    let peer = stream.peer().address;
    let admin = &state.in_force().config.admin;
    let time = Duration::from_secs(u64::from(admin.request_timeout_seconds));
    let lifetime = Lifetime::new();
    let service = service_fn(|request| answer(&state, peer, time, &lifetime, request));
    let connection = http1::Builder::new()
        .timer(RuntimeTimer)
        .header_read_timeout(time)
        .max_headers(HEADERS_MAX)
        .max_buf_size(admin.header_bytes_max)
        .serve_connection(StreamIo(stream), service);
    let mut connection = pin!(connection);
    let ended = loop {
        tokio::select! {
            ended = &mut connection => break ended,
            () = sleep_until(lifetime.end()) => {}
        }
        // It may have become longer meanwhile.
        if lifetime.end() <= Instant::now() {
            connection.as_mut().graceful_shutdown();
            break timeout(time, connection).await.unwrap_or(Ok(()));
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection of {peer} to the admin API has failed: {error}");
    }
}

async fn answer(
    state: &Arc<AdminState>,
    peer: PeerAddress,
    time: Duration,
    lifetime: &Lifetime,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let answer = match timeout(time, respond(state, peer, request)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(problem)) => problem.into(),
        Err(_) => Answer::from(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            "The request took too long",
            format!("it was not complete and answered within {} s", time.as_secs()),
            "send less at a time, ask for smaller pages, or raise admin.request_timeout_seconds",
        )),
    };
    state.count_answer(answer.status.as_u16());
    lifetime.extend(answer.lasts);
    Ok(answer.into_response())
}
