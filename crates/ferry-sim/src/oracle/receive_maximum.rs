//! Never more unacknowledged QoS 1 and 2 messages than the client takes [MQTT-3.3.4-9], and no packet identifier
//! twice at the same time [MQTT-2.2.1-4].

use std::collections::{BTreeMap, BTreeSet};

use ferry_codec::PacketId;

use super::Oracle;
use crate::fact::Fact;
use crate::model::Model;
use crate::network::LinkId;

#[derive(Default)]
pub(super) struct ReceiveMaximum {
    links: BTreeMap<LinkId, (u16, BTreeSet<PacketId>)>,
}

impl Oracle for ReceiveMaximum {
    fn property(&self) -> &'static str {
        "receive maximum"
    }

    fn observe(&mut self, _model: &Model, fact: &Fact<'_>) -> Result<(), String> {
        match fact {
            Fact::Connected { link, receive_maximum, .. } => {
                self.links.insert(*link, (*receive_maximum, BTreeSet::new()));
            }
            Fact::Gone { link, .. } => drop(self.links.remove(link)),
            Fact::Settled { link, packet_id, .. } => {
                if let Some((_, inflight)) = self.links.get_mut(link) {
                    inflight.remove(packet_id);
                }
            }
            Fact::Sent { client, link, copy } => {
                let (Some(packet_id), Some((maximum, inflight))) = (copy.packet_id, self.links.get_mut(link))
                else {
                    return Ok(());
                };
                if !inflight.insert(packet_id) {
                    return Err(format!("client {client} was sent {packet_id:?} twice: {copy:?}"));
                }
                if inflight.len() > usize::from(*maximum) {
                    return Err(format!("client {client} takes {maximum} but was sent {}", inflight.len()));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
