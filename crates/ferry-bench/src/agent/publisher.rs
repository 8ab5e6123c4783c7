use std::collections::VecDeque;

use super::shared_credits::SharedCredits;
use super::tally::Tally;
use crate::packets::{PUBREL, Template, acknowledge};
use crate::plan::{Load, Plan, Protocol};
use crate::stamp::{Stamp, filler};
use crate::topology::Part;
use ferry_codec::QoS;

/// A client that publishes.
pub(crate) struct Publisher {
    /// Among all publishers of the run.
    pub(crate) number: u32,
    pub(crate) part: usize,
    pub(crate) load: Load,
    /// Somebody has to look whether it can publish.
    pub(crate) is_queued: bool,
    /// It could not keep its schedule, and has no place in it.
    pub(crate) is_behind: bool,
    /// The number of its next message, and when that is due; with a rate.
    pub(crate) schedule: Schedule,
    qos: u8,
    seed: u64,
    streams: Vec<OutgoingStream>,
    /// Whose turn it is.
    turn: usize,
    /// Messages still to be sent, if their number is given.
    left: Option<u64>,
    /// Of the oldest in `inflight`; identifiers are given in order.
    first_packet_id: u16,
    inflight: VecDeque<InFlight>,
    unacknowledged: usize,
    /// The broker takes no more at a time.
    receive_maximum: usize,
    /// Copies of its messages that come back to this process, per message.
    copies: u64,
    /// Nobody subscribes to what it publishes, in no process.
    is_unheard: bool,
    /// Copies that have not come back yet.
    outstanding: u64,
}

struct OutgoingStream {
    id: u32,
    template: Template,
    next: u32,
    measured_from: u32,
}

/// A plan of times for messages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Schedule {
    first_at: u64,
    period: f64,
    next: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    AwaitPuback,
    AwaitPubrec,
    AwaitPubcomp,
    Done,
}

struct InFlight {
    stream: u32,
    sequence: u32,
    sent_at: u64,
    state: State,
}

/// Packet identifiers in use at once; there are 65,535, and the oldest may be late.
const INFLIGHT_MAX: usize = 60_000;

/// Bytes that are written at once by a publisher that nothing but the socket holds up.
const BATCH_BYTES: usize = 64 * 1024;

impl Schedule {
    /// The first of `count` publishers begins at `start`; the others are spread over one period.
    pub(crate) fn new(start: u64, messages_per_second: f64, index: usize, count: usize) -> Self {
        let period = 1e9 / messages_per_second;
        let offset = period * index as f64 / count.max(1) as f64;
        Self { first_at: start + offset as u64, period, next: 0 }
    }

    /// When the next message is due. Counted from the first, so that errors do not add up.
    pub(crate) fn due(&self) -> u64 {
        self.first_at + (self.period * self.next as f64) as u64
    }

    /// Messages that were due before a time and have not been sent.
    pub(crate) fn unsent_before(&self, until: u64) -> u64 {
        let due = self.due();
        if self.period == 0.0 || due >= until {
            0
        } else {
            ((until - due) as f64 / self.period).ceil() as u64
        }
    }
}

impl Publisher {
    pub(crate) fn new(plan: &Plan, part: &Part, index: usize, credits: &SharedCredits) -> Self {
        let traffic = &part.traffic;
        let qos = QoS::from_byte(traffic.qos).unwrap_or_default();
        let filler = filler(traffic.payload_bytes, plan.seed);
        let retain = traffic.pattern == crate::plan::Pattern::Retained;
        let new_stream = |(id, topic): (u32, String)| OutgoingStream {
            id,
            template: Template::new(&topic, qos, retain, &filler, plan.protocol.version()),
            next: 0,
            measured_from: 0,
        };
        let streams: Vec<_> = part.published(index).map(new_stream).collect();
        let is_here = |worker| credits.is_here(worker);
        let copies =
            streams.iter().map(|stream| part.copies_within(stream.id, plan.workers(), is_here)).max();
        let is_unheard = streams.iter().all(|stream| part.copies_of(stream.id) == 0);
        Self {
            is_unheard,
            number: part.publisher(index),
            part: part.number,
            load: traffic.load,
            is_queued: false,
            is_behind: false,
            schedule: Schedule::default(),
            qos: traffic.qos,
            seed: plan.seed,
            streams,
            turn: 0,
            left: None,
            first_packet_id: 1,
            inflight: VecDeque::new(),
            unacknowledged: 0,
            receive_maximum: INFLIGHT_MAX,
            copies: copies.unwrap_or(0),
            outstanding: 0,
        }
    }

    /// Messages of every stream that are to be sent, and no more.
    pub(crate) fn publish_each(&mut self, messages: u32) {
        self.left = Some(u64::from(messages) * self.streams.len() as u64);
    }

    /// Whether it sends a given number of messages.
    pub(crate) fn is_counted(&self) -> bool {
        self.left.is_some()
    }

    /// Whether there is nothing left of the messages that were to be sent.
    pub(crate) fn is_done(&self) -> bool {
        self.left == Some(0)
    }

    pub(crate) fn set_receive_maximum(&mut self, receive_maximum: u16) {
        self.receive_maximum = usize::from(receive_maximum).min(INFLIGHT_MAX);
    }

    /// How many messages it may send now, when it sends as fast as it can. `backlog_bytes` wait for the socket.
    pub(crate) fn room(&self, backlog_bytes: usize) -> usize {
        let window = match self.load {
            Load::Saturate { window } => window,
            Load::Rate { .. } => WINDOW_WITHOUT_PLAN,
        };
        let mut room = usize::MAX;
        if self.qos > 0 {
            room = self.acknowledgement_room(window);
        }
        // What is sent to nobody yet comes back from nobody.
        if self.copies > 0 && self.left.is_none() {
            let on_the_way = self.outstanding.div_ceil(self.copies) as usize;
            room = room.min(window.saturating_sub(on_the_way));
        }
        if room == usize::MAX || self.left.is_some() {
            let batch = (BATCH_BYTES / self.streams[self.turn].template.len()).max(1);
            room = if backlog_bytes > 0 { 0 } else { room.min(batch) };
        }
        // A few at a time would cost a system call each.
        let is_worth_it = room >= (window / 4).max(1) || self.unacknowledged == 0 && self.outstanding == 0;
        let room = if is_worth_it { room } else { 0 };
        self.left.map_or(room, |left| room.min(usize::try_from(left).unwrap_or(usize::MAX)))
    }

    /// Whether nothing but the socket holds it up: no answer will tell it that there is room.
    pub(crate) fn hears_nothing(&self) -> bool {
        self.qos == 0 && self.is_unheard && matches!(self.load, Load::Saturate { .. })
    }

    /// Whether one more message of a schedule can be sent.
    pub(crate) fn has_room_for_one(&self) -> bool {
        self.qos == 0 || self.acknowledgement_room(INFLIGHT_MAX) > 0
    }

    fn acknowledgement_room(&self, window: usize) -> usize {
        let window = window.min(self.receive_maximum);
        window.saturating_sub(self.unacknowledged).min(INFLIGHT_MAX.saturating_sub(self.inflight.len()))
    }

    /// Appends a message of the stream whose turn it is.
    #[inline]
    pub(crate) fn publish(&mut self, sent_at: u64, tally: &mut Tally, out: &mut Vec<u8>) {
        let is_measured = sent_at >= tally.times.measure_from;
        let next_turn = if self.turn + 1 == self.streams.len() { 0 } else { self.turn + 1 };
        let stream = &mut self.streams[std::mem::replace(&mut self.turn, next_turn)];
        let sequence = stream.next;
        stream.next += 1;
        if !is_measured {
            stream.measured_from = stream.next;
        }
        let packet_id =
            if self.qos > 0 { packet_id_after(self.first_packet_id, self.inflight.len()) } else { 0 };
        let stamp = Stamp { stream: stream.id, sequence, sent_at };
        stream.template.append(stamp, self.seed, packet_id, false, out);
        if self.qos > 0 {
            let state = if self.qos == 1 { State::AwaitPuback } else { State::AwaitPubrec };
            self.inflight.push_back(InFlight { stream: stream.id, sequence, sent_at, state });
            self.unacknowledged += 1;
        }
        self.outstanding += self.copies;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
        }
        tally.counts(sent_at).sent += 1;
    }

    /// The next message of the schedule was sent.
    pub(crate) fn advance_schedule(&mut self) {
        self.schedule.next += 1;
    }

    /// Copies of its messages have come back.
    pub(crate) fn credit(&mut self, deliveries: u64) {
        self.outstanding = self.outstanding.saturating_sub(deliveries);
    }

    /// What is on its way will not come: go on without it. Whether there was anything.
    pub(crate) fn forget_outstanding(&mut self) -> bool {
        std::mem::take(&mut self.outstanding) > 0
    }

    /// PUBACK or PUBCOMP: the message is the broker's.
    pub(crate) fn acknowledged(&mut self, packet_id: u16, now: u64, tally: &mut Tally) {
        let Some(entry) = self.entry(packet_id) else {
            return tally.fail(|| {
                format!("an acknowledgement of packet identifier {packet_id}, which is not in use")
            });
        };
        if entry.state == State::Done {
            return;
        }
        entry.state = State::Done;
        let sent_at = entry.sent_at;
        self.unacknowledged -= 1;
        while self.inflight.front().is_some_and(|entry| entry.state == State::Done) {
            self.inflight.pop_front();
            self.first_packet_id = packet_id_after(self.first_packet_id, 1);
        }
        tally.counts(sent_at).acknowledged += 1;
        if sent_at >= tally.times.measure_from {
            tally.acknowledgement.record(now.saturating_sub(sent_at));
        }
    }

    /// PUBREC: PUBREL is the answer.
    pub(crate) fn received(&mut self, packet_id: u16, out: &mut Vec<u8>) {
        if let Some(entry) = self.entry(packet_id)
            && entry.state == State::AwaitPubrec
        {
            entry.state = State::AwaitPubcomp;
        }
        acknowledge(PUBREL, packet_id, out);
    }

    /// After a reconnect: what is not acknowledged is sent again, in order [MQTT-4.4.0-1]. Without the session the broker
    /// knows none of it, and takes it as new.
    pub(crate) fn resend(&mut self, session_present: bool, out: &mut Vec<u8>) {
        let mut packet_id = self.first_packet_id;
        for entry in &mut self.inflight {
            match entry.state {
                State::AwaitPubcomp if session_present => acknowledge(PUBREL, packet_id, out),
                State::Done => {}
                _ => {
                    let state = if self.qos == 1 { State::AwaitPuback } else { State::AwaitPubrec };
                    entry.state = state;
                    let place = self.streams.binary_search_by_key(&entry.stream, |stream| stream.id);
                    let template =
                        &self.streams[place.expect("it was sent by one of these streams")].template;
                    let Self { seed, .. } = *self;
                    let stamp =
                        Stamp { stream: entry.stream, sequence: entry.sequence, sent_at: entry.sent_at };
                    template.append(stamp, seed, packet_id, session_present, out);
                }
            }
            packet_id = packet_id_after(packet_id, 1);
        }
    }

    /// The numbers of its streams.
    pub(crate) fn streams(&self) -> impl Iterator<Item = u32> {
        self.streams.iter().map(|stream| stream.id)
    }

    /// What was published, and what of it was not acknowledged.
    pub(crate) fn collect(&self, collection: &mut super::Collection) {
        for stream in &self.streams {
            let published = super::Published { sent: stream.next, measured_from: stream.measured_from };
            collection.streams.push((stream.id, published));
        }
        let open = self.inflight.iter().filter(|entry| entry.state != State::Done);
        collection.unacknowledged.extend(open.map(|entry| (entry.stream, entry.sequence)));
    }

    fn entry(&mut self, packet_id: u16) -> Option<&mut InFlight> {
        // Identifiers go from 1 to 65,535 and around.
        let distance = (i32::from(packet_id) - i32::from(self.first_packet_id)).rem_euclid(65_535);
        self.inflight.get_mut(distance as usize).filter(|_| packet_id != 0)
    }
}

/// Of publishers that send a given number of messages.
const WINDOW_WITHOUT_PLAN: usize = 100;

fn packet_id_after(packet_id: u16, steps: usize) -> u16 {
    ((usize::from(packet_id) - 1 + steps) % 65_535 + 1) as u16
}

/// Whether reason codes can be in an acknowledgement.
pub(crate) fn is_refusal(protocol: Protocol, body: &[u8]) -> bool {
    protocol == Protocol::V5 && body.get(2).is_some_and(|code| *code >= 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Overrides, resolve};
    use crate::topology::parts;

    #[test]
    fn only_publishers_without_any_subscriber_go_on_without_an_answer() {
        for (subscribers, qos, expected) in [(0, 0, true), (0, 1, false), (1, 0, false)] {
            let overrides =
                Overrides { subscribers: Some(subscribers), qos: Some(qos), ..Overrides::default() };
            let plan = resolve("fanout", &overrides).unwrap();
            // No event loop is in this process, so that whoever subscribes does so in another one.
            let credits = SharedCredits::new(&plan, 0, Vec::new());
            let publisher = Publisher::new(&plan, &parts(&plan)[0], 0, &credits);
            assert_eq!(publisher.hears_nothing(), expected, "{subscribers} subscribers, QoS {qos}");
        }
    }
}
