use std::collections::{BTreeMap, BTreeSet};

use ferry_codec::topic::matches;
use ferry_router::{Retained, RetainedBody, RetainedCursor, RetainedLimits, RetainedRefused};
use proptest::prelude::*;

use crate::{filter, topic};

/// The size of a message that counts against no limit.
const EXEMPT: usize = 2;

#[derive(Clone, PartialEq, Eq, Debug)]
struct Body(usize);

impl RetainedBody for Body {
    fn size_bytes(&self) -> usize {
        self.0
    }

    fn is_limited(&self) -> bool {
        self.0 != EXEMPT
    }
}

const UNLIMITED: RetainedLimits = RetainedLimits { count_max: usize::MAX, bytes_max: usize::MAX };
const OVERHEAD_BYTES: usize = Retained::<Body>::OVERHEAD_BYTES;

fn set(retained: &Retained<Body>, topic: &str, size: usize) -> Option<Body> {
    retained.set(topic, Body(size), &UNLIMITED).expect("no limit")
}

/// All matching topics, and the number of calls that took.
fn matching(retained: &Retained<Body>, filter: &str, steps_max: usize) -> (Vec<String>, usize) {
    let (mut cursor, mut topics, mut calls) = (RetainedCursor::default(), Vec::new(), 1);
    while !retained
        .for_each_matching(filter, &mut cursor, steps_max, |topic, _| topics.push(topic.to_owned()))
    {
        calls += 1;
        // Whoever goes on later may have kept the place as a text.
        cursor = RetainedCursor::from_text(&cursor.to_text()).expect("the text of a cursor");
    }
    topics.sort_unstable();
    (topics, calls)
}

proptest! {
    /// A walk in chunks finds what the naive matcher finds, each topic once; and a topic that is there
    /// from beginning to end is found however others come and go meanwhile.
    #[test]
    fn like_the_naive_matcher(
        seed: u64,
        topics in prop::collection::btree_set(topic(), 0..80),
        filters in prop::collection::vec(filter(), 1..8),
        comers in prop::collection::vec((topic(), any::<bool>()), 0..40),
        steps_max in 1..20usize,
    ) {
        for filter in filters {
            let retained = Retained::new(seed);
            for topic in &topics {
                set(&retained, topic, 1);
            }
            let expected: Vec<_> = topics.iter().filter(|topic| matches(&filter, topic)).cloned().collect();
            prop_assert_eq!(&matching(&retained, &filter, steps_max).0, &expected, "{}", filter);

            let mut comers = comers.iter();
            let mut touched = BTreeSet::new();
            let mut found = Vec::new();
            let mut cursor = RetainedCursor::default();
            while !retained.for_each_matching(&filter, &mut cursor, steps_max, |topic, _| found.push(topic.to_owned())) {
                if let Some((topic, is_set)) = comers.next() {
                    touched.insert(topic);
                    let old = if *is_set { set(&retained, topic, 1) } else { retained.clear(topic) };
                    prop_assert!(old.is_none_or(|old| old == Body(1)));
                }
            }
            let once: BTreeSet<_> = found.iter().collect();
            prop_assert_eq!(once.len(), found.len() - found.iter().filter(|t| touched.contains(t)).count()
                + once.iter().filter(|t| touched.contains(**t)).count(), "a topic that stays was seen twice");
            for topic in expected.iter().filter(|topic| !touched.contains(topic)) {
                prop_assert!(once.contains(topic), "{} of {} was missed", topic, filter);
            }
            prop_assert!(found.iter().all(|topic| matches(&filter, topic)));
        }
    }

    /// Counts and bytes follow any sequence of set, clear and sweep.
    #[test]
    fn counts(operations in prop::collection::vec((topic(), 0..6usize), 0..100)) {
        let retained: Retained<Body> = Retained::new(3);
        let mut model: BTreeMap<String, usize> = BTreeMap::new();
        for (topic, size) in operations {
            match size {
                0 => prop_assert_eq!(retained.clear(&topic).map(|body| body.0), model.remove(&topic)),
                5 => {
                    let mut cursor = RetainedCursor::default();
                    while !retained.sweep(&mut cursor, 3, |_, body| body.0 % 2 == 1) {}
                    model.retain(|_, size| *size % 2 == 0);
                }
                _ => {
                    prop_assert_eq!(set(&retained, &topic, size).map(|body| body.0), model.insert(topic.clone(), size));
                    prop_assert_eq!(retained.get(&topic), Some(Body(size)));
                }
            }
            prop_assert_eq!(retained.len(), model.len());
            let limited = model.iter().filter(|(_, size)| **size != EXEMPT);
            let bytes: usize = limited.map(|(topic, size)| topic.len() + size + OVERHEAD_BYTES).sum();
            prop_assert_eq!(retained.size_bytes(), bytes);
        }
    }
}

#[test]
fn the_last_message_wins() {
    // [MQTT-3.3.1-5] replaces, [MQTT-3.3.1-6] removes.
    let retained = Retained::new(1);
    assert_eq!(set(&retained, "a/b", 1), None);
    assert_eq!(set(&retained, "a/b", 2), Some(Body(1)));
    assert_eq!(retained.get("a/b"), Some(Body(2)));
    assert_eq!(retained.clear("a/b"), Some(Body(2)));
    assert_eq!(retained.clear("a/b"), None);
    assert_eq!((retained.get("a/b"), retained.len(), retained.size_bytes()), (None, 0, 0));
}

#[test]
fn dollar_topics_need_a_literal_first_level() {
    // [MQTT-4.7.2-1] holds for retained messages as well.
    let retained = Retained::new(1);
    for topic in ["$SYS/a", "$x", "a/$y"] {
        set(&retained, topic, 1);
    }
    assert_eq!(matching(&retained, "#", 9).0, ["a/$y"]);
    assert_eq!(matching(&retained, "+/a", 9).0, [""; 0]);
    assert_eq!(matching(&retained, "$SYS/#", 9).0, ["$SYS/a"]);
    assert_eq!(matching(&retained, "a/+", 9).0, ["a/$y"]);
}

#[test]
fn limits_hold_and_replacing_stays_possible() {
    let retained = Retained::new(1);
    let limits = RetainedLimits { count_max: 2, bytes_max: 2 * OVERHEAD_BYTES + 12 };
    assert_eq!(retained.set("a", Body(5), &limits), Ok(None));
    assert_eq!(retained.set("b", Body(5), &limits), Ok(None));
    assert_eq!(retained.set("c", Body(0), &limits), Err(RetainedRefused::Count));
    assert_eq!(retained.set("b", Body(7), &limits), Err(RetainedRefused::Bytes));
    assert_eq!(retained.set("b", Body(4), &limits), Ok(Some(Body(5))));
    assert_eq!(retained.set("a", Body(6), &limits), Ok(Some(Body(5))));
    assert_eq!((retained.len(), retained.size_bytes()), (2, 2 * OVERHEAD_BYTES + 12));
}

#[test]
fn a_message_that_is_not_limited_takes_no_room() {
    let retained = Retained::new(1);
    let limits = RetainedLimits { count_max: 1, bytes_max: OVERHEAD_BYTES + 10 };
    assert_eq!(retained.set("a", Body(EXEMPT), &limits), Ok(None));
    assert_eq!(retained.set("b", Body(9), &limits), Ok(None));
    assert_eq!(retained.set("c", Body(EXEMPT), &limits), Ok(None));
    assert_eq!((retained.len(), retained.size_bytes()), (3, OVERHEAD_BYTES + 10));
    // It may become one that is, and back.
    assert_eq!(retained.set("a", Body(9), &limits), Err(RetainedRefused::Count));
    assert_eq!(retained.set("b", Body(EXEMPT), &limits), Ok(Some(Body(9))));
    assert_eq!(retained.set("a", Body(9), &limits), Ok(Some(Body(EXEMPT))));
    assert_eq!((retained.len(), retained.size_bytes()), (3, OVERHEAD_BYTES + 10));
}

#[test]
fn a_walk_looks_at_no_more_than_it_may() {
    let retained = Retained::new(1);
    for i in 0..10_000 {
        set(&retained, &format!("fleet/{i}/state"), 1);
    }
    let (topics, calls) = matching(&retained, "#", 100);
    assert_eq!(topics.len(), 10_000);
    assert!((100..=120).contains(&calls), "{calls}");
    // Nothing matches, yet no call looks at everything.
    assert!(matching(&retained, "fleet/+/other", 100).1 > 50);
    // Jumps: this looks at a few topics per partition only.
    assert_eq!(matching(&retained, "fleet/77/+", 100), (vec!["fleet/77/state".to_owned()], 1));
}

#[test]
fn what_is_no_text_of_a_cursor_is_none() {
    for text in ["", "x", ">t", "-1", "99999", "99999>t", "1é"] {
        assert!(RetainedCursor::from_text(text).is_none(), "{text}");
    }
}
