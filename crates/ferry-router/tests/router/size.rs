//! Targets of size and speed. The times printed need `--release`; what is asserted always holds.

use std::time::Instant;

use ferry_router::{Retained, RetainedBody, RetainedCursor, RetainedLimits, SubscriptionTrie};

const SUBSCRIPTIONS: u32 = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };

/// As large as what the core stores for a subscription.
#[derive(Clone, Copy)]
struct Options(#[expect(dead_code, reason = "only its size matters")] [u32; 3]);

#[test]
fn a_wildcard_subscription_takes_at_most_150_bytes() {
    for count in [SUBSCRIPTIONS / 10, SUBSCRIPTIONS] {
        let mut trie = SubscriptionTrie::new(1);
        let filters: Vec<String> = (0..count).map(|i| format!("fleet/device-{i:07}/+")).collect();
        let start = Instant::now();
        for (key, filter) in (0u32..).zip(&filters) {
            trie.subscribe(filter, key, Options([0; 3]));
        }
        let subscribe = start.elapsed() / count;

        let topics: Vec<String> = (0..count).map(|i| format!("fleet/device-{i:07}/state")).collect();
        let (start, mut found) = (Instant::now(), 0);
        topics.iter().for_each(|topic| trie.matches(topic, |_, _| found += 1));
        let matching = start.elapsed() / count;
        assert_eq!(found, count);

        let bytes = trie.bytes_estimate() / count as usize;
        println!("{count} subscriptions: {bytes} B each, subscribe {subscribe:?}, match {matching:?}");
        assert!(bytes <= 150, "{bytes} B per subscription");

        filters.iter().zip(0..).for_each(|(filter, key)| assert!(trie.unsubscribe(filter, key).is_some()));
        assert!(trie.is_empty());
    }
}

#[test]
fn subscriptions_that_do_not_match_cost_nothing() {
    let mut trie = SubscriptionTrie::new(1);
    for (key, i) in (0u32..).zip(0..SUBSCRIPTIONS) {
        trie.subscribe(&format!("other/{i}/+/x"), key, ());
    }
    trie.subscribe("a/+", 0, ());
    let start = Instant::now();
    let mut found = 0;
    (0..SUBSCRIPTIONS).for_each(|_| trie.matches("a/b", |_, ()| found += 1));
    println!("one match among {SUBSCRIPTIONS}: {:?}", start.elapsed() / SUBSCRIPTIONS);
    assert_eq!(found, SUBSCRIPTIONS);
}

#[derive(Clone)]
struct Body;

impl RetainedBody for Body {
    fn size_bytes(&self) -> usize {
        0
    }
}

#[test]
fn retained_walks() {
    let retained = Retained::new(1);
    let limits = RetainedLimits { count_max: usize::MAX, bytes_max: usize::MAX };
    let start = Instant::now();
    for i in 0..SUBSCRIPTIONS {
        assert!(retained.set(format!("a/{i}/b"), Body, &limits).is_ok());
    }
    println!("{SUBSCRIPTIONS} retained: set {:?} each", start.elapsed() / SUBSCRIPTIONS);
    for filter in ["#", "a/+/b", "+/+/b", "a/+/c"] {
        let (mut cursor, mut found, mut longest) = (RetainedCursor::default(), 0, std::time::Duration::ZERO);
        let start = Instant::now();
        loop {
            let chunk = Instant::now();
            let is_complete = retained.for_each_matching(filter, &mut cursor, 1000, |_, _| found += 1);
            longest = longest.max(chunk.elapsed());
            if is_complete {
                break;
            }
        }
        println!("{filter}: {:?} each, longest chunk {longest:?}", start.elapsed() / SUBSCRIPTIONS);
        assert_eq!(found, if filter == "a/+/c" { 0 } else { SUBSCRIPTIONS });
    }
    for i in 0..SUBSCRIPTIONS {
        assert!(retained.clear(&format!("a/{i}/b")).is_some());
    }
    assert!(retained.is_empty());
}
