//! The properties that must hold, one file each.

mod acknowledged_after_commit;
mod acknowledged_survives;
mod at_least_once;
mod at_most_once;
mod exactly_once;
mod limits;
mod no_expired;
mod order;
mod queues_drain;
mod receive_maximum;
mod recovers;
mod retained_last_wins;
mod session_present;
mod single_connection;
mod well_formed;
mod will_once;

use ferry_codec::QoS;
use ferry_core::{CoreConfig, OverlappingSubscriptions};

use crate::fact::Fact;
use crate::journal::MessageId;
use crate::model::{Model, Presence};
use crate::report::{Report, Violation};

/// A property. It looks at the facts one by one and says what contradicts it.
trait Oracle {
    /// Its name in reports: the file's.
    fn property(&self) -> &'static str;

    /// Takes note of a fact, and says what is wrong with it.
    fn observe(&mut self, model: &Model, fact: &Fact<'_>) -> Result<(), String>;

    /// Everything has healed and nothing moves any more: says what is still missing.
    fn at_rest(&mut self, _model: &Model, _rest: &Rest) -> Vec<String> {
        Vec::new()
    }
}

/// What the oracles have to know of the simulated world.
pub(crate) struct Rules {
    pub(crate) config: CoreConfig,
    /// Limits are so low that messages may be dropped.
    pub(crate) may_drop: bool,
    /// Clients that take only small packets, so that they may miss messages.
    pub(crate) lossy_clients: Vec<bool>,
    /// The client that asks for all retained messages at the end.
    pub(crate) auditor: usize,
}

impl Rules {
    /// How many copies of one publication a client may get.
    fn copies_max(&self, model: &Model, client: usize, message: MessageId) -> u32 {
        let authored = model.journal.get(message);
        let is_local = client == authored.publisher;
        let matching = model
            .matching(client, &authored.topic)
            .filter(|subscription| !(is_local && subscription.options.no_local))
            .count() as u32;
        match self.config.overlapping_subscriptions {
            OverlappingSubscriptions::Once => matching.min(1),
            OverlappingSubscriptions::Each => matching,
        }
    }
}

impl Rules {
    /// Whether the messages of some topics are not stored.
    fn has_memory(&self) -> bool {
        let mut by_filter = self.config.durability_by_filter.iter().map(|(_, durability)| durability);
        !self.config.durability.is_stored() || by_filter.any(|durability| !durability.is_stored())
    }

    /// Whether subscribers with QoS 1 or 2 have a right to the message.
    fn must_arrive(&self, model: &Model, message: MessageId) -> bool {
        let authored = model.journal.get(message);
        !self.may_drop && authored.qos > QoS::AtMostOnce && authored.expiry_seconds.is_none()
    }

    /// The clients whose sessions must get a message that is published now, share groups not.
    fn owed_to(&self, model: &Model, message: MessageId) -> Vec<usize> {
        let authored = model.journal.get(message);
        let is_owed = |client: &usize| {
            let is_subscribed = model.matching(*client, &authored.topic).any(|subscription| {
                subscription.is_definite
                    && subscription.options.maximum_qos > QoS::AtMostOnce
                    && !(subscription.options.no_local && *client == authored.publisher)
            });
            is_subscribed && model.sessions[*client].presence == Presence::Yes && !self.lossy_clients[*client]
        };
        (0..model.sessions.len()).filter(is_owed).collect()
    }
}

/// The state of everything at the end.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    /// QoS 1 and 2 messages that clients could not get rid of, by client.
    pub(crate) unacknowledged_by_broker: Vec<usize>,
    pub(crate) queued_messages: usize,
    pub(crate) inflight_messages: usize,
    pub(crate) clients_connected: usize,
    pub(crate) clients: usize,
}

/// Longer than mail between shards takes.
const ON_THE_WAY_MILLISECONDS: u64 = 20;

/// Topics below this are subscribed to by shared subscriptions only, of which no two match the same topic.
const SHARED_TOPICS: &str = "q/";

fn is_shared_topic(topic: &str) -> bool {
    topic.starts_with(SHARED_TOPICS)
}

/// All oracles, and what they found.
pub(crate) struct Oracles {
    oracles: Vec<Box<dyn Oracle>>,
    pub(crate) violations: Vec<Violation>,
}

impl Oracles {
    pub(crate) fn new(rules: Rules) -> Self {
        let rules = std::rc::Rc::new(rules);
        let oracles: Vec<Box<dyn Oracle>> = vec![
            Box::new(acknowledged_after_commit::AcknowledgedAfterCommit::default()),
            Box::new(acknowledged_survives::AcknowledgedSurvives::new(rules.clone())),
            Box::new(at_least_once::AtLeastOnce::new(rules.clone())),
            Box::new(at_most_once::AtMostOnce::new(rules.clone())),
            Box::new(exactly_once::ExactlyOnce::new(rules.clone())),
            Box::new(limits::Limits::new(rules.clone())),
            Box::new(no_expired::NoExpired::default()),
            Box::new(order::Order::default()),
            Box::new(queues_drain::QueuesDrain::new(rules.clone())),
            Box::new(receive_maximum::ReceiveMaximum::default()),
            Box::new(recovers::Recovers),
            Box::new(retained_last_wins::RetainedLastWins::new(rules.clone())),
            Box::new(session_present::SessionPresent),
            Box::new(single_connection::SingleConnection::default()),
            Box::new(well_formed::WellFormed),
            Box::new(will_once::WillOnce::new(rules)),
        ];
        Self { oracles, violations: Vec::new() }
    }

    pub(crate) fn observe(&mut self, model: &Model, fact: &Fact<'_>) {
        for oracle in &mut self.oracles {
            if let Err(detail) = oracle.observe(model, fact) {
                note(&mut self.violations, model, oracle.property(), detail);
            }
        }
    }

    pub(crate) fn at_rest(&mut self, model: &Model, rest: &Rest) {
        for oracle in &mut self.oracles {
            for detail in oracle.at_rest(model, rest) {
                note(&mut self.violations, model, oracle.property(), detail);
            }
        }
    }
}

fn note(violations: &mut Vec<Violation>, model: &Model, property: &'static str, detail: String) {
    if violations.len() < Report::VIOLATIONS_MAX {
        let at_milliseconds = model.network_now.0 - crate::world::START.0;
        violations.push(Violation { property, at_milliseconds, detail });
    }
}
