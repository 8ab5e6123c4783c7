//! `/api/v1/clients/{client_id}/trace`: what one client sends and is sent, as it happens.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep, interval_at, sleep};

use super::answer::Answer;
use super::problem::Problem;
use super::request::Call;
use crate::driver::{Clock, TRACES_MAX, TraceLines, end_line, start_line};

/// How long a trace may be asked to last.
pub(super) const SECONDS_MAX: u64 = 3_600;

/// How many events it may be asked for.
pub(super) const EVENTS_MAX: u64 = 1_000_000;

/// Bytes of each payload that may be asked for.
pub(super) const PAYLOAD_BYTES_MAX: u64 = 65_536;

const SECONDS_DEFAULT: u64 = 60;
const EVENTS_DEFAULT: u64 = 10_000;

/// While nothing happens an empty line comes so often: readers see that the broker is there, and the broker that they are.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Lines on their way to a reader, to their limit.
pub(super) struct TraceBody {
    lines: TraceLines,
    clock: Clock,
    first: Option<String>,
    until: Pin<Box<Sleep>>,
    silence: Interval,
    events: u64,
    events_max: u64,
    is_over: bool,
}

/// Begins a trace.
///
/// # Errors
/// A parameter is wrong, there are too many traces, or the shard does not answer in time.
pub(super) async fn trace(call: &Call) -> Result<Answer, Problem> {
    let seconds = call.query.number("seconds", 1, SECONDS_MAX)?.unwrap_or(SECONDS_DEFAULT);
    let events_max = call.query.number("events", 1, EVENTS_MAX)?.unwrap_or(EVENTS_DEFAULT);
    let payload_bytes_max = call.query.number("payload_bytes", 0, PAYLOAD_BYTES_MAX)?.unwrap_or(0);
    let client_id = call.captured.clone();
    let started = call.state.ask_home(&call.captured, move |driver| {
        // It is at most 65,536.
        driver.start_trace(&client_id, payload_bytes_max as usize)
    });
    let Some((is_connected, lines)) = started.await? else {
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-traces",
            "There are too many traces",
            format!("{TRACES_MAX} clients of this shard are traced already"),
            "end one of the other traces, or wait until it ends",
        ));
    };
    let time = Duration::from_secs(seconds);
    let clock = call.state.clock;
    let mut silence = interval_at(Instant::now() + SILENCE_MAX, SILENCE_MAX);
    silence.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let body = TraceBody {
        lines,
        clock,
        first: Some(format!("{}\n", start_line(&call.captured, is_connected, clock.now()))),
        until: Box::pin(sleep(time)),
        silence,
        events: 0,
        events_max,
        is_over: false,
    };
    Ok(Answer::lines(body, time))
}

impl TraceBody {
    /// The next piece; `None` at the end.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first.into()));
        }
        if self.events >= self.events_max {
            return self.end("as many events as were asked for");
        }
        if self.until.as_mut().poll(context).is_ready() {
            return self.end("the time that was asked for");
        }
        match self.lines.poll_next(context) {
            Poll::Ready(Some(line)) => {
                self.events += 1;
                self.silence.reset();
                Poll::Ready(Some(line.into()))
            }
            Poll::Ready(None) => self.end("the broker is shutting down"),
            Poll::Pending => self.silence.poll_tick(context).map(|_| Some(Bytes::from_static(b"\n"))),
        }
    }

    fn end(&mut self, cause: &str) -> Poll<Option<Bytes>> {
        self.is_over = true;
        let line = end_line(cause, self.clock.now(), self.events, self.lines.missed());
        Poll::Ready(Some(format!("{line}\n").into()))
    }
}
