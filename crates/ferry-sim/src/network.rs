//! Byte streams that are late, chopped, cut and blocked.

use std::collections::VecDeque;

use ferry_session::Timestamp;

use crate::random::Random;

/// One connection of one client, numbered in the order in which they were opened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct LinkId(pub(crate) usize);

/// The two directions of a connection.
pub(crate) struct Link {
    pub(crate) client: usize,
    /// From the client to the broker.
    pub(crate) up: Pipe,
    /// From the broker to the client.
    pub(crate) down: Pipe,
    /// The broker's end is gone with a process that was killed.
    pub(crate) is_dead: bool,
    /// Bytes vanish in both directions and neither side is told.
    pub(crate) is_half_open: bool,
}

/// One direction: bytes arrive in order, in other portions than they were sent, after a delay.
pub(crate) struct Pipe {
    chunks: VecDeque<(Timestamp, Vec<u8>)>,
    bytes: usize,
    /// Bytes that are under way at most, as in socket buffers.
    window_bytes: usize,
    latency_milliseconds_max: u64,
    last_arrival: Timestamp,
    /// The end of the stream arrives then.
    end: Option<Timestamp>,
}

impl Pipe {
    pub(crate) fn new(window_bytes: usize, latency_milliseconds_max: u64) -> Self {
        Self {
            chunks: VecDeque::new(),
            bytes: 0,
            window_bytes,
            latency_milliseconds_max,
            last_arrival: Timestamp(0),
            end: None,
        }
    }

    /// How many bytes may be sent now.
    pub(crate) fn room(&self) -> usize {
        self.window_bytes.saturating_sub(self.bytes)
    }

    /// From now on it is quick and takes whatever is sent.
    pub(crate) fn heal(&mut self) {
        self.window_bytes = usize::MAX;
        self.latency_milliseconds_max = 1;
    }

    /// Sends bytes off in random portions; returns when the last one arrives.
    pub(crate) fn send(&mut self, now: Timestamp, mut bytes: &[u8], random: &mut Random) -> Timestamp {
        while !bytes.is_empty() {
            let length = match random.below(4) {
                0 => random.between(1, 3),
                1 => random.between(1, 50),
                _ => u64::MAX,
            };
            let (chunk, rest) = bytes.split_at(bytes.len().min(length as usize));
            let arrival = self.arrival(now, random);
            self.chunks.push_back((arrival, chunk.to_vec()));
            self.bytes += chunk.len();
            bytes = rest;
        }
        self.last_arrival
    }

    /// Nothing follows what was sent so far; returns when the other side learns it.
    pub(crate) fn finish(&mut self, now: Timestamp, random: &mut Random) -> Timestamp {
        let arrival = self.arrival(now, random);
        *self.end.get_or_insert(arrival)
    }

    /// The connection breaks: of what is under way only a random part still arrives.
    pub(crate) fn cut(&mut self, now: Timestamp, random: &mut Random) -> Timestamp {
        let kept = random.below(self.chunks.len() as u64 + 1) as usize;
        self.bytes -= self.chunks.drain(kept..).map(|(_, chunk)| chunk.len()).sum::<usize>();
        self.finish(now, random)
    }

    /// What has arrived.
    pub(crate) fn receive(&mut self, now: Timestamp) -> Vec<u8> {
        let mut received = Vec::new();
        while self.chunks.front().is_some_and(|(arrival, _)| *arrival <= now) {
            received.extend(self.chunks.pop_front().into_iter().flat_map(|(_, chunk)| chunk));
        }
        self.bytes -= received.len();
        received
    }

    /// Whether the end of the stream has arrived.
    pub(crate) fn has_ended(&self, now: Timestamp) -> bool {
        self.chunks.is_empty() && self.end.is_some_and(|end| end <= now)
    }

    fn arrival(&mut self, now: Timestamp, random: &mut Random) -> Timestamp {
        let delay = if random.chance(30) { 0 } else { random.between(0, self.latency_milliseconds_max) };
        self.last_arrival = self.last_arrival.max(Timestamp(now.0 + delay));
        self.last_arrival
    }
}
