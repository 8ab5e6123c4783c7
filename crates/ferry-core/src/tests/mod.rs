//! Scripts on one or more shards: packets in, packets out, a clock that moves when it is told to.

mod harness;
mod recorded_state;
mod store;
mod summary;

mod test_acknowledge;
mod test_arbitrary;
mod test_auth;
mod test_backpressure;
mod test_connect;
mod test_deliver;
mod test_disconnect;
mod test_durability;
mod test_forwarded;
mod test_found_by_simulation;
mod test_levels;
mod test_limits;
mod test_packed;
mod test_problem_information;
mod test_publish;
mod test_rates;
mod test_record;
mod test_reload;
mod test_restart;
mod test_retained;
mod test_rights;
mod test_session;
mod test_shards;
mod test_shared;
mod test_shared_rates;
mod test_spans;
mod test_spill;
mod test_store_health;
mod test_subscribe;
mod test_topic_alias;
mod test_will;
