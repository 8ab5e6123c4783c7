//! Topic names, topic filters and shared subscriptions, with the examples of sections 4.7 and 4.8.2.

use ferry_codec::DecodeLimits;
use ferry_codec::topic::{
    SharedFilter, TopicError, matches, parse_shared, validate_topic_filter, validate_topic_name,
};

const LIMITS: DecodeLimits = DecodeLimits::UNLIMITED;

/// `[MQTT-4.7.1-1]`, `[MQTT-4.7.1-2]`, `[MQTT3-4.7.1-2]`, `[MQTT3-4.7.1-3]`.
#[test]
fn wildcards() {
    for (filter, topic, expected) in [
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
        ("sport/tennis/player1/#", "sport/tennis/player12", false),
        ("sport/#", "sport", true),
        ("#", "sport", true),
        ("#", "/", true),
        ("sport/tennis/+", "sport/tennis/player1", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        ("+/tennis/#", "sport/tennis", true),
        ("+/tennis/#", "/tennis/a/b", true),
        ("sport/+/player1", "sport/tennis/player1", true),
        ("sport/+/player1", "sport//player1", true),
        ("+/#", "a", true),
        ("a/+/#", "a", false),
        ("a/+/#", "a/b", true),
    ] {
        assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
    }
}

/// `[MQTT-4.7.2-1]`, `[MQTT3-4.7.2-1]`: only the first level is special.
#[test]
fn topics_that_start_with_a_dollar() {
    for (filter, topic, expected) in [
        ("#", "$SYS/broker", false),
        ("+/monitor/Clients", "$SYS/monitor/Clients", false),
        ("+", "$SYS", false),
        ("$SYS/#", "$SYS/broker", true),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
        ("a/+", "a/$x", true),
        ("a/#", "a/$x/y", true),
        ("+/$x", "a/$x", true),
    ] {
        assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
    }
}

/// `[MQTT-4.7.3-4]`, `[MQTT3-4.7.3-4]`.
#[test]
fn nothing_is_normalised() {
    for (filter, topic) in [
        ("ACCOUNTS", "Accounts"),
        ("/finance", "finance"),
        ("a/b", "a/b/"),
        ("a//b", "a/b"),
        ("a b", "a%20b"),
        ("\u{e9}", "e\u{301}"),
        ("\u{feff}a", "a"),
    ] {
        assert!(!matches(filter, topic), "{filter} {topic}");
        assert!(matches(filter, filter) && matches(topic, topic));
    }
}

/// `[MQTT-4.7.3-1]`, `[MQTT-4.7.3-2]`, `[MQTT-4.7.0-1]`.
#[test]
fn topic_names() {
    for (name, expected) in [
        ("a", Ok(())),
        ("/", Ok(())),
        ("Accounts payable", Ok(())),
        ("$share/g/t", Ok(())),
        ("", Err(TopicError::Empty)),
        ("a\0", Err(TopicError::NulCharacter)),
        ("a+", Err(TopicError::WildcardInName)),
        ("#", Err(TopicError::WildcardInName)),
    ] {
        assert_eq!(validate_topic_name(name, &LIMITS), expected, "{name:?}");
    }
}

/// Each length and place, among bytes that differ from the forbidden ones in one bit or by one.
#[test]
fn forbidden_characters_at_every_place() {
    for length in 1..26_usize {
        for ordinary in ["a", "*", ",", "\"", "$", "\u{1}", "/", "\u{7f}"] {
            let name = ordinary.repeat(length);
            assert_eq!(validate_topic_name(&name, &LIMITS), Ok(()), "{name:?}");
            for place in 0..length {
                for (forbidden, error) in [
                    ("\0", TopicError::NulCharacter),
                    ("+", TopicError::WildcardInName),
                    ("#", TopicError::WildcardInName),
                ] {
                    let mut name = name.clone();
                    name.replace_range(place..=place, forbidden);
                    assert_eq!(validate_topic_name(&name, &LIMITS), Err(error), "{name:?}");
                }
            }
        }
        assert_eq!(validate_topic_name(&"é🦀".repeat(length), &LIMITS), Ok(()));
    }
}

#[test]
fn topic_filters() {
    for (filter, expected) in [
        ("#", Ok(())),
        ("+", Ok(())),
        ("+/tennis/#", Ok(())),
        ("/", Ok(())),
        ("$SYS/#", Ok(())),
        ("", Err(TopicError::Empty)),
        ("a\0", Err(TopicError::NulCharacter)),
        ("sport/tennis#", Err(TopicError::MultiLevelWildcardMisplaced)),
        ("sport/tennis/#/ranking", Err(TopicError::MultiLevelWildcardMisplaced)),
        ("#/", Err(TopicError::MultiLevelWildcardMisplaced)),
        ("+#", Err(TopicError::MultiLevelWildcardMisplaced)),
        ("sport+", Err(TopicError::SingleLevelWildcardMisplaced)),
        ("++/a", Err(TopicError::SingleLevelWildcardMisplaced)),
        ("$share/g/a/#", Ok(())),
        ("$share/g/#/a", Err(TopicError::MultiLevelWildcardMisplaced)),
        ("$share/g/a+", Err(TopicError::SingleLevelWildcardMisplaced)),
    ] {
        assert_eq!(validate_topic_filter(filter, &LIMITS), expected, "{filter:?}");
    }
}

/// `[MQTT-4.8.2-1]`, `[MQTT-4.8.2-2]`.
#[test]
fn shared_filters() {
    let shared = |group, filter| Ok(Some(SharedFilter { group, filter }));
    for (filter, expected) in [
        ("a/b", Ok(None)),
        ("$share", Ok(None)),
        ("$SHARE/g/t", Ok(None)),
        ("$shared/g/t", Ok(None)),
        ("$share/g/t", shared("g", "t")),
        ("$share/g/#", shared("g", "#")),
        ("$share/g//t", shared("g", "/t")),
        ("$share/g/$SYS/#", shared("g", "$SYS/#")),
        ("$share/consumer1//finance", shared("consumer1", "/finance")),
        ("$share/", Err(TopicError::ShareNameEmpty)),
        ("$share//t", Err(TopicError::ShareNameEmpty)),
        ("$share/g+/t", Err(TopicError::ShareNameWildcard)),
        ("$share/#", Err(TopicError::ShareNameWildcard)),
        ("$share/g", Err(TopicError::SharedFilterMissing)),
        ("$share/g/", Err(TopicError::SharedFilterMissing)),
    ] {
        assert_eq!(parse_shared(filter), expected, "{filter:?}");
    }
}
