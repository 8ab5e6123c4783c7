use ferry_auth::{RuleClient, RuleOrigin, RuleReason, RulesFile};
use proptest::prelude::*;

fn rules(text: &str) -> RulesFile {
    let (file, problems) = RulesFile::parse(text);
    assert_eq!(problems, [], "{text}");
    file
}

fn client<'a>(user_name: Option<&'a str>, client_id: &'a str) -> RuleClient<'a> {
    let origin =
        RuleOrigin { peer_address: "192.0.2.1:5000", certificate_common_name: None, ..RuleOrigin::default() };
    RuleClient { user_name, client_id, origin: Some(origin) }
}

/// `p` for publishing, `s` for subscribing, `r` for being sent.
fn rights(file: &RulesFile, client: RuleClient<'_>, topic: &str) -> String {
    let may = [
        (file.may_publish(&client, topic, 0, false).allowed, 'p'),
        (file.may_subscribe(&client, topic).allowed, 's'),
        (file.may_receive(&client, topic).allowed, 'r'),
    ];
    may.into_iter().filter(|(may, _)| *may).map(|(_, letter)| letter).collect()
}

#[test]
fn the_first_rule_that_matches_decides() {
    let file = rules(
        r##"
        [[rule]]
        deny = "all"
        topic = "house/safe"
        [[rule]]
        allow = "all"
        topic = ["house/#", "garden/+"]
        [[rule]]
        deny = "publish"
        topic = "house/door"
        [[rule]]
        allow = "receive"
        topic = "news"
        [[rule]]
        allow = ["publish", "subscribe"]
        topic = "chat"
        "##,
    );
    let of = |topic| rights(&file, client(None, "c"), topic);
    assert_eq!(of("house/safe"), "");
    assert_eq!(of("house/door"), "psr", "the rule that denies it comes too late");
    assert_eq!((&*of("house"), &*of("garden/a"), &*of("garden/a/b")), ("psr", "psr", ""));
    assert_eq!(of("news"), "r");
    assert_eq!(of("chat"), "psr", "who may subscribe may be sent what comes");
    assert_eq!(of("elsewhere"), "", "what no rule matches is denied");
    let decision = file.may_publish(&client(None, "c"), "house/safe", 0, false);
    assert_eq!(decision.reason, RuleReason::Rule(0));
    assert_eq!((file.line(0), file.line(1)), (Some(2), Some(5)));
    assert_eq!(file.words(1), "allow all, topic house/# or garden/+");
    assert_eq!(file.may_receive(&client(None, "c"), "x").reason, RuleReason::NoRule);
}

#[test]
fn all_conditions_of_a_rule_must_hold() {
    let file = rules(
        r##"
        [roles]
        operator = ["ada", "ben"]
        [[rule]]
        allow = "publish"
        topic = "role"
        role = "operator"
        [[rule]]
        allow = "publish"
        topic = "user"
        user = ["ada", "c*"]
        client_id = "desk-*"
        [[rule]]
        allow = "publish"
        topic = "near"
        address = ["192.0.2.0/24", "unix"]
        [[rule]]
        allow = "publish"
        topic = "pump"
        certificate = "pump-*"
        [[rule]]
        allow = "publish"
        topic = "anybody"
        anonymous = true
        [[rule]]
        allow = "publish"
        topic = "somebody"
        anonymous = false
        "##,
    );
    let of = |user, client_id, topic| rights(&file, client(user, client_id), topic) == "p";
    assert!(of(Some("ada"), "c", "role") && !of(Some("cid"), "c", "role") && !of(None, "ada", "role"));
    assert!(of(Some("ada"), "desk-1", "user") && of(Some("cid"), "desk-1", "user"));
    assert!(
        !of(Some("ada"), "c", "user") && !of(Some("ben"), "desk-1", "user") && !of(None, "desk-1", "user")
    );
    assert!(of(None, "c", "anybody") && !of(Some("ada"), "c", "anybody"));
    assert!(!of(None, "c", "somebody") && of(Some("ada"), "c", "somebody"));
    let from = |peer_address, certificate_common_name, topic| {
        let origin = Some(RuleOrigin { peer_address, certificate_common_name, ..RuleOrigin::default() });
        rights(&file, RuleClient { origin, ..client(None, "c") }, topic) == "p"
    };
    assert!(from("192.0.2.9:1", None, "near") && from("unix:pid=7", None, "near"));
    assert!(!from("192.0.3.9:1", None, "near") && !from("[2001:db8::1]:1", None, "near"));
    assert!(from("1.1.1.1:1", Some("pump-7"), "pump") && !from("1.1.1.1:1", Some("door"), "pump"));
    assert!(!from("1.1.1.1:1", None, "pump"));
}

/// Rules about an origin that is not known let nothing be done; what waits is judged again when the client is back.
#[test]
fn an_origin_that_is_not_known() {
    let file = rules(
        r##"
        [[rule]]
        deny = "all"
        topic = "a/#"
        address = "10.0.0.0/8"
        [[rule]]
        allow = "all"
        topic = "a/#"
        [[rule]]
        allow = "all"
        topic = "b/#"
        certificate = "pump"
        "##,
    );
    let unknown = RuleClient { origin: None, ..client(None, "c") };
    assert!(file.judges_origin());
    assert_eq!((&*rights(&file, unknown, "a/x"), &*rights(&file, unknown, "b/x")), ("r", "r"));
    assert_eq!(
        (&*rights(&file, client(None, "c"), "a/x"), &*rights(&file, client(None, "c"), "b/x")),
        ("psr", "")
    );
    assert!(!rules("[[rule]]\nallow = \"all\"\ntopic = \"a\"").judges_origin());
}

#[test]
fn a_client_cannot_widen_a_placeholder() {
    let file = rules(
        r##"
        [[rule]]
        allow = "all"
        topic = ["devices/${client_id}/#", "d/%c", "users/${user}/x", "u-%u-${client_id}/+"]
        [[rule]]
        allow = "all"
        topic = "${client_id}/own"
        "##,
    );
    let of = |user, client_id, topic| rights(&file, client(user, client_id), topic);
    assert_eq!(of(None, "c1", "devices/c1/state"), "psr");
    assert_eq!(of(None, "c1", "devices/c1"), "psr");
    assert_eq!(of(None, "c1", "devices/c2/state"), "");
    assert_eq!((&*of(None, "c1", "d/c1"), &*of(Some("ada"), "c1", "users/ada/x")), ("psr", "psr"));
    assert_eq!((&*of(Some("ada"), "c1", "u-ada-c1/z"), &*of(None, "c1", "u--c1/z")), ("psr", ""));
    assert_eq!(of(None, "c1", "c1/own"), "psr");
    // Names that would make another filter of it, or none at all.
    for name in ["+", "#", "a+", "a#b", "c1/state", "/", ""] {
        for topic in ["devices/c1/state", "d/c1", "users/ada/x", "u-ada-c1/z", "c1/own"] {
            assert_eq!(of(Some(name), name, topic), "", "{name} {topic}");
        }
        for filter in [format!("devices/{name}/#"), format!("d/{name}"), format!("users/{name}/x")] {
            assert!(!file.may_subscribe(&client(Some(name), name), &filter).allowed, "{filter}");
        }
    }
    assert_eq!(of(None, "$SYS", "$SYS/own"), "", "the server's topics are nobody's own");
    assert_eq!(of(None, "%c", "d/%c"), "psr", "placeholders are replaced once");
    assert_eq!(of(Some("${client_id}"), "c1", "users/c1/x"), "");
}

#[test]
fn the_topics_of_the_server_are_not_for_wildcards() {
    // [MQTT-4.7.2-1]
    let file = rules(
        r##"
        [[rule]]
        allow = "subscribe"
        topic = ["#", "+/x"]
        [[rule]]
        allow = "subscribe"
        topic = "$SYS/broker/#"
        user = "ada"
        "##,
    );
    let of = |user, filter: &str| file.may_subscribe(&client(user, "c"), filter).allowed;
    assert!(of(None, "#") && of(None, "+/x") && of(None, "+/+"));
    assert!(!of(None, "$SYS/#") && !of(None, "$SYS/x") && !of(Some("ada"), "$SYS/#"));
    assert!(of(Some("ada"), "$SYS/broker/#") && of(Some("ada"), "$SYS/broker/+/x"));
}

#[test]
fn a_filter_must_not_reach_beyond_what_is_allowed() {
    let file = rules(
        r##"
        [[rule]]
        deny = "subscribe"
        topic = "house/safe"
        [[rule]]
        deny = "receive"
        topic = "garden/shed"
        [[rule]]
        allow = "subscribe"
        topic = ["house/#", "garden/+", "a", "a/+", "a/+/+/#"]
        "##,
    );
    let of = |filter: &str| file.may_subscribe(&client(None, "c"), filter);
    assert!(of("house/door/#").allowed && of("garden/+").allowed && of("house").allowed);
    assert!(of("a/#").allowed, "by all three together");
    assert!(of("garden/+").allowed && !file.may_receive(&client(None, "c"), "garden/shed").allowed);
    for (filter, topic, rule) in [
        ("house/#", "house/safe", Some(0)),
        ("house/+", "house/safe", Some(0)),
        ("+/safe", "house/safe", Some(0)),
        ("#", "garden", None),
        ("garden/#", "garden", None),
        ("garden/+/+", "garden/x/x", None),
        // No filter, and so not one that reaches less.
        ("#/a", "garden", None),
    ] {
        let decision = of(filter);
        assert!(!decision.allowed, "{filter}");
        let RuleReason::Reaches { topic: found, rule: by } = decision.reason else {
            panic!("{:?}", decision.reason)
        };
        assert_eq!(by, rule, "{filter} {found}");
        assert!(!file.may_subscribe(&client(None, "c"), &found).allowed, "{filter} {found} {topic}");
    }
    assert_eq!(of("house/safe").reason, RuleReason::Rule(0));
    assert_eq!(of("x/y").reason, RuleReason::NoRule);
}

#[test]
fn a_rule_that_allows_may_limit_qos_and_retain() {
    let file = rules(
        r##"
        [[rule]]
        allow = "all"
        topic = "a/b"
        maximum_qos = 0
        retain = false
        [[rule]]
        allow = "all"
        topic = "a/#"
        maximum_qos = 1
        "##,
    );
    let who = client(None, "c");
    assert!(file.may_publish(&who, "a/b", 0, false).allowed);
    let decision = file.may_publish(&who, "a/b", 1, false);
    assert!(!decision.allowed && decision.reason == RuleReason::QosAbove(0), "no further rule is asked");
    assert_eq!(file.may_publish(&who, "a/b", 0, true).reason, RuleReason::Retain(0));
    assert!(
        file.may_publish(&who, "a/c", 1, true).allowed && !file.may_publish(&who, "a/c", 2, true).allowed
    );
    let granted = |filter| file.may_subscribe(&who, filter).maximum_qos;
    assert_eq!((granted("a/b"), granted("a/c"), granted("a/#")), (0, 1, 0), "the lowest of those it reaches");
    assert_eq!(file.words(0), "allow all, topic a/b, maximum QoS 0, not retained");
}

#[test]
fn a_filter_of_too_many_topics_is_denied() {
    // Each level has two ways to go on, and rules tell all of them apart.
    let mut text = String::new();
    for bits in 0..1 << 14 {
        let levels: Vec<&str> = (0..14).map(|bit| if bits >> bit & 1 == 0 { "a" } else { "b" }).collect();
        text.push_str(&format!(
            "[[rule]]\nallow = \"all\"\ntopic = \"{}\"\nuser = \"u\"\n",
            levels.join("/")
        ));
    }
    text.push_str("[[rule]]\nallow = \"all\"\ntopic = \"#\"\n");
    let file = rules(&text);
    let decision = file.may_subscribe(&client(None, "c"), "#");
    assert!(!decision.allowed && decision.reason == RuleReason::TooManyTopics);
    assert!(file.may_subscribe(&client(None, "c"), "a/#").reason == RuleReason::TooManyTopics);
    assert!(file.may_subscribe(&client(None, "c"), "a/b/a/b/a/b/a/#").allowed);
}

/// The first problem: its place, what it is, what to do.
fn problem(text: &str) -> (usize, usize, String, String) {
    let (_, problems) = RulesFile::parse(text);
    let problem = problems.first().unwrap_or_else(|| panic!("{text}")).clone();
    (problem.line, problem.column, problem.message.into(), problem.remedy.into())
}

#[test]
fn problems_have_place_and_remedy() {
    let start = "[[rule]]\nallow = \"all\"\n";
    let of = |rest: &str| problem(&format!("{start}{rest}"));
    for (rest, line, column, message, remedy) in [
        ("topic = \"a\"\nusr = \"x\"", 4, 1, "unknown key \"usr\"", "did you mean \"user\"?"),
        ("", 1, 1, "a rule needs a topic", "write topic = \"#\" for all of them"),
        (
            "topic = \"a/b#\"",
            3,
            9,
            "+ and # stand for whole levels, and # only for the last ones",
            "placeholders are",
        ),
        ("topic = \"a/${usr}\"", 3, 9, "unknown placeholder ${usr}", "placeholders are ${client_id}"),
        ("topic = \"$share/g/a\"", 3, 9, "a rule names the filter of a shared", "placeholders"),
        ("topic = [\"a\", 1]", 3, 15, "expected a text", "write a text in quotes"),
        (
            "topic = \"a\"\naddress = \"10.0.0.0/33\"",
            4,
            11,
            "\"10.0.0.0/33\": not an address",
            "write such as",
        ),
        ("topic = \"a\"\nrole = \"x\"", 4, 8, "there is no role \"x\"", "write x = [\"USER\"] under [roles]"),
        ("topic = \"a\"\nuser = []", 4, 8, "the list is empty", "write a text"),
        ("topic = \"a\"\nmaximum_qos = 3", 4, 15, "not a QoS", "write 0, 1 or 2"),
        ("topic = \"a\"\nretain = \"no\"", 4, 10, "expected true or false", "write it without quotes"),
        ("topic = \"a\"\ndeny = \"all\"", 1, 1, "a rule has either allow or deny", "write allow"),
        ("topic = \"a", 3, 11, "not valid TOML", "write [[rule]]"),
    ] {
        let (at_line, at_column, found, help) = of(rest);
        assert_eq!((at_line, at_column), (line, column), "{rest}: {found}");
        assert!(found.starts_with(message), "{rest}: {found}");
        assert!(help.starts_with(remedy), "{rest}: {help}");
    }
    let (.., message, remedy) = problem("[[rules]]\nallow = \"all\"\n");
    assert_eq!((&*message, &*remedy), ("unknown key \"rules\"", "did you mean [[rule]]?"));
    let (.., message, remedy) = problem("[[rule]]\ndeny = \"publsh\"\ntopic = \"a\"\n");
    assert!(message.starts_with("\"publsh\" is nothing") && remedy == "did you mean \"publish\"?");
    let (.., remedy) = problem("[[rule]]\ndeny = \"all\"\ntopic = \"a\"\nmaximum_qos = 1\n");
    assert_eq!(remedy, "remove it");
    let (.., remedy) =
        problem("[roles]\noperator = [\"ada\"]\n[[rule]]\nallow=\"all\"\ntopic=\"a\"\nrole=\"oprator\"\n");
    assert_eq!(remedy, "did you mean \"operator\"?");
}

#[test]
fn rules_that_never_decide_are_named() {
    let warned = |text: &str| {
        let warnings = rules(text).warnings();
        warnings.iter().map(|warning| (warning.line, warning.message.to_string())).collect::<Vec<_>>()
    };
    let block = |line: &str| format!("[[rule]]\n{line}\n");
    let wide = block("allow = \"all\"\ntopic = \"a/#\"");
    let narrow = block("deny = \"publish\"\ntopic = [\"a/b\", \"a\"]\nuser = \"ada\"");
    let found = warned(&format!("{wide}{narrow}"));
    assert_eq!(found.len(), 1);
    assert!(found[0].0 == 4 && found[0].1.contains("line 1"), "{found:?}");
    assert_eq!(warned(&format!("{narrow}{wide}")), []);
    let for_ada = block("allow = \"all\"\ntopic = \"a/#\"\nuser = \"ada\"");
    assert_eq!(warned(&format!("{for_ada}{wide}")), []);
    let server = block("deny = \"all\"\ntopic = \"$SYS/#\"");
    let all = block("allow = \"all\"\ntopic = \"#\"");
    assert_eq!(warned(&format!("{all}{server}")), []);
    let own = block("deny = \"all\"\ntopic = \"d/${user}\"");
    assert_eq!(warned(&format!("{all}{own}")).len(), 1);
    assert_eq!(warned(&format!("{own}{own}")).len(), 1);
    let other = own.replace("${user}", "${client_id}");
    assert_eq!(warned(&format!("{own}{other}")), []);
}

/// A rule of the model: what the file says, and nothing that makes it fast.
#[derive(Clone, Debug)]
struct ModelRule {
    allows: bool,
    action: &'static str,
    filters: Vec<String>,
    user: Option<&'static str>,
}

impl ModelRule {
    fn text(&self) -> String {
        let user = self.user.map(|user| format!("user = {user:?}\n")).unwrap_or_default();
        let effect = if self.allows { "allow" } else { "deny" };
        format!("[[rule]]\n{effect} = {:?}\ntopic = {:?}\n{user}", self.action, self.filters)
    }

    fn matches(&self, client: &RuleClient<'_>, topic: &str, action: &str) -> bool {
        let is_for = self.action == action
            || self.action == "all"
            || (self.action, action) == ("subscribe", "receive");
        is_for
            && self.user.is_none_or(|user| client.user_name == Some(user))
            && self.filters.iter().any(|filter| {
                let usable = |name: &&str| !name.is_empty() && !name.contains(['+', '#', '/']);
                let mut filter = filter.clone();
                for (placeholder, name) in
                    [("${client_id}", Some(client.client_id)), ("%u", client.user_name)]
                {
                    match name.filter(usable) {
                        _ if !filter.contains(placeholder) => {}
                        None => return false,
                        Some(name) if filter.starts_with(placeholder) && name.starts_with('$') => {
                            return false;
                        }
                        Some(name) => filter = filter.replace(placeholder, name),
                    }
                }
                model_matches(&filter, topic)
            })
    }
}

/// The standard's words on matching (section 4.7), level by level.
fn model_matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (filter, topic): (Vec<&str>, Vec<&str>) = (filter.split('/').collect(), topic.split('/').collect());
    let exact = |filter: &[&str], topic: &[&str]| {
        filter.len() == topic.len()
            && filter.iter().zip(topic).all(|(level, name)| *level == "+" || level == name)
    };
    match filter.split_last() {
        Some((&"#", parents)) => topic.len() >= parents.len() && exact(parents, &topic[..parents.len()]),
        _ => exact(&filter, &topic),
    }
}

fn model_decides(rules: &[ModelRule], client: &RuleClient<'_>, topic: &str, action: &str) -> bool {
    rules.iter().find(|rule| rule.matches(client, topic, action)).is_some_and(|rule| rule.allows)
}

/// Every topic of up to four levels of which rules could tell one from another.
fn topics() -> Vec<String> {
    let mut topics: Vec<String> = vec![String::new()];
    let mut all = Vec::new();
    for depth in 0..4 {
        let longer = |topic: &String| {
            ["a", "b", "u", "v", "$s", "other"].map(|level| match depth {
                0 => level.to_owned(),
                _ => format!("{topic}/{level}"),
            })
        };
        topics = topics.iter().flat_map(longer).collect();
        all.extend(topics.iter().cloned());
    }
    all
}

/// Up to three levels: a topic of four has one that no rule names.
fn filter(placeholders: bool) -> impl Strategy<Value = String> {
    let placeholders = if placeholders { vec!["${client_id}", "%u"] } else { vec!["u"] };
    let level = prop_oneof![
        3 => prop::sample::select(vec!["a", "b"]),
        1 => Just("$s"),
        2 => Just("+"),
        1 => prop::sample::select(placeholders),
    ];
    (prop::collection::vec(level, 0..=3), any::<bool>()).prop_map(|(mut levels, below)| {
        if below || levels.is_empty() {
            levels.truncate(2);
            levels.push("#");
        }
        levels.join("/")
    })
}

fn model_rules() -> impl Strategy<Value = Vec<ModelRule>> {
    let action = prop::sample::select(vec!["publish", "subscribe", "receive", "all"]);
    let user = prop::sample::select(vec![None, None, Some("u"), Some("v")]);
    let rule = (any::<bool>(), action, prop::collection::vec(filter(true), 1..3), user)
        .prop_map(|(allows, action, filters, user)| ModelRule { allows, action, filters, user });
    prop::collection::vec(rule, 0..8)
}

fn names() -> impl Strategy<Value = (Option<&'static str>, &'static str)> {
    let user = prop::sample::select(vec![None, Some("u"), Some("v"), Some("+"), Some("a/b")]);
    (user, prop::sample::select(vec!["a", "b", "u", "$s", "#", ""]))
}

fn file_of(rules: &[ModelRule]) -> RulesFile {
    self::rules(&rules.iter().map(ModelRule::text).collect::<String>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_trie_decides_as_one_rule_after_the_other(rules in model_rules(), (user, id) in names()) {
        let (file, client) = (file_of(&rules), client(user, id));
        for topic in topics() {
            let expected = model_decides(&rules, &client, &topic, "publish");
            prop_assert_eq!(file.may_publish(&client, &topic, 0, false).allowed, expected, "{}", &topic);
            let expected = model_decides(&rules, &client, &topic, "receive");
            prop_assert_eq!(file.may_receive(&client, &topic).allowed, expected, "{}", &topic);
        }
    }

    /// Inclusion is exact: a filter is granted if and only if each topic that it matches is.
    #[test]
    fn a_filter_is_granted_if_all_its_topics_are(
        rules in model_rules(),
        filters in prop::collection::vec(filter(false), 1..8),
        (user, id) in names(),
    ) {
        let (file, client) = (file_of(&rules), client(user, id));
        for filter in filters {
            let denied = topics().into_iter().find(|topic| {
                model_matches(&filter, topic) && !model_decides(&rules, &client, topic, "subscribe")
            });
            let decision = file.may_subscribe(&client, &filter);
            prop_assert_eq!(decision.allowed, denied.is_none(), "{} reaches {:?}: {:?}", &filter, denied, &decision);
            if let RuleReason::Reaches { topic, .. } = decision.reason {
                prop_assert!(model_matches(&filter, &topic) && !model_decides(&rules, &client, &topic, "subscribe"));
            }
        }
    }

    #[test]
    fn without_rules_that_never_decide_nothing_changes(rules in model_rules(), (user, id) in names()) {
        let (file, client) = (file_of(&rules), client(user, id));
        let lines: Vec<usize> = file.warnings().iter().map(|warning| warning.line).collect();
        let reached = (0..rules.len()).filter(|number| !lines.contains(&file.line(*number).unwrap()));
        let fewer: Vec<ModelRule> = reached.map(|number| rules[number].clone()).collect();
        for topic in topics() {
            for action in ["publish", "subscribe", "receive"] {
                prop_assert_eq!(
                    model_decides(&rules, &client, &topic, action),
                    model_decides(&fewer, &client, &topic, action)
                );
            }
        }
    }

    #[test]
    fn any_text_is_read(text in "(\\[\\[rule\\]\\]\n|allow|deny|topic|roles|role|[ =\"\\[\\]\n#+/%cu${}a,0-9]){0,40}") {
        let _ = RulesFile::parse(&text);
    }
}
