use std::sync::Arc;

use ferry_codec::{PacketId, QoS};
use ferry_session::{
    Delivery, Exchange, InflightState, Message, Receiver, Sender, SenderSnapshot, StoredCopy, StoredParts,
};

use super::ClientSession;
use super::subscriptions::PUBLISH_PACKET_ID_MAX;

/// A change of what must outlive the process: to be stored before the output that comes after it is sent.
#[derive(Clone, Debug)]
pub enum Record {
    /// A message of QoS 1 or 2 was taken.
    Taken {
        /// Its number.
        number: u64,
        /// What it is.
        message: Arc<Message>,
    },
    /// Its PUBLISH is about to be sent with this packet identifier.
    Sent {
        /// Its number.
        number: u64,
        /// From now on it is never sent with another one, as long as the server has the session.
        packet_id: PacketId,
    },
    /// QoS 2: the server has it, and PUBREL is about to be sent. The message itself is not needed any more.
    Released {
        /// Its number.
        number: u64,
        /// As before.
        packet_id: PacketId,
    },
    /// The server has lost the session: it will be sent as a new message.
    Unsent {
        /// Its number.
        number: u64,
    },
    /// Nothing of it is needed any more.
    Done {
        /// Its number.
        number: u64,
    },
    /// A received QoS 2 message is about to be acknowledged: its PUBLISH may come again, and must not be told again.
    Received {
        /// That of the server.
        packet_id: PacketId,
    },
    /// Its PUBREL came.
    Completed {
        /// That of the server.
        packet_id: PacketId,
    },
    /// The session of the server is lost, and with it everything that was received and not completed.
    SessionLost,
}

/// What was stored of a session.
#[derive(Debug, Default)]
pub struct StoredSession {
    /// What was published, by number.
    pub messages: Vec<StoredMessage>,
    /// Packet identifiers of received QoS 2 messages that are acknowledged and not completed.
    pub received: Vec<PacketId>,
}

/// A message that was published and is not done.
#[derive(Debug)]
pub struct StoredMessage {
    /// Its number.
    pub number: u64,
    /// Absent once it is released.
    pub message: Option<Arc<Message>>,
    /// That of its PUBLISH, once sent.
    pub packet_id: Option<PacketId>,
}

impl ClientSession {
    /// Takes up a session as it was stored, and tells [`Record`]s from now on. To be called before anything else.
    pub fn restore(&mut self, stored: StoredSession) {
        self.records = Some(Vec::new());
        self.was_connected = !(stored.messages.is_empty() && stored.received.is_empty());
        let mut snapshot = SenderSnapshot::default();
        for StoredMessage { number, message, packet_id } in stored.messages {
            snapshot.last_sequence = snapshot.last_sequence.max(number);
            let delivery = message.map(|message| {
                let (qos, retain) = (message.qos, message.retain);
                Delivery { sequence: number, ..Delivery::new(message, qos, retain) }
            });
            self.outgoing_bytes += delivery.as_ref().map_or(0, Delivery::size_bytes);
            match (packet_id, delivery) {
                (Some(packet_id), delivery) => {
                    snapshot.last_packet_id = packet_id.get();
                    snapshot.exchanges.push(exchange(number, packet_id, delivery));
                }
                (None, Some(delivery)) => snapshot.queue.push(delivery),
                (None, None) => {}
            }
        }
        self.sender = Sender::restore(snapshot).unwrap_or_default();
        self.sender.limit_packet_ids(PUBLISH_PACKET_ID_MAX);
        self.receiver = Receiver::restore(stored.received);
    }

    /// What is to be stored, in its order; nothing unless the session was [`restore`](Self::restore)d.
    pub fn take_records(&mut self) -> Vec<Record> {
        self.records.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn record(&mut self, record: impl FnOnce() -> Record) {
        push(&mut self.records, record);
    }
}

/// As [`ClientSession::record`], while other parts of the session are borrowed.
pub(super) fn push(records: &mut Option<Vec<Record>>, record: impl FnOnce() -> Record) {
    if let Some(records) = records {
        records.push(record());
    }
}

fn exchange(number: u64, packet_id: PacketId, delivery: Option<Delivery>) -> Exchange {
    let state = match delivery.as_ref().map(|delivery| delivery.qos) {
        None => InflightState::AwaitPubcomp,
        Some(QoS::ExactlyOnce) => InflightState::AwaitPubrec,
        Some(QoS::AtLeastOnce | QoS::AtMostOnce) => InflightState::AwaitPuback,
    };
    let stored = StoredCopy { sequence: number, parts: StoredParts::default() };
    Exchange { packet_id, state, stored, delivery }
}
