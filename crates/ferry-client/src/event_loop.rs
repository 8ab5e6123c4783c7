//! Keeps a session connected: connects, reads, writes, waits, connects again.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument;

use crate::client_options::{Credentials, Server};
use crate::clock::{milliseconds, random_seed};
use crate::connection::Connection;
use crate::event_log::ConnectionLog;
use crate::session::{Backoff, CloseReason, ConnectOptions};
use crate::shared::{Phase, Shared};
use crate::transport;
use crate::{ClientOptions, ConnectionError, Event, ReasonCode};

/// The life of a client. With `only_once` it ends if no server accepts the first connection.
pub(crate) async fn run(shared: Arc<Shared>, options: Arc<ClientOptions>, only_once: bool) {
    let reconnect = &options.reconnect;
    let backoff =
        Backoff::new(milliseconds(reconnect.delay_min), milliseconds(reconnect.delay_max), random_seed());
    let servers = options.servers.clone();
    let mut life = Life {
        shared,
        options,
        backoff,
        servers,
        next_server: 0,
        referred: None,
        referrals: 0,
        attempt: 0,
        only_once,
        was_connected: false,
    };
    let reason = life.run().await;
    let mut state = life.shared.lock();
    life.shared.end(&mut state, reason);
}

struct Life {
    shared: Arc<Shared>,
    options: Arc<ClientOptions>,
    backoff: Backoff,
    servers: Vec<Server>,
    next_server: usize,
    /// Another one, which the next of these has named to be used instead for now.
    referred: Option<Server>,
    /// How often a server has named another one since one was good or has failed.
    referrals: u32,
    /// Since a server has accepted a connection.
    attempt: u64,
    only_once: bool,
    was_connected: bool,
}

/// So often the server that another one names is tried at once: a chain of them may have no end.
const REFERRALS_MAX: u32 = 4;

/// The end of a connection.
struct End {
    reason: ConnectionError,
    /// How long the server had accepted it; `None` if it never did.
    lasted: Option<Duration>,
    unconfirmed_qos0: u64,
}

/// Of one that never began.
impl From<ConnectionError> for End {
    fn from(reason: ConnectionError) -> Self {
        Self { reason, lasted: None, unconfirmed_qos0: 0 }
    }
}

impl Life {
    async fn run(&mut self) -> ConnectionError {
        if let Err(reason) = self.check() {
            return reason;
        }
        let mut failures = 0;
        loop {
            let server = self.server().clone();
            let connection = self.begin_log(&server);
            let End { reason, lasted, unconfirmed_qos0 } = self.connect(&server).instrument(connection).await;
            // There is nothing wrong with a server that is left for lack of room.
            let is_overrun = matches!(reason, ConnectionError::Session(CloseReason::ReceiveOverrun));
            let was_good =
                is_overrun || lasted.is_some_and(|lasted| lasted >= self.options.reconnect.good_after);
            let stays = was_good && !is_sent_away(&reason);
            if was_good {
                // The one that is tried next is the first of a round.
                (failures, self.referrals) = (0, 0);
                self.backoff.reset();
            }
            let is_referred = !stays && self.follow_reference(&server, &reason);
            if !stays && !is_referred {
                failures += 1;
                self.try_next();
            }
            // The other servers of a round are tried at once, and so is the one that another names in its place.
            let round_is_over = !is_referred && failures % self.servers.len() == 0;
            let goes_on = self.goes_on(&reason, round_is_over);
            let delay_ms = if round_is_over { self.backoff.next_delay_ms() } else { 0 };
            let retry_in_ms = goes_on.then_some(delay_ms);
            {
                let mut state = self.shared.lock();
                state.events.send(&Event::Disconnected {
                    reason: reason.clone(),
                    retry_in_ms,
                    unconfirmed_qos0,
                });
                if !goes_on {
                    return reason;
                }
                self.shared.set_phase(&mut state, Phase::Disconnected);
            }
            if self.wait(Duration::from_millis(delay_ms)).await {
                return ConnectionError::Ended;
            }
        }
    }

    /// Options that cannot be are told at once, whether or not a server can be reached.
    fn check(&self) -> Result<(), ConnectionError> {
        let mut state = self.shared.lock();
        let checked = state.session.check().map_err(ConnectionError::from);
        checked.inspect_err(|reason| {
            let reason = reason.clone();
            state.events.send(&Event::Disconnected { reason, retry_in_ms: None, unconfirmed_qos0: 0 });
        })
    }

    fn server(&self) -> &Server {
        self.referred.as_ref().unwrap_or(&self.servers[self.next_server % self.servers.len()])
    }

    fn try_next(&mut self) {
        self.next_server += 1;
        (self.referred, self.referrals) = (None, 0);
    }

    /// The span of the connection that begins.
    fn begin_log(&mut self, server: &Server) -> tracing::Span {
        self.attempt += 1;
        let mut state = self.shared.lock();
        let connect = state.session.options_mut();
        let version = connect.protocol_version;
        let log = ConnectionLog::new(&connect.client_id, &server.address, version, self.attempt);
        let span = log.span();
        state.events.begin_log(log);
        span
    }

    /// One connection from beginning to end.
    async fn connect(&mut self, server: &Server) -> End {
        {
            let mut state = self.shared.lock();
            if state.is_leaving {
                return ConnectionError::Ended.into();
            }
            state.events.send(&Event::Connecting(server.address.clone()));
        }
        let stream = tokio::select! {
            stream = transport::connect(&server.address, &self.options.transport) => stream,
            () = self.left() => Err(ConnectionError::Ended),
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => return error.into(),
        };
        self.prepare().await;
        {
            let mut state = self.shared.lock();
            // It may have left in the moment in which the stream was there: nobody would end what begins now.
            if state.is_leaving {
                return ConnectionError::Ended.into();
            }
            self.introduce(server, state.session.options_mut());
            if let Some(change) = &self.options.before_connect {
                change(state.session.options_mut());
            }
            if let Err(invalid) = state.session.open(self.shared.now()) {
                return ConnectionError::from(invalid).into();
            }
        }
        let mut connection = Connection::new(Arc::clone(&self.shared), stream);
        let error = connection.run().await;
        let connected_at = connection.connected_at();
        let mut state = self.shared.lock();
        // What was not written by now never is.
        self.shared.set_writing(&mut state, false);
        let unconfirmed_qos0 = if connection.has_left() { 0 } else { state.session.unconfirmed_qos0() };
        let reason = state.session.closed().map_or(error, ConnectionError::Session);
        if connected_at.is_some() {
            (self.was_connected, self.attempt) = (true, 0);
        }
        End { reason, lasted: connected_at.map(|at| at.elapsed()), unconfirmed_qos0 }
    }

    /// Has done what the authentication needs, which may take long.
    async fn prepare(&self) {
        let Some(preparation) = self.shared.lock().session.preparation() else { return };
        tokio::select! {
            // If it has panicked, the mechanism begins without it.
            _ = tokio::task::spawn_blocking(preparation) => {}
            () = self.left() => {}
        }
    }

    /// Says who the client is at this server. What is meant for one server is not told another one.
    fn introduce(&self, server: &Server, connect: &mut ConnectOptions) {
        if self.servers.iter().all(|server| server.credentials.is_none()) {
            return;
        }
        let Credentials { user_name, password } = server.credentials.clone().unwrap_or_else(|| {
            let ConnectOptions { user_name, password, .. } = &self.options.connect;
            Credentials { user_name: user_name.clone(), password: password.clone() }
        });
        (connect.user_name, connect.password) = (user_name, password);
    }

    fn goes_on(&self, reason: &ConnectionError, every_server_failed: bool) -> bool {
        let is_taken_over = reason.reason_code() == Some(ReasonCode::SESSION_TAKEN_OVER);
        let is_wanted = !matches!(
            reason,
            ConnectionError::Ended
                | ConnectionError::Options(_)
                | ConnectionError::Outbox(_)
                | ConnectionError::Session(CloseReason::Requested(_))
        );
        is_wanted
            && !self.shared.lock().is_leaving
            && (self.was_connected || !(self.only_once && every_server_failed))
            && (self.options.reconnect.enabled || !(self.was_connected || every_server_failed))
            && (self.options.reconnect.after_takeover || !is_taken_over)
    }

    /// The server has named another one (section 4.11): it is the next. With 0x9D for good. False if it named none, or one that
    /// is not to be tried at once: it is known already, or the last of too many.
    fn follow_reference(&mut self, server: &Server, reason: &ConnectionError) -> bool {
        let ConnectionError::Session(CloseReason::Refused(said) | CloseReason::Disconnected(said)) = reason
        else {
            return false;
        };
        let reference = said.server_reference.as_deref();
        let Some(other) = reference.and_then(|reference| server.address.referred(reference)) else {
            return false;
        };
        let is_known = other == server.address || self.servers.iter().any(|server| server.address == other);
        if is_known || self.referrals >= REFERRALS_MAX {
            return false;
        }
        self.referrals += 1;
        if said.reason_code == ReasonCode::SERVER_MOVED && self.referred.is_none() {
            let at = self.next_server % self.servers.len();
            self.servers[at].address = other;
        } else {
            self.referred = Some(Server { address: other, credentials: server.credentials.clone() });
        }
        true
    }

    /// Waits before the next attempt. True if the application has left meanwhile.
    async fn wait(&self, delay: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(delay) => false,
            () = self.left() => true,
        }
    }

    /// The application wants no connection any more.
    async fn left(&self) {
        loop {
            {
                let mut state = self.shared.lock();
                self.shared.heard(&mut state);
                if state.is_leaving {
                    return;
                }
            }
            poll_fn(|context| self.shared.poll_rung(context)).await;
        }
    }
}

/// Whether the server has said that it is not there for the client for now.
fn is_sent_away(reason: &ConnectionError) -> bool {
    let codes = [
        ReasonCode::SERVER_BUSY,
        ReasonCode::SERVER_SHUTTING_DOWN,
        ReasonCode::USE_ANOTHER_SERVER,
        ReasonCode::SERVER_MOVED,
    ];
    reason.reason_code().is_some_and(|code| codes.contains(&code))
}
