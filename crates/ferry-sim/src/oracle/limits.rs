//! What the broker holds stays within its limits.

use std::rc::Rc;

use super::{Oracle, Rules};
use crate::fact::Fact;
use crate::model::Model;

/// The output may exceed its limit by what one turn adds that cannot wait.
const OUTPUT_SLACK_BYTES: usize = 64 * 1024;

pub(super) struct Limits {
    rules: Rc<Rules>,
}

impl Limits {
    pub(super) fn new(rules: Rc<Rules>) -> Self {
        Self { rules }
    }
}

impl Oracle for Limits {
    fn property(&self) -> &'static str {
        "limits"
    }

    fn observe(&mut self, model: &Model, fact: &Fact<'_>) -> Result<(), String> {
        let Fact::Load { output_bytes, queued_messages, queued_bytes, retained } = fact else {
            return Ok(());
        };
        let config = &self.rules.config;
        let sessions = model.sessions.len();
        let queue_messages_max =
            config.queue_messages_total_max.min(config.queue_messages_max as usize * sessions);
        let queue_bytes_max = config.queue_bytes_total_max.min(config.queue_bytes_max * sessions);
        let limits = [
            ("output bytes of one connection", *output_bytes, config.output_bytes_max + OUTPUT_SLACK_BYTES),
            ("queued messages", *queued_messages, queue_messages_max),
            ("queued bytes", *queued_bytes, queue_bytes_max),
            ("retained messages", *retained, config.retained.count_max),
        ];
        match limits.into_iter().find(|(_, held, maximum)| held > maximum) {
            Some((what, held, maximum)) => Err(format!("{held} {what}, but at most {maximum} are allowed")),
            None => Ok(()),
        }
    }
}
