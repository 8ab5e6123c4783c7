//! Session Present is true exactly if there is a session to go on with [MQTT-3.2.2-2] [MQTT-3.2.2-3]: sessions live
//! as long as their expiry interval and no longer [MQTT-3.1.2-23].

use super::Oracle;
use crate::fact::Fact;
use crate::model::Model;

pub(super) struct SessionPresent;

impl Oracle for SessionPresent {
    fn property(&self) -> &'static str {
        "session present"
    }

    fn observe(&mut self, _model: &Model, fact: &Fact<'_>) -> Result<(), String> {
        match fact {
            Fact::WrongSessionPresent { client, told } => Err(format!("client {client} was told {told}")),
            _ => Ok(()),
        }
    }
}
