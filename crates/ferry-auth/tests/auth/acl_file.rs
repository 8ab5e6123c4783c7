use ferry_auth::{Access, AclFile, AclReason};
use proptest::prelude::*;

fn acl(text: &str) -> AclFile {
    let (file, problems) = AclFile::parse(text);
    assert_eq!(problems, [], "{text}");
    file
}

/// `r`, `w`, `rw` or nothing.
fn rights(file: &AclFile, user: Option<&str>, client: &str, topic: &str) -> String {
    [(Access::Read, 'r'), (Access::Write, 'w')]
        .into_iter()
        .filter(|(access, _)| file.decide(user, client, topic, *access).allowed)
        .map(|(_, letter)| letter)
        .collect()
}

#[test]
fn rules_are_for_whom_they_stand_under() {
    let file = acl("topic read open/#\n\nuser ada\ntopic a/+\ntopic deny a/secret\ntopic write log\n\
                    user ben smith\ntopic readwrite with space\npattern read all/%c/%u\npattern own-%c/#\n");
    let of = |user, topic| rights(&file, user, "c1", topic);
    assert_eq!(of(None, "open/x"), "r");
    assert_eq!(of(None, "open"), "r");
    assert_eq!(of(Some("ada"), "open/x"), "");
    assert_eq!(of(Some("ada"), "a/b"), "rw");
    assert_eq!(of(Some("ada"), "a/b/c"), "");
    assert_eq!(of(Some("ada"), "a/secret"), "");
    assert_eq!(of(Some("ada"), "log"), "w");
    assert_eq!(of(Some("ben smith"), "with space"), "rw");
    assert_eq!(of(Some("ada"), "all/c1/ada"), "r");
    assert_eq!(of(None, "all/c1/ada"), "");
    assert_eq!(of(None, "own-c1/x"), "rw");
    assert_eq!(of(None, "own-c2/x"), "");
    assert_eq!(of(Some("nobody"), "own-c1"), "rw");
}

#[test]
fn a_client_cannot_widen_a_pattern() {
    let file = acl("pattern %c/#\npattern u/%u\n");
    assert_eq!(rights(&file, None, "+", "x/y"), "");
    assert_eq!(rights(&file, None, "#", "#"), "");
    assert_eq!(rights(&file, Some("+"), "c", "c/x"), "");
    assert_eq!(file.decide(None, "a+", "x", Access::Read).reason, AclReason::DangerousName);
    assert_eq!(rights(&file, None, "a/b", "a/b/x"), "rw", "an identifier may have levels");
    assert_eq!(rights(&file, None, "a/b", "a/x"), "");
    assert_eq!(rights(&file, None, "$SYS", "$SYS/broker/uptime"), "", "the server's topics are nobody's own");
    assert_eq!(rights(&file, Some("%c"), "c", "u/%c"), "rw");
}

#[test]
fn the_topics_of_the_server_are_not_for_wildcards() {
    let file = acl("topic #\nuser ada\ntopic read $SYS/#\ntopic read +/x\n");
    assert_eq!(rights(&file, None, "c", "$SYS/x"), "");
    assert_eq!(rights(&file, Some("ada"), "c", "$SYS/x"), "r");
    assert_eq!(rights(&file, Some("ada"), "c", "$other/x"), "");
}

#[test]
fn the_deciding_line_is_named() {
    let file = acl("user ada\ntopic a/#\ntopic read a/b\ntopic deny a/b/c\n");
    let reason = |topic| file.decide(Some("ada"), "c", topic, Access::Read).reason;
    assert_eq!(reason("a/b"), AclReason::Line(2));
    assert_eq!(reason("a/b/c"), AclReason::Line(4));
    assert_eq!(reason("b"), AclReason::NoRule);
    assert_eq!(file.rules(), 3);
}

#[test]
fn every_mistake_has_its_line() {
    let (_, problems) = AclFile::parse(
        "user\ntopic\ntopic raed a\ntopic read\npattern read a/#/b\ntopic a+\nallow x\n# topic\ntopic deny a",
    );
    let told: Vec<String> =
        problems.iter().map(|problem| format!("{}: {}", problem.line, problem.message)).collect();
    assert_eq!(
        told,
        [
            "1: a user name is missing",
            "2: a topic filter is missing",
            "3: \"raed\" is not read, write, readwrite or deny",
            "5: + and # stand for whole levels, and # only for the last ones",
            "6: + and # stand for whole levels, and # only for the last ones",
            "7: a line starts with user, topic, pattern or #",
        ]
    );
}

/// Whether a filter without placeholders matches, level by level.
fn naive_match(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (filter, topic): (Vec<_>, Vec<_>) = (filter.split('/').collect(), topic.split('/').collect());
    for (index, level) in filter.iter().enumerate() {
        match (*level, topic.get(index)) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (level, Some(other)) if level == *other => {}
            _ => return false,
        }
    }
    filter.len() == topic.len()
}

fn level() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]",
        Just(String::new()),
        Just("%c".to_owned()),
        Just("x%c%u".to_owned()),
        Just("$S".to_owned())
    ]
}

fn filter() -> impl Strategy<Value = String> {
    let wild = prop_oneof![4 => level(), 1 => Just("+".to_owned())];
    (proptest::collection::vec(wild, 1..4), any::<bool>()).prop_map(|(mut levels, all)| {
        if all {
            levels.push("#".to_owned());
        }
        levels.join("/")
    })
}

proptest! {
    /// Against one rule after the other.
    #[test]
    fn decisions_are_those_of_a_list(
        rules in proptest::collection::vec((any::<bool>(), 0..4usize, filter()), 0..12),
        levels in proptest::collection::vec(level(), 1..5),
    ) {
        const WORDS: [&str; 4] = ["read", "write", "readwrite", "deny"];
        let (client, user) = ("a/b", "a");
        let topic = levels.join("/").replace("%c", client).replace("%u", user);
        prop_assume!(!topic.is_empty());
        let usable = |filter: &str| !filter.is_empty();
        let text: String = rules
            .iter()
            .filter(|(.., filter)| usable(filter))
            .map(|(pattern, word, filter)| {
                format!("{} {} {filter}\n", if *pattern { "pattern" } else { "topic" }, WORDS[*word])
            })
            .collect();
        let file = acl(&format!("user {user}\n{text}"));
        for (access, index) in [(Access::Read, 0), (Access::Write, 1)] {
            let verdict = |of_patterns: bool| {
                let matching = |word: usize| rules.iter().any(|(pattern, other, filter)| {
                    let expanded = if *pattern {
                        // A placeholder does not reach the topics of the server, and neither do wildcards.
                        filter.replace("%c", client).replace("%u", user)
                    } else {
                        filter.clone()
                    };
                    usable(filter) && *pattern == of_patterns && *other == word && naive_match(&expanded, &topic)
                });
                if matching(3) { Some(false) } else if matching(index) || matching(2) { Some(true) } else { None }
            };
            let expected = verdict(false).or_else(|| verdict(true)).unwrap_or(false);
            prop_assert_eq!(file.decide(Some(user), client, &topic, access).allowed, expected, "{} {}", text, topic);
        }
    }

    #[test]
    fn no_file_is_too_strange(text: String, topic: String) {
        let (file, problems) = AclFile::parse(&text);
        prop_assert!(file.rules() + problems.len() <= text.lines().count());
        let _ = file.decide(Some("u"), "c", &topic, Access::Read);
    }
}
