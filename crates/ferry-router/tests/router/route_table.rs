//! Shards that want a topic, and share groups spread over shards.

use std::collections::BTreeSet;

use ferry_codec::topic::matches;
use ferry_router::{RouteCache, RouteTable, ShardId, SharedGroups};
use proptest::prelude::*;

use crate::{filter, topic};

fn targets(routes: &RouteTable, topic: &str) -> Vec<u16> {
    let mut shards = Vec::new();
    routes.targets(topic, |shard| shards.push(shard.0));
    shards
}

#[test]
fn one_shard_gets_everything() {
    assert_eq!(targets(&RouteTable::new(1, 0), "a"), [0]);
}

#[test]
fn each_shard_once() {
    let routes = RouteTable::new(RouteTable::SHARDS_MAX, 0);
    for filter in ["a/+", "a/#", "a/b", "#"] {
        for shard in [1023, 64, 3] {
            routes.add(ShardId(shard), filter);
        }
    }
    routes.add(ShardId(5), "b");
    assert_eq!(targets(&routes, "a/b"), [3, 64, 1023]);
    routes.remove(ShardId(64), "#");
    assert_eq!(targets(&routes, "a/b"), [3, 64, 1023]);
    assert_eq!(targets(&routes, "b"), [3, 5, 1023]);
    assert_eq!(targets(&routes, "$a"), []);
}

#[test]
fn filters_of_every_shape() {
    let routes = RouteTable::new(64, 0);
    // Each of six levels is a wildcard or not, and behind some is a `#`: far more shapes than are told apart.
    let filters: Vec<String> = (0..128u16)
        .map(|shape| {
            let level = |level: usize| if shape >> level & 1 == 1 { "+".into() } else { format!("l{level}") };
            let levels: Vec<String> = (0..6).map(level).collect();
            levels.join("/") + if shape & 64 == 0 { "" } else { "/#" }
        })
        .collect();
    let shard = |number: usize| ShardId(number as u16 % 64);
    for (number, filter) in filters.iter().enumerate() {
        routes.add(shard(number), filter);
    }
    assert_eq!(targets(&routes, "l0/l1/l2/l3/l4/l5").len(), 64);
    assert_eq!(targets(&routes, "l0/l1/l2/x/l4/l5").len(), 32);
    assert_eq!(targets(&routes, "l0/l1/l2/l3/l4").len(), 0);
    for (number, filter) in filters.iter().enumerate().filter(|(number, _)| *number != 69) {
        routes.remove(shard(number), filter);
    }
    assert_eq!(filters[69], "+/l1/+/l3/l4/l5/#");
    assert_eq!(targets(&routes, "l0/l1/l2/l3/l4/l5"), [5]);
    assert_eq!(targets(&routes, "l0/l1/l2/l3/l4/l5/l6"), [5]);
    assert_eq!(targets(&routes, "$l0/l1/l2/l3/l4/l5"), []);
    assert_eq!(targets(&routes, "l0/x/l2/l3/l4/l5"), []);
    routes.remove(ShardId(5), &filters[69]);
    assert_eq!(targets(&routes, "l0/l1/l2/l3/l4/l5"), []);
}

#[test]
fn filters_and_topics_of_very_many_levels() {
    let routes = RouteTable::new(8, 0);
    let of = |levels: usize| vec!["level"; levels].join("/");
    for (shard, levels) in (0..).zip([31, 32, 33, 200]) {
        routes.add(ShardId(shard), &of(levels));
        routes.add(ShardId(shard + 4), &format!("{}/#", of(levels)));
    }
    assert_eq!(targets(&routes, &of(31)), [0, 4]);
    assert_eq!(targets(&routes, &of(32)), [1, 4, 5]);
    assert_eq!(targets(&routes, &of(33)), [2, 4, 5, 6]);
    assert_eq!(targets(&routes, &of(200)), [3, 4, 5, 6, 7]);
    routes.remove(ShardId(5), &format!("{}/#", of(32)));
    routes.remove(ShardId(7), &format!("{}/#", of(200)));
    assert_eq!(targets(&routes, &of(200)), [3, 4, 6]);
}

#[test]
fn what_is_remembered_is_what_the_table_says() {
    let routes = RouteTable::new(4, 0);
    let mut cache = RouteCache::new(1);
    let long = "long/".repeat(100);
    let mut check = |routes: &RouteTable, topic: &str| {
        for _ in 0..2 {
            cache.ask(routes, topic);
            let remembered: Vec<_> = cache.targets().iter().map(|shard| shard.0).collect();
            assert_eq!(remembered, targets(routes, topic), "{topic}");
        }
        targets(routes, topic).len()
    };
    // More than there is room for.
    let topics: Vec<_> = (0..5000).map(|number| format!("topic/{number}")).collect();
    assert_eq!(topics.iter().map(|topic| check(&routes, topic)).sum::<usize>(), 0);
    routes.add(ShardId(2), "topic/4999");
    assert_eq!(topics.iter().map(|topic| check(&routes, topic)).sum::<usize>(), 1);
    routes.add(ShardId(1), "#");
    assert_eq!(topics.iter().map(|topic| check(&routes, topic)).sum::<usize>(), 5001);
    assert_eq!((check(&routes, &long), check(&routes, "")), (1, 1));
    routes.remove(ShardId(1), "#");
    assert_eq!((check(&routes, &long), check(&routes, "topic/4999")), (0, 1));
}

#[test]
fn share_groups_prefer_shards_with_online_members_by_their_number() {
    let routes = RouteTable::new(3, 0);
    let mut shards: Vec<SharedGroups<u32, ()>> =
        (0..3).map(|shard| SharedGroups::new(ShardId(shard), 0)).collect();
    for (shard, members) in [(0, 1), (1, 3), (2, 5)] {
        for key in 0..members {
            shards[shard].subscribe(&routes, "g", "a", key, ());
        }
    }
    (0..5).for_each(|key| shards[2].set_online(&routes, "g", "a", key, false));

    let mut counts = [0; 3];
    let count = |counts: &mut [i32; 3]| {
        (0..4000)
            .for_each(|seed| routes.share_targets("a", seed, |_, shard| counts[usize::from(shard.0)] += 1));
    };
    count(&mut counts);
    assert!((900..1100).contains(&counts[0]) && counts[2] == 0, "{counts:?}");

    shards[0].unsubscribe(&routes, "g", "a", 0);
    for key in 0..3 {
        shards[1].unsubscribe(&routes, "g", "a", key);
    }
    counts = [0; 3];
    count(&mut counts);
    assert_eq!(counts, [0, 0, 4000]);

    for key in 0..5 {
        shards[2].unsubscribe(&routes, "g", "a", key);
    }
    routes.share_targets("a", 0, |_, _| panic!("the group has no members"));
}

#[test]
fn share_groups_that_are_too_many_to_remember_are_asked_for_each_time() {
    let routes = RouteTable::new(2, 0);
    let mut shard: SharedGroups<u32, ()> = SharedGroups::new(ShardId(1), 0);
    let mut cache = RouteCache::new(1);
    for group in 0..200 {
        shard.subscribe(&routes, &format!("g{group}"), "a", 0, ());
        for _ in 0..2 {
            let mut groups = 0;
            cache.share_targets(&routes, "a", 0, |_, _| groups += 1);
            assert_eq!(groups, group + 1);
        }
    }
}

/// Something that changes which shard a share group's message goes to.
#[derive(Clone, Debug)]
enum ShareOperation {
    Subscribe { shard: usize, group: &'static str, filter: String, key: u32 },
    Unsubscribe { shard: usize, group: &'static str, filter: String, key: u32 },
    SetOnline { shard: usize, group: &'static str, filter: String, key: u32, is_online: bool },
    Ask(String),
}

fn share_operation() -> impl Strategy<Value = ShareOperation> {
    let group = || prop::sample::select(vec!["g", "h"]);
    // Few of them, so that members come back and go.
    let filter = || prop::sample::select(vec!["a", "a/+", "#", "b"]).prop_map(str::to_owned);
    prop_oneof![
        3 => (0..3usize, group(), filter(), 0..3u32).prop_map(|(shard, group, filter, key)| {
            ShareOperation::Subscribe { shard, group, filter, key }
        }),
        2 => (0..3usize, group(), filter(), 0..3u32).prop_map(|(shard, group, filter, key)| {
            ShareOperation::Unsubscribe { shard, group, filter, key }
        }),
        2 => (0..3usize, group(), filter(), 0..3u32, any::<bool>()).prop_map(
            |(shard, group, filter, key, is_online)| {
                ShareOperation::SetOnline { shard, group, filter, key, is_online }
            }
        ),
        2 => prop::sample::select(vec!["a", "b", "a/b", "c"])
            .prop_map(|topic| ShareOperation::Ask(topic.to_owned())),
    ]
}

/// Asks for topics as a shard does, ahead if they are to be; returns how often that was.
fn ask(cache: &mut RouteCache, routes: &RouteTable, topics: &[String]) -> usize {
    let mut count = 0;
    for topics in topics.chunks(16) {
        if cache.is_scattered(routes) {
            count += 1;
            let texts: Vec<_> = topics.iter().map(|topic| &**topic).collect();
            cache.ask_ahead(routes, &texts, |_, _| {});
        }
        for topic in topics {
            cache.ask(routes, topic);
            assert!(cache.targets().iter().map(|shard| shard.0).eq(targets(routes, topic)), "{topic}");
        }
    }
    count
}

#[test]
fn what_can_be_remembered_is_not_asked_ahead() {
    let routes = RouteTable::new(2, 0);
    (0..5000).for_each(|number| routes.add(ShardId(number % 2), &format!("device/{number}/+")));
    let mut cache = RouteCache::new(1);
    let topics =
        |count: usize| -> Vec<_> { (0..count).map(|number| format!("device/{number}/state")).collect() };
    let many = topics(5000);
    let rounds = ask(&mut cache, &routes, &many);
    assert!((300..many.len() / 16).contains(&rounds), "{rounds}");
    // One that repeats.
    let one = vec![many[0].clone(); 160];
    assert!(ask(&mut cache, &routes, &one) <= 2);
    assert!(!cache.is_scattered(&routes));
    // Some, in a circle: sooner or later.
    ask(&mut cache, &routes, &many);
    let few = topics(100);
    for _ in 0..500 {
        ask(&mut cache, &routes, &few);
    }
    assert_eq!(ask(&mut cache, &routes, &few), 0);
}

#[test]
fn with_one_shard_all_is_asked_of_it() {
    let routes = RouteTable::new(1, 0);
    let mut cache = RouteCache::new(1);
    cache.ask_ahead(&routes, &["a", "b"], |_, shards| assert_eq!(shards, [ShardId(0)]));
    for topic in ["a", "b", "c"] {
        cache.ask(&routes, topic);
        assert_eq!(cache.targets(), [ShardId(0)], "{topic}");
    }
}

#[test]
fn filters_in_the_trie_are_not_asked_ahead() {
    let routes = RouteTable::new(2, 0);
    (0..5000).for_each(|number| routes.add(ShardId(number % 2), &format!("device/{number}/+")));
    let deep = format!("{}+", "a/".repeat(40));
    routes.add(ShardId(1), &deep);
    let mut cache = RouteCache::new(1);
    let many: Vec<_> = (0..200).map(|number| format!("device/{number}/state")).collect();
    assert_eq!(ask(&mut cache, &routes, &many), 0);
    cache.ask_ahead(&routes, &[&deep.replace('+', "b")], |_, shards| assert_eq!(shards, [ShardId(1)]));
    routes.remove(ShardId(1), &deep);
    assert!(ask(&mut cache, &routes, &many) > 0);
}

#[test]
fn a_long_topic_that_was_asked_ahead() {
    let routes = RouteTable::new(2, 0);
    routes.add(ShardId(1), "a/#");
    let mut cache = RouteCache::new(1);
    let long = format!("a/{}", "b".repeat(1000));
    cache.ask_ahead(&routes, &[&long, "a"], |_, shards| assert_eq!(shards, [ShardId(1)]));
    for (topic, expected) in [("", &[][..]), (&*long, &[ShardId(1)]), ("a", &[ShardId(1)])] {
        cache.ask(&routes, topic);
        assert_eq!(cache.targets(), expected, "{topic}");
    }
}

#[derive(Clone, Debug)]
enum RouteOperation {
    Add(u16, String),
    Remove(u16, String),
    AskAhead(Vec<String>),
    Ask(String),
    /// The so-manieth of those that were asked ahead.
    AskNth(usize),
}

fn route_operation() -> impl Strategy<Value = RouteOperation> {
    prop_oneof![
        2 => (0..4u16, filter()).prop_map(|(shard, filter)| RouteOperation::Add(shard, filter)),
        1 => (0..4u16, filter()).prop_map(|(shard, filter)| RouteOperation::Remove(shard, filter)),
        1 => prop::collection::vec(topic(), 0..6).prop_map(RouteOperation::AskAhead),
        1 => topic().prop_map(RouteOperation::Ask),
        4 => (0..6usize).prop_map(RouteOperation::AskNth),
    ]
}

proptest! {
    /// Whatever was expected: each answer is that of the table as it stands.
    #[test]
    fn what_was_asked_ahead_is_what_the_table_says(
        operations in prop::collection::vec(route_operation(), 0..80),
    ) {
        let routes = RouteTable::new(4, 7);
        let mut added = BTreeSet::new();
        let mut cache = RouteCache::new(1);
        let mut topics = vec!["a".to_owned()];
        for operation in operations {
            let topic = match operation {
                RouteOperation::Add(shard, filter) => {
                    if added.insert((shard, filter.clone())) {
                        routes.add(ShardId(shard), &filter);
                    }
                    continue;
                }
                RouteOperation::Remove(shard, filter) => {
                    if added.remove(&(shard, filter.clone())) {
                        routes.remove(ShardId(shard), &filter);
                    }
                    continue;
                }
                RouteOperation::AskAhead(ahead) => {
                    let texts: Vec<_> = ahead.iter().map(|topic| &**topic).collect();
                    let mut told = Vec::new();
                    cache.ask_ahead(&routes, &texts, |topic, shards| {
                        told.push((topic.to_owned(), shards.iter().map(|shard| shard.0).collect::<Vec<_>>()));
                    });
                    let expected: Vec<_> =
                        ahead.iter().map(|topic| (topic.clone(), targets(&routes, topic))).collect();
                    prop_assert_eq!(told, expected);
                    topics = ahead;
                    continue;
                }
                RouteOperation::Ask(topic) => topic,
                RouteOperation::AskNth(number) => topics.get(number).cloned().unwrap_or_default(),
            };
            cache.ask(&routes, &topic);
            let found: Vec<_> = cache.targets().iter().map(|shard| shard.0).collect();
            prop_assert_eq!(found, targets(&routes, &topic));
        }
    }
}

proptest! {
    #[test]
    fn remembered_share_groups_are_those_of_the_table(
        operations in prop::collection::vec(share_operation(), 0..80),
        seed: u64,
    ) {
        let routes = RouteTable::new(3, 7);
        let mut shards: Vec<SharedGroups<u32, ()>> =
            (0..3).map(|shard| SharedGroups::new(ShardId(shard), 0)).collect();
        let mut cache = RouteCache::new(1);
        let mut topic = "a".to_owned();
        for operation in operations {
            match operation {
                ShareOperation::Subscribe { shard, group, filter, key } => {
                    shards[shard].subscribe(&routes, group, &filter, key, ());
                }
                ShareOperation::Unsubscribe { shard, group, filter, key } => {
                    shards[shard].unsubscribe(&routes, group, &filter, key);
                }
                ShareOperation::SetOnline { shard, group, filter, key, is_online } => {
                    shards[shard].set_online(&routes, group, &filter, key, is_online);
                }
                ShareOperation::Ask(other) => topic = other,
            }
            let mut expected = Vec::new();
            routes.share_targets(&topic, seed, |group, shard| expected.push((group, shard)));
            for _ in 0..2 {
                let mut remembered = Vec::new();
                cache.share_targets(&routes, &topic, seed, |group, shard| remembered.push((group, shard)));
                prop_assert_eq!(&remembered, &expected);
            }
        }
    }

    #[test]
    fn like_a_plain_list(
        operations in prop::collection::vec((any::<bool>(), 0..4u16, filter()), 0..80),
        topics in prop::collection::vec(topic(), 1..10),
    ) {
        let routes = RouteTable::new(4, 7);
        let mut model = BTreeSet::new();
        for (is_add, shard, filter) in operations {
            if is_add {
                // A shard names a filter once, with its first subscriber.
                if model.insert((shard, filter.clone())) {
                    routes.add(ShardId(shard), &filter);
                }
            } else if model.remove(&(shard, filter.clone())) {
                routes.remove(ShardId(shard), &filter);
            }
        }
        for topic in topics {
            let expected: BTreeSet<u16> =
                model.iter().filter(|(_, filter)| matches(filter, &topic)).map(|(shard, _)| *shard).collect();
            prop_assert_eq!(targets(&routes, &topic), expected.into_iter().collect::<Vec<_>>());
        }
    }
}
