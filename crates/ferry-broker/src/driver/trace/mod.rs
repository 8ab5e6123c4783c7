//! Traces: what one client sends and is sent, told to whoever asks. The packets are decoded again from the bytes that the
//! driver passes on anyway, so that the core knows nothing of it, and nothing is done while nobody traces.

mod packet_json;
mod sink;

use ferry_codec::{DecodeLimits, Direction, Packet, ProtocolVersion, decode, decode_connect, frame_length};
use ferry_core::{CloseCause, ConnId, DropLedger, DropReason, RefusedClient};
use ferry_session::Timestamp;
use serde_json::{Value, json};

use super::Driver;
use packet_json::describe;
use sink::TraceSink;

pub(crate) use sink::TraceLines;

/// Traces at the same time on one shard; each costs what it decodes.
pub(crate) const TRACES_MAX: usize = 8;

/// The packet type of CONNECT, in the upper half of the first byte.
const CONNECT_FIRST_BYTE: u8 = 0x10;

/// Those of one shard.
#[derive(Default)]
pub(super) struct Traces(Vec<Trace>);

struct Trace {
    client_id: Box<str>,
    payload_bytes_max: usize,
    sink: TraceSink,
    /// The client's connection; a second one while it takes over.
    conns: Vec<TracedConn>,
    /// Copies that had been dropped when last looked at, in the order of [`DropReason::ALL`].
    drops: [u64; DropReason::ALL.len()],
}

struct TracedConn {
    id: ConnId,
    version: ProtocolVersion,
    /// Bytes at the front of its output that were told already, or were there before the trace.
    seen_bytes: usize,
}

/// A packet on its way, or what came in its place.
struct Passing<'a> {
    now: Timestamp,
    direction: Direction,
    version: ProtocolVersion,
    frame: &'a [u8],
}

impl Driver {
    /// Traces a client that lives here, connected or not, until the reader goes. Whether it is connected; `None` if there
    /// are too many traces.
    pub(crate) fn start_trace(
        &self,
        client_id: &str,
        payload_bytes_max: usize,
    ) -> Option<(bool, TraceLines)> {
        let mut traces = self.traces.borrow_mut();
        traces.0.retain(|trace| !trace.sink.is_closed());
        if traces.0.len() >= TRACES_MAX {
            return None;
        }
        let mut shard = self.shard.borrow_mut();
        let conn = shard.session(client_id).and_then(|session| session.conn);
        let version = conn.and_then(|conn| Some(shard.conn_view(conn)?.protocol_version));
        let mut conns = Vec::new();
        if let (Some(id), Some(version)) = (conn, version) {
            let seen_bytes = shard.output(id).map_or(0, |output| output.len());
            conns.push(TracedConn { id, version, seen_bytes });
        }
        let is_connected = !conns.is_empty();
        let drops = drops_of(&shard.counters().drops, client_id);
        let (sink, lines) = sink::trace_pipe();
        traces.0.push(Trace { client_id: client_id.into(), payload_bytes_max, sink, conns, drops });
        self.is_tracing.set(true);
        Some((is_connected, lines))
    }

    /// What the core has taken from a connection.
    pub(super) fn trace_input(&self, conn: ConnId, bytes: &[u8]) {
        self.traces.borrow_mut().input(self.now(), conn, bytes);
    }

    /// All that is to be written to a connection.
    pub(super) fn trace_output(&self, conn: ConnId, output: &[u8]) {
        self.traces.borrow_mut().output(self.now(), conn, output);
    }

    /// So much of it has been written.
    pub(super) fn trace_written(&self, conn: ConnId, count: usize) {
        for traced in self.traces.borrow_mut().conns(conn) {
            traced.seen_bytes = traced.seen_bytes.saturating_sub(count);
        }
    }

    pub(super) fn trace_closed(&self, conn: ConnId, cause: CloseCause) {
        self.traces.borrow_mut().closed(self.now(), conn, cause);
    }

    pub(super) fn trace_refused(&self, refused: &RefusedClient) {
        self.traces.borrow_mut().refused(self.now(), refused);
    }

    /// At the end of a turn: tells what was dropped, and forgets traces that nobody reads.
    pub(super) fn keep_traces(&self) {
        if !self.is_tracing.get() {
            return;
        }
        let mut traces = self.traces.borrow_mut();
        traces.0.retain(|trace| !trace.sink.is_closed());
        traces.look_at_drops(self.now(), &self.shard.borrow().counters().drops);
        self.is_tracing.set(!traces.0.is_empty());
    }
}

impl Traces {
    fn conns(&mut self, id: ConnId) -> impl Iterator<Item = &mut TracedConn> {
        self.0.iter_mut().flat_map(|trace| &mut trace.conns).filter(move |conn| conn.id == id)
    }

    fn input(&mut self, now: Timestamp, id: ConnId, bytes: &[u8]) {
        self.find_newcomer(id, bytes);
        for trace in &mut self.0 {
            let Some(version) = trace.conns.iter().find(|conn| conn.id == id).map(|conn| conn.version) else {
                continue;
            };
            let direction = Direction::FromClient;
            for frame in Frames(bytes) {
                trace.tell(&Passing { now, direction, version, frame });
            }
        }
    }

    /// A connection begins with CONNECT, which says who it is.
    fn find_newcomer(&mut self, id: ConnId, bytes: &[u8]) {
        if bytes.first() != Some(&CONNECT_FIRST_BYTE) {
            return;
        }
        let Some(frame) = Frames(bytes).next() else { return };
        let Ok(connect) = decode_connect(frame, &DecodeLimits::UNLIMITED) else { return };
        for trace in &mut self.0 {
            let is_known = trace.conns.iter().any(|conn| conn.id == id);
            if *trace.client_id == *connect.client_id && !is_known {
                trace.conns.push(TracedConn { id, version: connect.protocol_version, seen_bytes: 0 });
            }
        }
    }

    fn output(&mut self, now: Timestamp, id: ConnId, output: &[u8]) {
        for trace in &mut self.0 {
            let Some(conn) = trace.conns.iter_mut().find(|conn| conn.id == id) else { continue };
            let new = output.get(conn.seen_bytes..).unwrap_or_default();
            conn.seen_bytes = output.len();
            let (version, direction) = (conn.version, Direction::FromServer);
            for frame in Frames(new) {
                trace.tell(&Passing { now, direction, version, frame });
            }
        }
    }

    fn closed(&mut self, now: Timestamp, id: ConnId, cause: CloseCause) {
        let cause = match cause {
            CloseCause::Asked => "the broker",
            CloseCause::Peer => "the client",
            CloseCause::Error => "an error of the network",
            CloseCause::Stalled => "a client that does not read",
        };
        for trace in &mut self.0 {
            let before = trace.conns.len();
            trace.conns.retain(|conn| conn.id != id);
            if trace.conns.len() < before {
                trace.sink.push(json!({ "event": "closed", "at_milliseconds": now.0, "closed_by": cause }));
            }
        }
    }

    fn refused(&mut self, now: Timestamp, refused: &RefusedClient) {
        let concerned = |trace: &&mut Trace| refused.client_id.as_deref() == Some(&*trace.client_id);
        for trace in self.0.iter_mut().filter(concerned) {
            trace.sink.push(json!({
                "event": if refused.connected { "disconnected" } else { "refused" },
                "at_milliseconds": now.0,
                "reason_code": refused.reason_code.code(),
                "reason": refused.reason_code.name(),
                "detail": refused.detail,
                "address": refused.peer_address,
            }));
        }
    }

    fn look_at_drops(&mut self, now: Timestamp, ledger: &DropLedger) {
        for trace in &mut self.0 {
            let drops = drops_of(ledger, &trace.client_id);
            let before = std::mem::replace(&mut trace.drops, drops);
            let Some(last) = ledger.of_client(&trace.client_id).filter(|_| before != drops) else { continue };
            for (reason, (after, before)) in DropReason::ALL.into_iter().zip(drops.into_iter().zip(before)) {
                if after > before {
                    trace.sink.push(json!({
                        "event": "dropped",
                        "at_milliseconds": now.0,
                        "reason": reason.name(),
                        "count": after - before,
                        "last_topic": last.last_topic,
                    }));
                }
            }
        }
    }
}

impl Trace {
    fn tell(&mut self, passing: &Passing<'_>) {
        let is_from_client = matches!(passing.direction, Direction::FromClient);
        let mut line = json!({
            "event": "packet",
            "at_milliseconds": passing.now.0,
            "direction": if is_from_client { "in" } else { "out" },
            "bytes": passing.frame.len(),
        });
        match passing.decode() {
            Ok(packet) => describe(&mut line, &packet, self.payload_bytes_max),
            Err(detail) => line["malformed"] = detail.into(),
        }
        self.sink.push(line);
    }
}

impl<'a> Passing<'a> {
    /// What is wrong with it, in words, else.
    fn decode(&self) -> Result<Packet<'a>, &'static str> {
        let limits = &DecodeLimits::UNLIMITED;
        let packet = if self.frame.first() == Some(&CONNECT_FIRST_BYTE) {
            decode_connect(self.frame, limits).map(Packet::Connect)
        } else {
            decode(self.frame, self.version, self.direction, limits)
        };
        packet.map_err(|error| error.detail)
    }
}

/// The packets in bytes that begin with one; what is no packet ends them.
struct Frames<'a>(&'a [u8]);

impl<'a> Iterator for Frames<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = frame_length(self.0, &DecodeLimits::UNLIMITED).ok().flatten()?;
        let (frame, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(frame)
    }
}

fn drops_of(ledger: &DropLedger, client_id: &str) -> [u64; DropReason::ALL.len()] {
    ledger.of_client(client_id).map_or_else(Default::default, |drops| drops.counts)
}

/// The first line of a trace.
pub(crate) fn start_line(client_id: &str, is_connected: bool, now: Timestamp) -> Value {
    json!({
        "event": "start",
        "at_milliseconds": now.0,
        "client_id": client_id,
        "is_connected": is_connected,
    })
}

/// The last line of a trace.
pub(crate) fn end_line(cause: &str, now: Timestamp, events: u64, missed: u64) -> Value {
    json!({ "event": "end", "at_milliseconds": now.0, "cause": cause, "events": events, "missed": missed })
}
