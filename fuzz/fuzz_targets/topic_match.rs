//! The matcher against one that knows no levels, only characters.

#![no_main]

use ferry_codec::DecodeLimits;
use ferry_codec::topic::{matches, parse_shared, validate_topic_filter, validate_topic_name};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (filter, topic) = input;
    let limits = DecodeLimits::UNLIMITED;
    if validate_topic_filter(filter, &limits).is_err() || validate_topic_name(topic, &limits).is_err() {
        return;
    }
    let filter = match parse_shared(filter) {
        Ok(Some(shared)) => shared.filter,
        _ => filter,
    };
    assert_eq!(matches(filter, topic), naive_match(filter, topic), "{filter:?} {topic:?}");
});

/// Turns the filter by turns into all the topics it could mean at each place.
fn naive_match(filter: &str, topic: &str) -> bool {
    let hidden = topic.starts_with('$') && filter.starts_with(['+', '#']);
    let filter: Vec<char> = filter.chars().collect();
    let topic: Vec<char> = topic.chars().collect();
    // Which beginnings of the topic the filter so far matches.
    let mut reached = vec![false; topic.len() + 1];
    reached[0] = true;
    for (index, character) in filter.iter().enumerate() {
        let parent_of_all = *character == '/' && filter[index + 1..] == ['#'];
        if parent_of_all && reached[topic.len()] {
            return !hidden;
        }
        let mut next = vec![false; topic.len() + 1];
        match character {
            '#' => return !hidden && reached.contains(&true),
            '+' => {
                for start in 0..reached.len() {
                    if reached[start] {
                        next[start] = true;
                        for end in start..topic.len() {
                            if topic[end] == '/' {
                                break;
                            }
                            next[end + 1] = true;
                        }
                    }
                }
            }
            _ => {
                for start in 0..topic.len() {
                    next[start + 1] = reached[start] && topic[start] == *character;
                }
            }
        }
        reached = next;
    }
    !hidden && reached[topic.len()]
}
