use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use ferry_client::{Client, ConnectionError, DisconnectOptions, ProtocolVersion, PublishError, ReasonCode};
use ferry_client::{CloseReason, SubscribeError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::output;
use crate::progress::messages;

/// Why a client ended that did not do what it should: an exit code, and words for standard error, if there are any.
#[derive(Debug)]
pub(crate) struct Ending {
    exit_code: u8,
    words: String,
}

/// As `mosquitto_pub` ends when the connection is lost.
const CONNECTION_LOST: u8 = 7;

/// As `mosquitto_sub` ends when the time of `-W` is over.
const TIMED_OUT: u8 = 27;

/// As a shell says of a program that SIGINT has ended.
const INTERRUPTED: u8 = 130;

/// How long a server may take to take what is left at the end.
pub(super) const FAREWELL: Duration = Duration::from_secs(5);

impl Ending {
    /// With exit code 1.
    pub(crate) fn failed(words: impl Into<String>) -> Self {
        Self { exit_code: 1, words: words.into() }
    }

    /// What is asked for cannot be meant.
    pub(crate) fn wrong_command_line(words: impl Into<String>) -> Self {
        Self { exit_code: output::WRONG_COMMAND_LINE, words: words.into() }
    }

    /// The time of `-W` is over.
    pub(crate) fn timed_out() -> Self {
        Self { exit_code: TIMED_OUT, words: "timed out".to_owned() }
    }

    /// Ctrl-C or SIGTERM came before what was asked for was done.
    pub(crate) fn interrupted() -> Self {
        Self { exit_code: INTERRUPTED, words: "stopped before the end".to_owned() }
    }

    /// The same, with the place where it happened.
    pub(crate) fn at(self, place: &str) -> Self {
        Self { words: format!("{place}: {}", self.words), ..self }
    }

    /// The same, without telling why: there is nobody to tell.
    pub(crate) fn without_words(self) -> Self {
        Self { words: String::new(), ..self }
    }

    /// The server does not take what it is sent.
    pub(super) fn given_up(connections: u32, reason: &ConnectionError) -> Self {
        Self {
            exit_code: CONNECTION_LOST,
            words: format!(
                "the server closed {connections} connections in a row and acknowledged nothing, the last one so: {reason}; it \
                 may not take a message of this size or topic"
            ),
        }
    }

    /// Says why, unless nobody wants to know; the exit code.
    pub(crate) fn tell(self, quiet: bool) -> ExitCode {
        let Self { exit_code, words } = self;
        if !quiet && !words.is_empty() {
            output::note(format_args!("error: {words}"));
        }
        ExitCode::from(exit_code)
    }

    #[cfg(test)]
    pub(super) fn words(&self) -> &str {
        &self.words
    }

    /// Everything is published, but so many messages may be lost.
    pub(crate) fn perhaps_lost(unconfirmed_qos0: u64) -> Self {
        Self::failed(format!(
            "the connection was lost meanwhile: {} of QoS 0 may not have arrived; -q 1 repeats them",
            messages(unconfirmed_qos0)
        ))
    }

    /// There is no connection: the exit code is what the server said when it refused.
    pub(crate) fn connection(error: &ConnectionError, version: ProtocolVersion) -> Self {
        let exit_code = match error {
            ConnectionError::Session(CloseReason::Refused(reason)) if version.is_v3() => {
                connack_return_code(reason.reason_code)
            }
            _ => error.reason_code().map_or(1, ReasonCode::code),
        };
        Self { exit_code, words: error.to_string() }
    }

    /// The server refused what was published, or it could not be sent.
    pub(crate) fn published(error: &PublishError) -> Self {
        let exit_code = match error {
            PublishError::Rejected(published) => published.reason_code.code(),
            _ => 1,
        };
        Self { exit_code, words: error.to_string() }
    }

    /// The server refused all subscriptions.
    pub(crate) fn subscribed(error: &SubscribeError) -> Self {
        let exit_code = match error {
            SubscribeError::Rejected { reason_codes, .. } => {
                reason_codes.first().map_or(1, |code| code.code())
            }
            _ => 1,
        };
        Self { exit_code, words: error.to_string() }
    }
}

/// Runs a client to its end, and tells why if it is a bad one.
///
/// The connection has a thread of its own, so that it stays alive however slowly the output is taken.
pub(crate) fn run(quiet: bool, client: impl Future<Output = Result<(), Ending>>) -> ExitCode {
    match run_to_the_end(client) {
        Ok(()) => ExitCode::SUCCESS,
        Err(ending) => ending.tell(quiet),
    }
}

fn run_to_the_end(client: impl Future<Output = Result<(), Ending>>) -> Result<(), Ending> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Ending::failed(format!("starting: {error}")))?;
    let handle = runtime.handle().clone();
    let (done, is_done) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new().name("connection".to_owned()).spawn(move || {
        // An error is the end of the other side, which is what is waited for.
        let _ended = runtime.block_on(is_done);
        runtime.shutdown_background();
    });
    let thread = thread.map_err(|error| Ending::failed(format!("starting a thread: {error}")))?;
    let result = handle.block_on(client);
    drop(done);
    let _ended = thread.join();
    result
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn stopped() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the signals end the process by themselves.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Disconnects, and does not wait for ever for a server that does not listen.
pub(crate) async fn end_within(client: &Client, disconnect: DisconnectOptions) {
    // What it says was checked with the command line.
    let _unheard = timeout(FAREWELL, client.disconnect_with(disconnect)).await;
}

/// The return code of a CONNACK of MQTT 3.x (3.1.1, table 3.1) for what the client made of it.
fn connack_return_code(reason_code: ReasonCode) -> u8 {
    match reason_code {
        ReasonCode::UNSUPPORTED_PROTOCOL_VERSION => 1,
        ReasonCode::CLIENT_IDENTIFIER_NOT_VALID => 2,
        ReasonCode::SERVER_UNAVAILABLE => 3,
        ReasonCode::BAD_USER_NAME_OR_PASSWORD => 4,
        ReasonCode::NOT_AUTHORIZED => 5,
        other => other.code(),
    }
}
