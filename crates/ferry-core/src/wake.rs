use ferry_codec::ReasonCode;
use ferry_router::RetainedCursor;
use ferry_session::Timestamp;

use crate::auth::AuthPhase;
use crate::conn::{Conn, ConnState, Paused};
use crate::disconnect::WillFate;
use crate::fault::Fault;
use crate::shard::Shard;
use crate::timers::TimerKey;
use crate::turn::Turn;
use crate::{ConnId, Record};

/// Timers handled in one tick; the others keep for the next, which is due at once.
const TIMERS_PER_TICK: usize = 1024;

/// Seconds between two searches at least: an expired message is never delivered, the search only frees memory.
const SWEEP_INTERVAL_SECONDS: u32 = 60;

/// Retained messages looked at in one step of the sweep.
const SWEEP_STEPS: usize = 256;

/// The search for expired retained messages, which goes on where it stopped.
pub(crate) struct RetainedSweep {
    cursor: RetainedCursor,
    armed: Timestamp,
    last_end: Timestamp,
    /// The first expiry seen among what stays.
    next_expiry: Timestamp,
}

impl Default for RetainedSweep {
    fn default() -> Self {
        Self {
            cursor: RetainedCursor::default(),
            armed: Timestamp::NEVER,
            last_end: Timestamp(0),
            next_expiry: Timestamp::NEVER,
        }
    }
}

impl Shard {
    /// Does what is due.
    pub(crate) fn tick(&mut self, turn: &mut Turn<'_>) {
        for _ in 0..TIMERS_PER_TICK {
            let Some(key) = self.timers.pop_due(turn.now) else { break };
            match key {
                TimerKey::Conn(index) => {
                    if let Some(id) = self.conns.at(index) {
                        self.conn_due(turn, id);
                    }
                }
                TimerKey::Session(id) => {
                    if let Some(session) = self.sessions.get_mut(id) {
                        session.armed = Timestamp::NEVER;
                        self.session_due(turn, id);
                    }
                }
                TimerKey::RetainedSweep => self.sweep_retained(turn),
            }
            self.settle(turn);
        }
        self.replay_retained(turn);
        self.judge_subscriptions(turn);
        if self.spans.is_some() {
            self.end_old_spans(turn);
        }
    }

    /// Sets the timer of a connection to the first of its deadlines.
    pub(crate) fn arm_conn(&mut self, id: ConnId) {
        let stall_seconds = self.config.output_stall_seconds_max;
        let Some(conn) = self.conns.get_mut(id) else { return };
        let deadline = conn_deadline(conn, stall_seconds);
        self.timers.arm(TimerKey::Conn(id.place()), &mut conn.armed, deadline);
    }

    fn conn_due(&mut self, turn: &mut Turn<'_>, id: ConnId) {
        let stall_seconds = self.config.output_stall_seconds_max;
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.armed = Timestamp::NEVER;
        if conn.rate_limited_until <= turn.now {
            conn.rate_limited_until = Timestamp::NEVER;
            self.unpause(turn, id, Paused::RATE);
        }
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.deadline <= turn.now {
            self.connect_timed_out(turn, id);
        } else if conn.counts_keep_alive() && conn.keep_alive.is_expired(turn.now) {
            // [MQTT-3.1.2-22] [MQTT3-3.1.2-24]
            self.counters.keep_alive_timeouts += 1;
            let fault =
                Fault::new(ReasonCode::KEEP_ALIVE_TIMEOUT, "nothing came for 1.5 times the keep alive");
            self.disconnect(turn, id, fault);
        } else if conn.output_full_since.plus_seconds(stall_seconds) <= turn.now {
            self.counters.output_stalls += 1;
            let detail = "the client takes nothing of what is to be written to it";
            self.note_refused_client(turn, id, ReasonCode::QUOTA_EXCEEDED, Some(detail));
            self.leave(turn, id, WillFate::Publish);
            self.close(turn, id);
        } else {
            self.arm_conn(id);
        }
    }

    /// No CONNECT, or no end of the authentication, in time; or the end of what was authenticated.
    fn connect_timed_out(&mut self, turn: &mut Turn<'_>, id: ConnId) {
        let Some(conn) = self.conns.get(id) else { return };
        let phase = conn.authentication.as_ref().map(|authentication| authentication.phase);
        if conn.session().is_some() && phase.is_none_or(|phase| phase == AuthPhase::Done) {
            // "The maximum connection time authorized for this connection has been exceeded" (table 3-13).
            let detail = "the proof of who the client is has expired";
            return self.disconnect(turn, id, Fault::new(ReasonCode::MAXIMUM_CONNECT_TIME, detail));
        }
        self.counters.connect_timeouts += 1;
        let fault = match (&conn.state, phase) {
            (ConnState::AwaitConnect, _) => {
                self.note_refused_client(
                    turn,
                    id,
                    ReasonCode::UNSPECIFIED_ERROR,
                    Some("no whole CONNECT in time"),
                );
                return self.close(turn, id);
            }
            (_, Some(AuthPhase::AwaitClient)) => {
                Fault::new(ReasonCode::NOT_AUTHORIZED, "the authentication was not completed in time")
            }
            _ => Fault::new(ReasonCode::SERVER_UNAVAILABLE, "the client could not be judged in time"),
        };
        self.refuse(turn, id, fault);
    }

    /// Output was written.
    pub(crate) fn written(&mut self, turn: &mut Turn<'_>, id: ConnId) {
        let full = self.config.output_bytes_max;
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.output.release(&mut self.spare_buffers);
        let length = conn.unwritten_bytes();
        if conn.paused.contains(Paused::OUTPUT) || !conn.output_full_since.is_never() {
            if length <= full / 2 {
                conn.output_full_since = Timestamp::NEVER;
                self.unpause(turn, id, Paused::OUTPUT);
            } else {
                // It moves, if slowly. With nothing left to take, the client waits for us.
                conn.output_full_since = if conn.output.is_empty() { Timestamp::NEVER } else { turn.now };
                self.arm_conn(id);
            }
        }
        let Some(session) = self.conns.get(id).and_then(Conn::session) else { return };
        if length < full {
            self.pump(turn, session);
            self.continue_replay(session);
        }
        self.check_output(turn, id);
    }

    /// Stops reading from a client that does not read what it is sent, or that asks faster than what it asks for can be
    /// made durable.
    pub(crate) fn check_output(&mut self, turn: &mut Turn<'_>, id: ConnId) {
        self.watch_output(turn.now, id);
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.unwritten_bytes() >= self.config.output_bytes_max && !conn.paused.contains(Paused::OUTPUT) {
            self.pause(turn, id, Paused::OUTPUT);
        }
    }

    /// A client whose output is full has a limited time to take something of it.
    pub(crate) fn watch_output(&mut self, now: Timestamp, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.output.len() >= self.config.output_bytes_max && conn.output_full_since.is_never() {
            conn.output_full_since = now;
            self.arm_conn(id);
        }
    }

    pub(crate) fn pause(&mut self, turn: &mut Turn<'_>, id: ConnId, reason: Paused) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let was_paused = conn.paused.is_paused();
        conn.paused.insert(reason);
        if !was_paused && !conn.is_closing() {
            turn.pause(id);
        }
    }

    pub(crate) fn unpause(&mut self, turn: &mut Turn<'_>, id: ConnId, reason: Paused) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let was_paused = conn.paused.is_paused();
        conn.paused.remove(reason);
        if was_paused && !conn.paused.is_paused() && !conn.is_closing() {
            conn.keep_alive.received(turn.now);
            turn.resume(id);
            self.arm_conn(id);
        }
    }

    /// Looks for expired retained messages when the first of them can have expired.
    pub(crate) fn arm_retained_sweep(&mut self, expires_at: Timestamp) {
        let deadline = expires_at.max(self.retained_sweep.last_end.plus_seconds(SWEEP_INTERVAL_SECONDS));
        self.timers.arm(TimerKey::RetainedSweep, &mut self.retained_sweep.armed, deadline);
    }

    fn sweep_retained(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now;
        let sweep = &mut self.retained_sweep;
        sweep.armed = Timestamp::NEVER;
        let next_expiry = &mut sweep.next_expiry;
        let shared = &self.shared;
        let retained_records = &mut turn.effects.retained_records;
        let complete = shared.retained.sweep(&mut sweep.cursor, SWEEP_STEPS, |_, message| {
            if message.is_expired(now) {
                if message.number != 0 {
                    shared.record_retained(Record::RetainedCleared { number: message.number });
                    *retained_records += 1;
                }
                return true;
            }
            *next_expiry = message.expires_at.map_or(*next_expiry, |at| at.min(*next_expiry));
            false
        });
        if complete {
            sweep.cursor = RetainedCursor::default();
            sweep.last_end = now;
            let next_expiry = std::mem::replace(&mut sweep.next_expiry, Timestamp::NEVER);
            self.arm_retained_sweep(next_expiry);
        } else {
            let soon = now.plus_milliseconds(1);
            self.timers.arm(TimerKey::RetainedSweep, &mut self.retained_sweep.armed, soon);
        }
    }
}

/// The first of what a connection waits for.
fn conn_deadline(conn: &Conn, stall_seconds: u32) -> Timestamp {
    let keep_alive = if conn.counts_keep_alive() { conn.keep_alive.deadline() } else { Timestamp::NEVER };
    conn.deadline
        .min(keep_alive)
        .min(conn.rate_limited_until)
        .min(conn.output_full_since.plus_seconds(stall_seconds))
}
