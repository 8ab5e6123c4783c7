//! An expired message is not sent [MQTT-3.3.2-5], and what is left of its interval is told right [MQTT-3.3.2-6].

use std::collections::BTreeMap;

use ferry_codec::{PacketId, QoS};
use ferry_core::Record;
use ferry_session::Timestamp;

use super::Oracle;
use crate::fact::Fact;
use crate::journal::MessageId;
use crate::model::Model;

#[derive(Default)]
pub(super) struct NoExpired {
    /// When the broker got a message last: one that was published again lives again.
    received: BTreeMap<MessageId, Received>,
    /// Deliveries begin when they are recorded; the PUBLISH may have to wait until that is durable.
    begun: BTreeMap<(usize, PacketId), Timestamp>,
}

#[derive(Clone, Copy)]
struct Received {
    /// By the broker's clock.
    clock: Timestamp,
    network: Timestamp,
}

impl Oracle for NoExpired {
    fn property(&self) -> &'static str {
        "no expired"
    }

    fn observe(&mut self, model: &Model, fact: &Fact<'_>) -> Result<(), String> {
        match fact {
            Fact::Published { message: Some(message), is_repeated: false, .. }
            | Fact::WillDue { message } => {
                let received = Received { clock: model.now, network: model.network_now };
                self.received.insert(*message, received);
                Ok(())
            }
            Fact::Crashed { survival } => {
                // These wills may be published now.
                let durable_through = survival.of(model.durability_of_sessions()).unwrap_or_default();
                self.received.retain(|message, received| {
                    !model.journal.get(*message).is_will || received.network < durable_through
                });
                Ok(())
            }
            Fact::Recorded {
                record:
                    Record::Sent { session, packet_id, .. }
                    | Record::Queued { session, packet_id: Some(packet_id), .. },
                ..
            } => {
                let begun = model.owner(*session).map(|client| ((client, *packet_id), model.now));
                self.begun.extend(begun);
                Ok(())
            }
            Fact::Sent { client, copy, .. } => {
                let Some(message) = copy.message else { return Ok(()) };
                let (Some(interval), Some(received)) =
                    (model.journal.get(message).expiry_seconds, self.received.get(&message))
                else {
                    return Ok(());
                };
                let received = received.clock;
                let waited = model.now.0 - received.0;
                let begun = copy.packet_id.filter(|_| copy.qos == QoS::ExactlyOnce).and_then(|packet_id| {
                    self.begun.get(&(*client, packet_id)).filter(|begun| **begun >= received)
                });
                let waited_before = begun.map_or(waited, |begun| begun.0 - received.0);
                let is_expired = waited_before > u64::from(interval) * 1000;
                // Once a PUBLISH was sent its exchange goes on, expired or not.
                if is_expired && !copy.dup {
                    return Err(format!(
                        "client {client} was sent {message:?}, {waited} ms old, of {interval} s"
                    ));
                }
                let left = (u64::from(interval) * 1000).saturating_sub(waited).div_ceil(1000);
                match copy.expiry_seconds {
                    Some(told) if u64::from(told) > left => Err(format!(
                        "client {client} was told {told} s for {message:?}, of which {left} s are left"
                    )),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}
