use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::prelude::*;

use super::*;

fn choose(aliases: &mut TopicAliasOut, topic: &str) -> AliasChoice {
    let mut hasher = DefaultHasher::new();
    topic.hash(&mut hasher);
    aliases.choose(topic, hasher.finish())
}

#[test]
fn a_connection_without_aliases_is_small() {
    assert_eq!(size_of::<TopicAliasOut>(), 16);
}

/// [MQTT-3.1.2-27]
#[test]
fn no_aliases_if_the_peer_takes_none() {
    let mut aliases = TopicAliasOut::new(0);
    assert_eq!(choose(&mut aliases, "some/topic"), AliasChoice::None);
}

#[test]
fn the_second_time_the_topic_is_left_out() {
    let mut aliases = TopicAliasOut::new(2);
    assert_eq!(choose(&mut aliases, "some/topic"), AliasChoice::New(1));
    assert_eq!(choose(&mut aliases, "some/topic"), AliasChoice::Existing(1));
    assert_eq!(choose(&mut aliases, "other/topic"), AliasChoice::New(2));
    assert_eq!(choose(&mut aliases, "abc"), AliasChoice::None, "three bytes save nothing");
}

/// The packet that defines an alias may be dropped; then the alias is not defined.
#[test]
fn undo_forgets_the_definition() {
    let mut aliases = TopicAliasOut::new(1);
    assert_eq!(choose(&mut aliases, "some/topic"), AliasChoice::New(1));
    aliases.undo(1);
    aliases.undo(0);
    aliases.undo(2);
    // The alias is free again, but all are given out, so that the topic must be seen twice.
    assert_eq!(choose(&mut aliases, "some/topic"), AliasChoice::None);
    assert_eq!(choose(&mut aliases, "some/topic"), AliasChoice::New(1));
    assert_eq!(choose(&mut aliases, "some/topic"), AliasChoice::Existing(1));
}

#[test]
fn busy_topics_win_aliases_from_quiet_ones_and_keep_them() {
    let mut aliases = TopicAliasOut::new(4);
    for quiet in 0..4 {
        choose(&mut aliases, &format!("quiet/{quiet}"));
    }
    let mut existing = 0;
    for round in 0..1_000 {
        for busy in 0..4 {
            let choice = choose(&mut aliases, &format!("busy/{busy}"));
            existing += usize::from(matches!(choice, AliasChoice::Existing(_)));
        }
        // A stream of topics that are sent once.
        choose(&mut aliases, &format!("once/{round}"));
    }
    assert!(existing > 3_900, "{existing} of 4,000");
}

proptest! {
    /// The peer's table, made from what is sent, must always say what we think it says: [MQTT-3.1.2-26],
    /// [MQTT-3.3.2-8], [MQTT-3.3.2-11].
    #[test]
    fn the_peer_understands(
        maximum in 0..4_u16,
        packets in prop::collection::vec((0..9_u8, any::<bool>()), 0..300),
    ) {
        let mut aliases = TopicAliasOut::new(maximum);
        let mut peer = HashMap::new();
        for (topic, sent) in packets {
            let topic = format!("topic/{topic}");
            match choose(&mut aliases, &topic) {
                AliasChoice::None => {}
                AliasChoice::New(alias) => {
                    prop_assert!(alias >= 1 && alias <= maximum);
                    if sent {
                        peer.insert(alias, topic);
                    } else {
                        aliases.undo(alias);
                    }
                }
                AliasChoice::Existing(alias) => prop_assert_eq!(peer.get(&alias), Some(&topic)),
            }
        }
    }
}
