//! Roles and rules that a client has by its token or from the hook.

use std::sync::Arc;

use ferry_auth::{Grants, GrantsFault, HookAnswer, HookFault, RuleClient, RuleOrigin, RuleReason, RulesFile};
use serde_json::{Value, json};

fn file(text: &str) -> RulesFile {
    let (file, problems) = RulesFile::parse(text);
    assert_eq!(problems, []);
    file.with_grants()
}

fn grants(roles: &Value, rules: &Value) -> Arc<Grants> {
    Grants::parse(Some(roles), Some(rules)).expect("grants").expect("some")
}

fn client(grants: Option<&Grants>) -> RuleClient<'_> {
    let origin = RuleOrigin { peer_address: "192.0.2.7:5000", grants, ..RuleOrigin::default() };
    RuleClient { user_name: Some("ada"), client_id: "c", origin: Some(origin) }
}

fn allow(action: &str, topic: &str) -> Value {
    json!({"permission": "allow", "action": action, "topic": topic})
}

#[test]
fn a_file_decides_first_and_own_rules_where_it_says_nothing() {
    let file = file(
        "[[rule]]\ndeny = \"all\"\ntopic = \"a/secret\"\n[[rule]]\nallow = \"publish\"\ntopic = \"open/#\"\n",
    );
    let own = grants(
        &json!([]),
        &json!([
            {"permission": "deny", "action": "publish", "topic": "a/closed"},
            allow("all", "a/#"),
            {"permission": "allow", "action": "publish", "topic": "low/${user}", "maximum_qos": 1, "retain": false},
        ]),
    );
    let (with, without) = (client(Some(&own)), client(None));
    let may = |client: &RuleClient<'_>, topic| file.may_publish(client, topic, 0, false).allowed;
    for (topic, with_own, by_file) in [
        ("a/b", true, false),
        ("a/secret", false, false),
        ("a/closed", false, false),
        ("open/x", true, true),
        ("elsewhere", false, false),
        ("low/ada", true, false),
        ("low/eve", false, false),
    ] {
        assert_eq!((may(&with, topic), may(&without, topic)), (with_own, by_file), "{topic}");
    }
    assert!(!file.may_publish(&with, "low/ada", 2, false).allowed);
    assert!(!file.may_publish(&with, "low/ada", 1, true).allowed);
    let reason = file.may_publish(&with, "a/b", 0, false).reason;
    assert_eq!(reason, RuleReason::Own(Box::new(RuleReason::Rule(1))));
    let receives = |client: &RuleClient<'_>, topic| file.may_receive(client, topic).allowed;
    assert!(receives(&with, "a/b") && !receives(&with, "a/secret") && !receives(&without, "a/b"));
}

#[test]
fn a_subscription_reaches_nothing_that_either_denies() {
    let file = file(
        "[[rule]]\ndeny = \"subscribe\"\ntopic = \"a/secret\"\n\
         [[rule]]\nallow = \"subscribe\"\ntopic = \"b/low\"\nmaximum_qos = 1\n",
    );
    let own = grants(
        &json!([]),
        &json!([
            allow("subscribe", "a/#"),
            {"permission": "deny", "action": "subscribe", "topic": "b/closed"},
            allow("subscribe", "b/#"),
            allow("subscribe", "c/+"),
        ]),
    );
    let own = client(Some(&own));
    let granted = |filter| {
        let decision = file.may_subscribe(&own, filter);
        decision.allowed.then_some(decision.maximum_qos)
    };
    assert_eq!(granted("a/#"), None, "the file denies a part of it");
    assert_eq!(granted("a/+"), None);
    assert_eq!(granted("a/b"), Some(2));
    assert_eq!(granted("b/+"), None, "its own rules deny a part of it");
    assert_eq!(granted("b/low/#"), Some(1));
    assert_eq!(granted("c/+"), Some(2));
    assert_eq!(granted("c/#"), None);
    assert_eq!(granted("#"), None);
    assert!(!file.may_subscribe(&client(None), "c/x").allowed);
}

#[test]
fn roles_are_those_of_the_file_and_those_granted() {
    let file = file(
        "[roles]\noperators = []\nstaff = [\"eve\"]\n\
         [[rule]]\ndeny = \"all\"\ntopic = \"x\"\nrole = \"staff\"\n\
         [[rule]]\nallow = \"all\"\ntopic = \"#\"\nrole = \"operators\"\n",
    );
    let operator = Grants::parse(Some(&json!("operators other")), None).expect("grants");
    let operator = operator.expect("some");
    assert!(file.may_publish(&client(Some(&operator)), "y", 0, false).allowed);
    assert!(!file.may_publish(&client(None), "y", 0, false).allowed);
    let both = grants(&json!(["operators", "staff"]), &json!([]));
    assert!(!file.may_publish(&client(Some(&both)), "x", 0, false).allowed);
    // Nobody knows the roles of a client that has not come back: nothing is allowed by them, but messages wait.
    let unknown = RuleClient { origin: None, ..client(None) };
    assert!(!file.may_publish(&unknown, "y", 0, false).allowed);
    assert!(!file.may_subscribe(&unknown, "y").allowed);
    assert!(file.may_receive(&unknown, "y").allowed);
    assert!(file.may_receive(&unknown, "x").allowed);
    // Where nothing is granted there is nothing to know.
    let (plain, _) = RulesFile::parse("[[rule]]\nallow = \"publish\"\ntopic = \"z\"\n");
    assert!(!plain.may_receive(&unknown, "y").allowed);
}

#[test]
fn lists_of_topics() {
    let own = grants(&json!([]), &json!({"pub": ["p/#"], "sub": ["s/+", "t"], "all": "w"}));
    let (client, own) = (client(Some(&own)), own.rules().expect("rules"));
    let publishes = |topic| own.may_publish(&client, topic, 2, true).allowed;
    let subscribes = |filter| own.may_subscribe(&client, filter).allowed;
    assert!(publishes("p/x") && publishes("w") && !publishes("t"));
    assert!(subscribes("s/x") && subscribes("t") && subscribes("w") && !subscribes("p/x"));
}

#[test]
fn what_cannot_be_read_grants_nothing() {
    let rules = |rules: Value| Grants::parse(None, Some(&rules));
    for wrong in [
        json!(7),
        json!("allow"),
        json!(["allow"]),
        json!([{}]),
        json!([{"permission": "allow", "action": "publish"}]),
        json!([{"permission": "yes", "action": "publish", "topic": "a"}]),
        json!([{"permission": "allow", "action": "shout", "topic": "a"}]),
        json!([{"permission": "allow", "action": "publish", "topic": "a/#/b"}]),
        json!([{"permission": "allow", "action": "publish", "topic": ""}]),
        json!([{"permission": "allow", "action": "publish", "topic": "a", "maximum_qos": 3}]),
        json!([{"permission": "allow", "action": "publish", "topic": "a", "qos": [1]}]),
        json!([allow("publish", &"x".repeat(1025))]),
        json!(vec![allow("publish", "a"); 65]),
        json!([{"permission": "allow", "action": "publish", "topic": vec!["a"; 129]}]),
        json!({"pub": [7]}),
        json!({"publish": ["a"]}),
    ] {
        assert_eq!(rules(wrong.clone()), Err(GrantsFault::Rules), "{wrong}");
    }
    assert!(rules(json!(vec![allow("publish", "a"); 64])).is_ok());
    for wrong in [json!(7), json!([7]), json!(vec!["r"; 65]), json!(["r".repeat(257)])] {
        assert_eq!(Grants::parse(Some(&wrong), None), Err(GrantsFault::Roles), "{wrong}");
    }
    assert_eq!(Grants::parse(None, None), Ok(None));
    let fault = HookAnswer::parse(br#"{"result":"allow","acl":[{"permission":"allow"}]}"#);
    assert_eq!(fault, Err(HookFault::Grants(GrantsFault::Rules)));
}
