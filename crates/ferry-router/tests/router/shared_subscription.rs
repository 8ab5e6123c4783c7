use std::collections::BTreeMap;

use ferry_router::{RouteTable, ShardId, ShareMembers, SharedGroups};
use proptest::prelude::*;

const SHARD: ShardId = ShardId(0);

fn groups() -> (RouteTable, SharedGroups<u32, char>) {
    (RouteTable::new(1, 1), SharedGroups::new(SHARD, 1))
}

/// The members that the next `count` messages go to if all have the same load.
fn chosen(groups: &mut SharedGroups<u32, char>, filter: &str, count: usize) -> Vec<u32> {
    let id = groups.id("g", filter).expect("the group has members");
    (0..count).map(|_| groups.choose(id, |_, _, _| Some(1)).expect("a member takes it").0).collect()
}

#[test]
fn each_message_to_one_member_in_turn() {
    // [MQTT-4.8.2-4]: a message goes to exactly one of the sessions.
    let (routes, mut groups) = groups();
    for key in 1..=3 {
        assert_eq!(groups.subscribe(&routes, "g", "a/#", key, 'x'), None);
    }
    let mut turns = chosen(&mut groups, "a/#", 6);
    assert_eq!(turns[..3], turns[3..]);
    turns.truncate(3);
    turns.sort_unstable();
    assert_eq!(turns, [1, 2, 3]);

    let mut targets = Vec::new();
    routes.share_targets("a/b", 9, |id, shard| targets.push((id, shard)));
    assert_eq!(targets, [(groups.id("g", "a/#").expect("it has members"), SHARD)]);
}

#[test]
fn the_member_with_the_least_in_flight() {
    let (routes, mut groups) = groups();
    for key in 1..=5 {
        groups.subscribe(&routes, "g", "a", key, 'x');
    }
    let id = groups.id("g", "a").expect("it has members");
    let load = |key| [9, 4, 7, 2, 3, 8][key as usize];
    assert_eq!(groups.choose(id, |key, _, _| Some(load(key))), Some((3, &'x')));
    // A member that cannot take the message is passed over.
    assert_eq!(groups.choose(id, |key, _, _| (key != 3).then(|| load(key))), Some((4, &'x')));
    assert_eq!(groups.choose(id, |_, _, _| None), None);
}

#[test]
fn offline_members_only_when_nobody_is_online() {
    let (routes, mut groups) = groups();
    for key in 1..=3 {
        groups.subscribe(&routes, "g", "a", key, 'x');
    }
    groups.set_online(&routes, "g", "a", 1, false);
    groups.set_online(&routes, "g", "a", 2, false);
    assert_eq!(chosen(&mut groups, "a", 4), [3; 4]);
    groups.set_online(&routes, "g", "a", 3, false);
    let mut offline = chosen(&mut groups, "a", 3);
    offline.sort_unstable();
    assert_eq!(offline, [1, 2, 3]);
    groups.set_online(&routes, "g", "a", 2, true);
    assert_eq!(chosen(&mut groups, "a", 4), [2; 4]);
}

#[test]
fn groups_are_told_apart() {
    // `$share/g/t`, `$share/h/t` and `$share/g/t/#` are three groups.
    let (routes, mut groups) = groups();
    for (key, (group, filter)) in (1..).zip([("g", "t"), ("h", "t"), ("g", "t/#")]) {
        groups.subscribe(&routes, group, filter, key, 'x');
    }
    let mut members = Vec::new();
    routes.share_targets("t", 0, |id, _| {
        members.extend(groups.choose(id, |_, _, _| Some(0)).map(|(key, _)| key));
    });
    members.sort_unstable();
    assert_eq!(members, [1, 2, 3]);
}

#[test]
fn subscribing_again_replaces_and_leaving_ends() {
    let (routes, mut groups) = groups();
    assert_eq!(groups.subscribe(&routes, "g", "a", 1, 'x'), None);
    assert_eq!(groups.subscribe(&routes, "g", "a", 1, 'y'), Some('x'));
    assert_eq!(groups.len(), 1);
    let id = groups.id("g", "a").expect("it has a member");
    assert_eq!(routes.share_name(id), Some(("g".into(), "a".into())));
    assert_eq!(groups.unsubscribe(&routes, "g", "a", 2), None);
    assert_eq!(groups.unsubscribe(&routes, "g", "a", 1), Some('y'));
    assert!(groups.is_empty());
    assert_eq!(routes.share_name(id), None);
    // A message still under way to the group that was finds nobody, even if there is a new one.
    groups.subscribe(&routes, "g", "a", 3, 'z');
    assert_eq!(groups.choose(id, |_, _, _| Some(0)), None);
}

proptest! {
    /// Members and online members are counted right, on the shard and in the route table, and only
    /// members are chosen.
    #[test]
    fn like_a_plain_list(operations in prop::collection::vec((0..8u32, 0..4u8), 0..200)) {
        let (routes, mut groups) = groups();
        let mut model: BTreeMap<u32, bool> = BTreeMap::new();
        for (key, operation) in operations {
            match operation {
                0 => if groups.subscribe(&routes, "g", "a", key, 'x').is_none() {
                    prop_assert_eq!(model.insert(key, true), None);
                },
                1 => prop_assert_eq!(groups.unsubscribe(&routes, "g", "a", key).is_some(), model.remove(&key).is_some()),
                _ => {
                    groups.set_online(&routes, "g", "a", key, operation == 2);
                    model.entry(key).and_modify(|is_online| *is_online = operation == 2);
                }
            }
            prop_assert_eq!(groups.len(), model.len());
            let online = model.values().filter(|is_online| **is_online).count() as u32;
            let offline = model.len() as u32 - online;
            let Some(id) = groups.id("g", "a") else {
                prop_assert!(model.is_empty());
                continue;
            };
            prop_assert_eq!(groups.members(id), ShareMembers { online, offline });
            let (key, _) = groups.choose(id, |key, _, _| Some(key)).expect("somebody takes it");
            prop_assert_eq!(model.get(&key), Some(&(online > 0)));
            let mut targets = 0;
            routes.share_targets("a", 0, |_, _| targets += 1);
            prop_assert_eq!(targets, 1);
        }
    }
}
