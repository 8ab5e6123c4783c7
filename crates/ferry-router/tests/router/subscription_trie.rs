use std::collections::BTreeMap;

use ferry_codec::topic::matches;
use ferry_router::{LastMatches, SubscriptionTrie};
use proptest::prelude::*;

use crate::{filter, topic};

type Model = BTreeMap<(String, u8), u32>;

#[derive(Clone, Debug)]
enum Operation {
    Subscribe(String, u8, u32),
    Unsubscribe(String, u8),
    UnsubscribeNth(usize),
    Match(String),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (filter(), 0..24u8, any::<u32>()).prop_map(|(f, k, v)| Operation::Subscribe(f, k, v)),
        1 => (filter(), 0..24u8).prop_map(|(f, k)| Operation::Unsubscribe(f, k)),
        3 => any::<usize>().prop_map(Operation::UnsubscribeNth),
        3 => topic().prop_map(Operation::Match),
    ]
}

fn matching(trie: &SubscriptionTrie<u8, u32>, topic: &str) -> Vec<(u8, u32)> {
    let mut found = Vec::new();
    trie.matches(topic, |key, &value| found.push((key, value)));
    found.sort_unstable();
    found
}

fn remembered(
    last: &mut LastMatches<u8, u32>,
    trie: &SubscriptionTrie<u8, u32>,
    topic: &str,
) -> Vec<(u8, u32)> {
    let mut found = Vec::new();
    last.matches(trie, topic, |key, &value| found.push((key, value)));
    found.sort_unstable();
    found
}

fn expected(model: &Model, topic: &str) -> Vec<(u8, u32)> {
    let matching = model.iter().filter(|((filter, _), _)| matches(filter, topic));
    let mut found: Vec<_> = matching.map(|((_, key), &value)| (*key, value)).collect();
    found.sort_unstable();
    found
}

fn subscribers(model: &Model, filter: &str) -> usize {
    model.keys().filter(|(other, _)| other == filter).count()
}

fn run(trie: &mut SubscriptionTrie<u8, u32>, model: &mut Model, operation: Operation) {
    match operation {
        Operation::Subscribe(filter, key, value) => {
            let first_of_filter = subscribers(model, &filter) == 0;
            let subscribed = trie.subscribe(&filter, key, value);
            assert_eq!(subscribed.first_of_filter, first_of_filter);
            assert_eq!(trie.find(&filter), Some(subscribed.filter));
            let mut text = String::new();
            trie.write_filter(subscribed.filter, &mut text);
            assert_eq!(text, filter);
            assert_eq!(subscribed.replaced, model.insert((filter, key), value));
        }
        Operation::Unsubscribe(filter, key) => unsubscribe(trie, model, (filter, key)),
        Operation::UnsubscribeNth(nth) => {
            if let Some(subscription) = model.keys().nth(nth % model.len().max(1)).cloned() {
                unsubscribe(trie, model, subscription);
            }
        }
        Operation::Match(topic) => assert_eq!(matching(trie, &topic), expected(model, &topic), "{topic}"),
    }
    assert_eq!(trie.len(), model.len());
}

fn unsubscribe(trie: &mut SubscriptionTrie<u8, u32>, model: &mut Model, (filter, key): (String, u8)) {
    let unsubscribed = trie.unsubscribe(&filter, key);
    let value = model.remove(&(filter.clone(), key));
    assert_eq!(unsubscribed.as_ref().map(|u| u.value), value);
    if let Some(unsubscribed) = unsubscribed {
        assert_eq!(unsubscribed.last_of_filter, subscribers(model, &filter) == 0);
    }
}

proptest! {
    /// Any sequence of subscribe, replace and unsubscribe leaves the trie matching as the naive matcher
    /// over a plain list does; and taking all away leaves nothing behind.
    #[test]
    fn like_the_naive_matcher(seed: u64, operations in prop::collection::vec(operation(), 1..150)) {
        let mut trie = SubscriptionTrie::new(seed);
        let mut model = Model::new();
        for operation in operations {
            run(&mut trie, &mut model, operation);
        }
        for subscription in model.keys().cloned().collect::<Vec<_>>() {
            unsubscribe(&mut trie, &mut model, subscription);
        }
        prop_assert!(trie.is_empty());
        for topic in ["a", "a/b", "$SYS/a", "/", "a//b"] {
            prop_assert_eq!(matching(&trie, topic), vec![]);
        }
    }
}

proptest! {
    /// What was asked before is answered as it stands now, whatever has happened or was read ahead since.
    #[test]
    fn remembered_like_the_naive_matcher(operations in prop::collection::vec(operation(), 1..150)) {
        let mut trie = SubscriptionTrie::new(1);
        let mut last = LastMatches::default();
        let mut model = Model::new();
        let mut topic = "a/b".to_owned();
        for operation in operations {
            if let Operation::Match(other) = &operation {
                trie.read_ahead(&[other, &topic, other]);
                topic.clone_from(other);
            }
            run(&mut trie, &mut model, operation);
            for _ in 0..2 {
                prop_assert_eq!(remembered(&mut last, &trie, &topic), expected(&model, &topic));
            }
        }
    }
}

#[test]
fn it_is_read_ahead_where_it_is_large_and_topics_differ() {
    let mut trie = SubscriptionTrie::new(1);
    let mut last = LastMatches::default();
    let topic = |number: u32| format!("device/{number}/state");
    let ask = |last: &mut LastMatches<u8, u32>, trie: &SubscriptionTrie<u8, u32>, number| {
        remembered(last, trie, &topic(number));
        last.is_scattered(trie)
    };
    let filters_min = (1..)
        .find(|number| {
            trie.subscribe(&format!("device/{number}/+"), 1, 0);
            (0..20).any(|number| ask(&mut last, &trie, number))
        })
        .unwrap();
    assert_eq!(filters_min, 4096);
    ask(&mut last, &trie, 20);
    assert!(!ask(&mut last, &trie, 20), "it repeats");
    assert_eq!((0..9).filter(|number| ask(&mut last, &trie, *number)).collect::<Vec<_>>(), [7, 8]);
}

#[test]
fn a_topic_that_repeats_is_not_read_ahead_however_many_want_it() {
    let mut trie = SubscriptionTrie::new(1);
    let mut last = LastMatches::default();
    for number in 0..5000 {
        trie.subscribe(&format!("device/{number}/+"), 1, 0);
    }
    // More than are remembered.
    for key in 0..100 {
        trie.subscribe("all", key, 0);
    }
    for number in 0..20 {
        remembered(&mut last, &trie, &format!("device/{number}/state"));
    }
    assert!(last.is_scattered(&trie));
    (0..2).for_each(|_| assert_eq!(remembered(&mut last, &trie, "all").len(), 100));
    assert!(!last.is_scattered(&trie));
}

/// Each level of the topic leads to twice as many nodes.
#[test]
fn reading_ahead_ends_where_a_topic_leads_to_too_many_nodes() {
    let mut trie = SubscriptionTrie::new(1);
    for bits in 0..1 << 10 {
        let levels: Vec<_> = (0..10).map(|level| if bits >> level & 1 == 0 { "a" } else { "+" }).collect();
        trie.subscribe(&levels.join("/"), 0, bits);
    }
    let topic = ["a"; 10].join("/");
    trie.read_ahead(&[topic.as_str(); 16]);
    assert_eq!(matching(&trie, &topic).len(), 1 << 10);
}

#[test]
fn what_is_too_large_to_remember_is_found_all_the_same() {
    let mut trie = SubscriptionTrie::new(1);
    let mut last = LastMatches::default();
    for key in 0..40 {
        trie.subscribe("a", key, 0);
        for _ in 0..2 {
            assert_eq!(remembered(&mut last, &trie, "a").len(), usize::from(key) + 1);
        }
    }
    let long = "long/".repeat(100);
    trie.subscribe("#", 1, 0);
    for (topic, count) in [(&*long, 1), (&long, 1), ("a", 41), ("b", 1), ("b", 1)] {
        assert_eq!(remembered(&mut last, &trie, topic).len(), count, "{topic}");
    }
}

fn check(filter: &str, matching_topics: &[&str], other_topics: &[&str]) {
    let mut trie = SubscriptionTrie::new(1);
    trie.subscribe(filter, 1, 0);
    for topic in matching_topics {
        assert_eq!(matching(&trie, topic).len(), 1, "{filter} and {topic}");
    }
    for topic in other_topics {
        assert_eq!(matching(&trie, topic).len(), 0, "{filter} and {topic}");
    }
}

#[test]
fn multi_level_wildcard() {
    // [MQTT-4.7.1-1]: `#` stands for the parent and any number of child levels.
    check(
        "sport/tennis/player1/#",
        &["sport/tennis/player1", "sport/tennis/player1/ranking", "sport/tennis/player1/score/wimbledon"],
        &["sport/tennis", "sport/tennis/player2", "sport/tennis/player10"],
    );
    check("sport/#", &["sport", "sport/", "sport//x"], &["sports", "/sport"]);
    check("#", &["a", "/", "a/b/c"], &["$SYS", "$SYS/a"]);
    check("/#", &["/", "/a"], &["a"]);
}

#[test]
fn single_level_wildcard() {
    // [MQTT-4.7.1-2]: `+` stands for exactly one level, also an empty one.
    check("sport/tennis/+", &["sport/tennis/player1", "sport/tennis/"], &["sport/tennis/player1/ranking"]);
    check("sport/+", &["sport/"], &["sport"]);
    check("+/+", &["/finance", "a/b", "/"], &["a", "a/b/c"]);
    check("/+", &["/finance"], &["finance", "a/finance"]);
    check("+/tennis/#", &["a/tennis", "/tennis/x"], &["a/b/tennis"]);
}

#[test]
fn dollar_topics() {
    // [MQTT-4.7.2-1]: only wildcards in the first level spare them.
    check("+/monitor/Clients", &["a/monitor/Clients"], &["$SYS/monitor/Clients"]);
    check("$SYS/#", &["$SYS", "$SYS/monitor/Clients"], &["SYS/a"]);
    check("$SYS/monitor/+", &["$SYS/monitor/Clients"], &["$SYS/monitor/Clients/x"]);
    check("a/+", &["a/$x"], &[]);
    check("+/$x", &["a/$x"], &["$a/$x"]);
    check("$other/+", &["$other/x"], &[]);
}

#[test]
fn characters_are_compared_as_they_are() {
    // Case, leading `/` and code points count: nothing is normalised [MQTT-4.7.3-4].
    check("ACCOUNTS", &["ACCOUNTS"], &["Accounts", "/ACCOUNTS"]);
    check("ACCOUNTS/+", &["ACCOUNTS/x"], &["Accounts/x"]);
    check("\u{c5}/#", &["\u{c5}"], &["A\u{30a}"]);
    check("Accounts payable", &["Accounts payable"], &["Accountspayable"]);
}

#[test]
fn subscribing_again_replaces() {
    // [MQTT-3.8.4-3]: an identical filter replaces the subscription; other filters are untouched.
    let mut trie = SubscriptionTrie::new(1);
    for filter in ["a/b", "a/+", "a/#", "#"] {
        assert_eq!(trie.subscribe(filter, 1, 1).replaced, None);
        assert_eq!(trie.subscribe(filter, 1, 2).replaced, Some(1));
    }
    assert_eq!(matching(&trie, "a/b"), [(1, 2); 4]);
    assert_eq!(trie.len(), 4);
}

#[test]
fn unsubscribing_takes_only_the_same_filter() {
    // [MQTT-3.10.4-1]: filters are compared character by character, not by what they match.
    let mut trie = SubscriptionTrie::new(1);
    trie.subscribe("a/+", 1, 0);
    for other in ["a/#", "+/+", "a/b", "a", "#", "a/+/+", "A/+"] {
        assert_eq!(trie.unsubscribe(other, 1), None, "{other}");
    }
    assert_eq!(trie.unsubscribe("a/+", 2), None);
    assert!(trie.unsubscribe("a/+", 1).is_some_and(|unsubscribed| unsubscribed.last_of_filter));
}

#[test]
fn many_subscribers_of_one_filter() {
    let mut trie = SubscriptionTrie::new(1);
    for filter in ["a/b", "a/+"] {
        (0..100_000u32)
            .for_each(|key| assert_eq!(trie.subscribe(filter, key, key).first_of_filter, key == 0));
        for key in (0..100_000).filter(|key| key % 3 != 0) {
            assert_eq!(trie.unsubscribe(filter, key).map(|unsubscribed| unsubscribed.value), Some(key));
        }
    }
    let mut found = Vec::new();
    trie.matches("a/b", |key, &value| found.push((key, value)));
    found.sort_unstable();
    let expected: Vec<_> = (0..100_000).filter(|key| key % 3 == 0).flat_map(|key| [(key, key); 2]).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_topic_of_65535_levels_does_not_exhaust_the_stack() {
    let mut trie = SubscriptionTrie::new(1);
    let deep = "/".repeat(65_534);
    trie.subscribe(&format!("{}+", &deep[1..]), 1, 1);
    trie.subscribe("#", 2, 2);
    assert_eq!(matching(&trie, &deep[1..]), [(1, 1), (2, 2)]);
    assert!(trie.unsubscribe(&format!("{}+", &deep[1..]), 1).is_some());
}
