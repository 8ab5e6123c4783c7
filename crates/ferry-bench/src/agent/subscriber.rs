use super::lookup::Lookups;
use super::tally::Tally;
use crate::packets::{Frame, PUBACK, PUBCOMP, PUBREC, acknowledge, received};
use crate::stamp::{STAMP_BYTES, Stamp};
use crate::topology::{Part, Streams};
use crate::verify::{Arrival, Flow, SharedFlow};

/// A client that subscribes, and what has come to it.
pub(crate) struct Subscriber {
    pub(crate) part: usize,
    /// Among the subscribers of its part.
    pub(crate) index: usize,
    /// What it looks up among retained messages.
    pub(crate) lookups: Option<Box<Lookups>>,
    streams: Streams,
    heard: Heard,
    /// Packet identifiers of QoS 2 that are not released, one bit each.
    unreleased: Option<Box<[u64; 1024]>>,
}

enum Heard {
    Alone(Vec<Flow>),
    /// The number after the last that came, of each stream; the rest is the group's.
    InGroup(Vec<u32>),
}

/// All members of a shared subscription together.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) flows: Vec<SharedFlow>,
}

/// What does not change while messages come.
pub(crate) struct Expectations<'a> {
    pub(crate) seed: u64,
    pub(crate) is_v5: bool,
    /// Of messages and subscriptions.
    pub(crate) qos: u8,
    /// What follows the stamp in every payload.
    pub(crate) filler: &'a [u8],
}

impl Subscriber {
    pub(crate) fn new(part: &Part, index: usize) -> Self {
        let streams = part.heard(index);
        let heard = if part.traffic.pattern == crate::plan::Pattern::Shared {
            Heard::InGroup(vec![0; streams.len()])
        } else {
            Heard::Alone(std::iter::repeat_with(Flow::default).take(streams.len()).collect())
        };
        Self { part: part.number, index, lookups: None, streams, heard, unreleased: None }
    }

    /// Takes in a PUBLISH and appends its acknowledgement. Returns the stream of the message if it came for the first
    /// time.
    #[inline]
    pub(crate) fn publish(
        &mut self,
        frame: Frame<'_>,
        expectations: &Expectations<'_>,
        group: Option<&mut Group>,
        tally: &mut Tally,
        out: &mut Vec<u8>,
    ) -> Option<Stamp> {
        let Some(message) = received(frame, expectations.is_v5) else {
            tally.fail(|| "a PUBLISH that is not one".to_owned());
            return None;
        };
        match message.qos {
            0 => {}
            1 => acknowledge(PUBACK, message.packet_id, out),
            _ => {
                acknowledge(PUBREC, message.packet_id, out);
                if !self.is_new(message.packet_id) {
                    return None;
                }
            }
        }
        let stamp = read_stamp(message.payload, expectations);
        let found = stamp.and_then(|stamp| Some((stamp, self.streams.position(stamp.stream)?)));
        let Some((stamp, position)) = found else {
            tally.measured.corrupt += 1;
            return None;
        };
        match self.take(position, stamp.sequence, group) {
            Arrival::InOrder => {}
            Arrival::Late => tally.counts(stamp.sent_at).reordered += 1,
            Arrival::Duplicate => {
                let counts = tally.counts(stamp.sent_at);
                counts.duplicates += 1;
                counts.duplicates_forbidden += u64::from(expectations.qos != 1);
                return None;
            }
        }
        Some(stamp)
    }

    /// PUBREL: the packet identifier is free again.
    pub(crate) fn release(&mut self, packet_id: u16, out: &mut Vec<u8>) {
        let (word, bit) = place(packet_id);
        if let Some(unreleased) = &mut self.unreleased {
            unreleased[word] &= !bit;
        }
        acknowledge(PUBCOMP, packet_id, out);
    }

    /// The session is gone, and with it what was not released.
    pub(crate) fn forget_session(&mut self) {
        self.unreleased = None;
    }

    pub(crate) fn streams(&self) -> &Streams {
        &self.streams
    }

    /// What it has got of each of its streams; none of a member of a group.
    pub(crate) fn flows(&self) -> &[Flow] {
        match &self.heard {
            Heard::Alone(flows) => flows,
            Heard::InGroup(_) => &[],
        }
    }

    #[inline]
    fn take(&mut self, position: usize, sequence: u32, group: Option<&mut Group>) -> Arrival {
        match (&mut self.heard, group) {
            (Heard::Alone(flows), _) => flows[position].take(sequence),
            (Heard::InGroup(after_last), Some(group)) => {
                if !group.flows[position].take(sequence) {
                    return Arrival::Duplicate;
                }
                let is_late = sequence < after_last[position];
                after_last[position] = after_last[position].max(sequence.saturating_add(1));
                if is_late { Arrival::Late } else { Arrival::InOrder }
            }
            (Heard::InGroup(_), None) => Arrival::InOrder,
        }
    }

    /// Whether a message of QoS 2 is not one that came before and was not released [MQTT-4.3.3-10].
    fn is_new(&mut self, packet_id: u16) -> bool {
        let (word, bit) = place(packet_id);
        let unreleased = self.unreleased.get_or_insert_with(|| Box::new([0; 1024]));
        let is_new = unreleased[word] & bit == 0;
        unreleased[word] |= bit;
        is_new
    }
}

fn place(packet_id: u16) -> (usize, u64) {
    (usize::from(packet_id / 64), 1 << (packet_id % 64))
}

/// `None`: it is not what was sent in this run.
#[inline]
fn read_stamp(payload: &[u8], expectations: &Expectations<'_>) -> Option<Stamp> {
    let (stamp, rest) = payload.split_first_chunk::<STAMP_BYTES>()?;
    if rest != expectations.filler {
        return None;
    }
    Stamp::decode(stamp, expectations.seed)
}
