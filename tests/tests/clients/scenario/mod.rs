//! What the clients of every library do together.

mod exchange;
mod properties;
mod retained;
mod session;
mod shared_subscription;
mod will;

use crate::arena::Arena;

/// A name, what happens, and the protocol levels in which it can.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Arena),
    pub(crate) versions: &'static [u8],
}

const fn any_version(name: &'static str, run: fn(&Arena)) -> Scenario {
    Scenario { name, run, versions: &[3, 4, 5] }
}

const fn v5(name: &'static str, run: fn(&Arena)) -> Scenario {
    Scenario { name, run, versions: &[5] }
}

/// The scenario that is run on every transport.
pub(crate) const CONNECTION: Scenario = any_version("messages_of_every_qos", exchange::every_qos);

pub(crate) const ALL: &[Scenario] = &[
    CONNECTION,
    any_version("the_lower_qos_counts", exchange::lower_qos),
    any_version("large_and_empty_payloads", exchange::payload_sizes),
    any_version("topics_and_wildcards", exchange::wildcards),
    any_version("retained_messages", retained::kept_and_cleared),
    v5("retain_options", retained::options),
    any_version("a_will_after_a_failure", will::after_failure),
    any_version("no_will_after_disconnect", will::none_after_disconnect),
    v5("a_delayed_will", will::delayed),
    v5("a_disconnect_with_will", will::with_disconnect),
    any_version("a_queue_for_an_absent_client", session::queue),
    any_version("a_clean_session_forgets", session::clean),
    any_version("a_client_takes_over", session::takeover),
    any_version("the_broker_shuts_down", session::shutdown),
    v5("an_assigned_client_id", session::assigned_id),
    v5("a_session_that_ends_by_itself", session::expires),
    any_version("work_is_shared", shared_subscription::each_message_once),
    any_version("a_share_of_a_dead_member", shared_subscription::dead_member),
    v5("every_property_of_a_message", properties::forwarded),
    v5("request_and_response", properties::request_and_response),
    v5("overlapping_subscription_ids", properties::subscription_ids),
    v5("no_local", properties::no_local),
    v5("topic_aliases", properties::topic_aliases),
];
