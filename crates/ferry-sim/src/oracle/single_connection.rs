//! A client identifier has at most one live connection: the old one is let go before the new one gets its CONNACK
//! [MQTT-3.1.4-3].

use std::collections::BTreeMap;

use super::Oracle;
use crate::fact::Fact;
use crate::model::Model;
use crate::network::LinkId;

#[derive(Default)]
pub(super) struct SingleConnection {
    live: BTreeMap<usize, LinkId>,
}

impl Oracle for SingleConnection {
    fn property(&self) -> &'static str {
        "single connection"
    }

    fn observe(&mut self, _model: &Model, fact: &Fact<'_>) -> Result<(), String> {
        match fact {
            Fact::Connected { client, link, .. } => match self.live.insert(*client, *link) {
                Some(other) => Err(format!("client {client} has {link:?} while {other:?} is alive")),
                None => Ok(()),
            },
            Fact::Gone { client, link } => {
                if self.live.get(client) == Some(link) {
                    self.live.remove(client);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
