//! After healing every queue drains, on both sides.

use std::rc::Rc;

use ferry_core::OverflowPolicy;

use super::{Oracle, Rest, Rules};
use crate::fact::Fact;
use crate::model::Model;

pub(super) struct QueuesDrain {
    rules: Rc<Rules>,
}

impl QueuesDrain {
    pub(super) fn new(rules: Rc<Rules>) -> Self {
        Self { rules }
    }

    /// A client that fills its own queue of a few messages, before it reads any of them, may do so again after each
    /// disconnect.
    fn may_never_end(&self) -> bool {
        self.rules.may_drop && self.rules.config.overflow_policy == OverflowPolicy::DisconnectReceiver
    }
}

impl Oracle for QueuesDrain {
    fn property(&self) -> &'static str {
        "queues drain"
    }

    fn observe(&mut self, _model: &Model, _fact: &Fact<'_>) -> Result<(), String> {
        Ok(())
    }

    fn at_rest(&mut self, _model: &Model, rest: &Rest) -> Vec<String> {
        let mut left = Vec::new();
        if self.may_never_end() {
            return left;
        }
        for (client, &count) in
            rest.unacknowledged_by_broker.iter().enumerate().filter(|(_, count)| **count > 0)
        {
            left.push(format!(
                "client {client} still has {count} messages that the broker has not acknowledged"
            ));
        }
        if rest.queued_messages > 0 || rest.inflight_messages > 0 {
            let (queued, inflight) = (rest.queued_messages, rest.inflight_messages);
            left.push(format!("the broker still has {queued} messages queued and {inflight} in flight"));
        }
        if rest.clients_connected != rest.clients {
            left.push(format!("{} of {} clients are connected", rest.clients_connected, rest.clients));
        }
        left
    }
}
