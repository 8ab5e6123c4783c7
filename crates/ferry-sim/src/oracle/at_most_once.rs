//! QoS 0: a message arrives at most once [MQTT-4.3.1-1]; and no copy is sent again without DUP [MQTT-3.3.1-1].

use std::rc::Rc;

use ferry_codec::QoS;

use super::exactly_once::Allowance;
use super::{Oracle, Rules};
use crate::fact::Fact;
use crate::model::Model;

pub(super) struct AtMostOnce {
    allowance: Allowance,
}

impl AtMostOnce {
    pub(super) fn new(rules: Rc<Rules>) -> Self {
        Self { allowance: Allowance::new(rules) }
    }
}

impl Oracle for AtMostOnce {
    fn property(&self) -> &'static str {
        "at most once"
    }

    fn observe(&mut self, model: &Model, fact: &Fact<'_>) -> Result<(), String> {
        self.allowance.grow(model, fact);
        match fact {
            Fact::Delivered { client, copy, .. } if !copy.dup && copy.qos < QoS::ExactlyOnce => {
                self.allowance.take(model, *client, copy)
            }
            _ => Ok(()),
        }
    }
}
