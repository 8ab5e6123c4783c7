use std::collections::VecDeque;

use ferry_codec::{PacketId, QoS, ReasonCode};

/// What was received and is to be acknowledged, in whatever order its owner is done with it: PUBACKs leave in the order of
/// the messages `[MQTT-4.6.0-2]`, `[MQTT3-4.6.0-2]`, and so do PUBRECs `[MQTT-4.6.0-3]`, `[MQTT3-4.6.0-3]`.
#[derive(Debug, Default)]
pub(crate) struct Acknowledgements {
    last_number: u64,
    qos1: VecDeque<Owed>,
    qos2: VecDeque<Owed>,
    /// QoS 2 messages of an earlier connection that its owner still has; the server sends their PUBLISH again.
    unanswered: Vec<Owed>,
    held: Held,
}

/// Messages that were handed to the owner, who is not done with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Owed {
    number: u64,
    packet_id: PacketId,
    size_bytes: usize,
    /// What to say, once that is known.
    reason_code: Option<ReasonCode>,
}

impl Acknowledgements {
    /// A message is handed to its owner; the number is for [`decide`](Self::decide).
    pub(crate) fn add(&mut self, qos: QoS, packet_id: PacketId, size_bytes: usize) -> u64 {
        self.last_number += 1;
        let owed = Owed { number: self.last_number, packet_id, size_bytes, reason_code: None };
        self.held.add(size_bytes);
        match qos {
            QoS::ExactlyOnce => self.qos2.push_back(owed),
            QoS::AtLeastOnce | QoS::AtMostOnce => self.qos1.push_back(owed),
        }
        self.last_number
    }

    /// The PUBLISH of a QoS 2 message came again, which its owner had before: its PUBREC is owed again, and perhaps was
    /// sent before.
    pub(crate) fn add_again(&mut self, packet_id: PacketId) {
        let is_it = |owed: &Owed| owed.packet_id == packet_id;
        if self.qos2.iter().any(is_it) {
            return;
        }
        let owed = match self.unanswered.iter().position(is_it) {
            Some(at) => self.unanswered.swap_remove(at),
            None => Owed { number: 0, packet_id, size_bytes: 0, reason_code: Some(ReasonCode::SUCCESS) },
        };
        self.qos2.push_back(owed);
    }

    /// The owner is done with a message. False if there is nothing to acknowledge any more.
    pub(crate) fn decide(&mut self, number: u64, reason_code: ReasonCode) -> bool {
        let owed = self.qos1.iter_mut().chain(&mut self.qos2).chain(&mut self.unanswered);
        let Some(owed) = owed.into_iter().find(|owed| owed.number == number) else { return false };
        if owed.reason_code.is_none() {
            owed.reason_code = Some(reason_code);
            self.held.remove(owed.size_bytes);
        }
        true
    }

    /// What the owner has, and is not done with.
    pub(crate) fn held(&self) -> Held {
        self.held
    }

    /// The next PUBACK to be sent.
    pub(crate) fn next_puback(&mut self) -> Option<(PacketId, ReasonCode)> {
        next(&mut self.qos1)
    }

    /// The next PUBREC to be sent.
    pub(crate) fn next_pubrec(&mut self) -> Option<(PacketId, ReasonCode)> {
        next(&mut self.qos2)
    }

    /// The connection is gone. What was QoS 1 will come again as a new message.
    pub(crate) fn on_disconnect(&mut self) {
        for owed in self.qos1.drain(..).filter(|owed| owed.reason_code.is_none()) {
            self.held.remove(owed.size_bytes);
        }
        self.unanswered.extend(self.qos2.drain(..).filter(|owed| owed.number != 0));
    }

    /// The session is gone: nothing will come again.
    pub(crate) fn clear(&mut self) {
        self.qos1.clear();
        self.qos2.clear();
        self.unanswered.clear();
        self.held = Held::default();
    }
}

impl Held {
    fn add(&mut self, size_bytes: usize) {
        self.messages += 1;
        self.bytes += size_bytes;
    }

    fn remove(&mut self, size_bytes: usize) {
        self.messages -= 1;
        self.bytes -= size_bytes;
    }
}

fn next(queue: &mut VecDeque<Owed>) -> Option<(PacketId, ReasonCode)> {
    let reason_code = queue.front()?.reason_code?;
    let owed = queue.pop_front()?;
    Some((owed.packet_id, reason_code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(value: u16) -> PacketId {
        PacketId::new(value).unwrap()
    }

    /// [MQTT-4.6.0-2], [MQTT-4.6.0-3], [MQTT3-4.6.0-2], [MQTT3-4.6.0-3]
    #[test]
    fn whatever_is_done_first_the_order_is_that_of_the_messages() {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let mut owed = Acknowledgements::default();
            let numbers = [3, 1, 2].map(|value| owed.add(qos, id(value), 10));
            let next = |owed: &mut Acknowledgements| match qos {
                QoS::ExactlyOnce => owed.next_pubrec(),
                _ => owed.next_puback(),
            };
            assert!(owed.decide(numbers[2], ReasonCode::SUCCESS));
            assert_eq!(next(&mut owed), None);
            assert!(owed.decide(numbers[0], ReasonCode::NOT_AUTHORIZED));
            assert_eq!(next(&mut owed), Some((id(3), ReasonCode::NOT_AUTHORIZED)));
            assert_eq!(next(&mut owed), None);
            owed.decide(numbers[1], ReasonCode::SUCCESS);
            assert_eq!([(); 3].map(|()| next(&mut owed).map(|(id, _)| id.get())), [Some(1), Some(2), None]);
        }
    }

    #[test]
    fn a_qos_2_message_in_hand_survives_the_connection() {
        let mut owed = Acknowledgements::default();
        let number = owed.add(QoS::ExactlyOnce, id(7), 10);
        let gone = owed.add(QoS::AtLeastOnce, id(8), 5);
        assert_eq!(owed.held(), Held { messages: 2, bytes: 15 });
        owed.on_disconnect();
        assert_eq!(owed.held(), Held { messages: 1, bytes: 10 });
        assert!(!owed.decide(gone, ReasonCode::SUCCESS));
        assert!(owed.decide(number, ReasonCode::SUCCESS));
        assert!(owed.decide(number, ReasonCode::SUCCESS));
        assert_eq!(owed.held(), Held::default());
        assert_eq!(owed.next_pubrec(), None);
        owed.add_again(id(7));
        assert_eq!(owed.next_pubrec(), Some((id(7), ReasonCode::SUCCESS)));
        // One whose PUBREC was sent before is answered at once.
        owed.add_again(id(9));
        owed.add_again(id(9));
        assert_eq!(owed.next_pubrec(), Some((id(9), ReasonCode::SUCCESS)));
        assert_eq!(owed.next_pubrec(), None);
    }
}
