//! Roles that are managed at run time, through the admin API.

use ferry_broker::config::{AdminRole, Config, Durability};
use ferry_broker::{Action, Applicant, Broker, RunningBroker, StartError, explain};
use ferry_codec::{
    Connect, Packet, PacketId, Publish, QoS, ReasonCode, Subscribe, SubscribeFiltersBuf, SubscriptionOptions,
    UserProperties,
};
use serde_json::{Value, json};

use crate::admin::{Directory, bearer, with_api};
use crate::client::{Client, connect_packet};
use crate::http::{Response, tcp_door};

const HOUSE: &str = "[[rule]]\nallow = \"all\"\ntopic = \"house/#\"\n";

fn ask(broker: &RunningBroker, method: &str, path: &str, body: &Value) -> Response {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let path = format!("/api/v1{path}");
    tcp_door(broker).request(method, &path, &[&bearer(AdminRole::Admin)], &body)
}

fn with_roles() -> Config {
    let mut config = with_api();
    config.authentication.users = true;
    config.authorization.roles = true;
    config
}

/// When this returns, every shard has learned of it.
fn reload(broker: &mut RunningBroker, config: &Config) {
    broker.reload(config.clone()).expect("reloaded");
    ask(broker, "GET", "/broker", &Value::Null).ok();
}

/// A user that is managed at run time, connected.
fn connect(broker: &RunningBroker, user_name: &str) -> Client {
    ask(broker, "PUT", &format!("/users/{user_name}"), &json!({ "password": "x" })).ok();
    let mut client = Client::open(broker);
    let (name, password) = (Some(user_name), Some(b"x".as_slice()));
    client.send(&Packet::Connect(Connect { user_name: name, password, ..connect_packet(user_name) }));
    client.receive(|packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        assert_eq!(connack.reason_code, ReasonCode::SUCCESS);
    });
    client
}

fn published(client: &mut Client, topic: &str) -> ReasonCode {
    let (qos, packet_id) = (QoS::AtLeastOnce, PacketId::new(7));
    client.send(&Packet::Publish(Publish { topic, payload: b"x", qos, packet_id, ..Publish::default() }));
    client.receive(|packet| match packet {
        Packet::Puback(ack) => ack.reason_code,
        _ => panic!("{packet:?}"),
    })
}

fn subscribed(client: &mut Client, filter: &str) -> ReasonCode {
    let mut filters = SubscribeFiltersBuf::default();
    filters.push(filter, SubscriptionOptions::with_qos(QoS::AtLeastOnce));
    let packet_id = PacketId::new(1).expect("not 0");
    let (subscription_id, user_properties) = (None, UserProperties::EMPTY);
    let filters = filters.as_filters();
    client.send(&Packet::Subscribe(Subscribe { packet_id, subscription_id, user_properties, filters }));
    client.receive(|packet| {
        let Packet::Suback(suback) = packet else { panic!("{packet:?}") };
        ReasonCode::new(suback.reason_codes[0])
    })
}

#[test]
fn a_role_is_given_and_taken_while_a_client_is_connected() {
    let broker = Broker::start(with_roles()).expect("started");
    let mut ada = connect(&broker, "ada");
    assert_eq!(published(&mut ada, "house/door"), ReasonCode::NOT_AUTHORIZED, "no role is no right");
    ask(&broker, "PUT", "/roles/family", &json!({ "rules": HOUSE, "description": "at kin" })).ok();
    assert_eq!(published(&mut ada, "house/door"), ReasonCode::NOT_AUTHORIZED);
    ask(&broker, "POST", "/roles/family/grant", &json!({ "users": ["ada", "ben"] })).ok();
    assert_eq!(published(&mut ada, "house/door"), ReasonCode::NO_MATCHING_SUBSCRIBERS);
    assert_eq!(subscribed(&mut ada, "house/#"), ReasonCode::GRANTED_QOS_1);
    let role = ask(&broker, "GET", "/roles/family", &Value::Null).ok();
    let expected = json!({
        "name": "family", "description": "at kin", "rules": HOUSE, "users": ["ada", "ben"], "groups": [],
        "is_asked": true,
    });
    assert_eq!(role, expected);
    assert_eq!(ask(&broker, "GET", "/users/ada", &Value::Null).ok()["roles"], json!(["family"]));
    // A lower QoS holds for the subscription that is there.
    let lower = format!("{HOUSE}maximum_qos = 0\n");
    ask(&broker, "PUT", "/roles/family", &json!({ "rules": lower })).ok();
    let subscriptions = ask(&broker, "GET", "/clients/ada/subscriptions", &Value::Null).ok();
    assert_eq!(subscriptions["items"][0]["maximum_qos"], 0, "{subscriptions}");
    // A rule that is changed holds for what was asked and subscribed to before.
    let narrower = "[[rule]]\nallow = \"publish\"\ntopic = \"house/#\"\n";
    ask(&broker, "PUT", "/roles/family", &json!({ "rules": narrower })).ok();
    assert_eq!(published(&mut ada, "house/door"), ReasonCode::NO_MATCHING_SUBSCRIBERS, "nobody is sent it");
    let subscriptions = ask(&broker, "GET", "/clients/ada/subscriptions", &Value::Null).ok();
    assert_eq!(subscriptions["items"], json!([]), "what is not allowed any more has ended");
    ask(&broker, "POST", "/roles/family/revoke", &json!({ "users": ["ada"] })).ok();
    assert_eq!(published(&mut ada, "house/door"), ReasonCode::NOT_AUTHORIZED);
    ask(&broker, "DELETE", "/roles/family", &Value::Null).ok();
    ask(&broker, "DELETE", "/roles/family", &Value::Null).problem(404);
}

#[test]
fn a_group_has_roles_together() {
    let broker = Broker::start(with_roles()).expect("started");
    let mut ada = connect(&broker, "ada");
    ask(&broker, "PUT", "/roles/family", &json!({ "rules": HOUSE })).ok();
    ask(&broker, "POST", "/roles/family/grant", &json!({ "groups": ["kin"] })).problem(404);
    ask(&broker, "PUT", "/groups/kin", &json!({ "users": ["ben"], "description": "who lives here" })).ok();
    ask(&broker, "POST", "/roles/family/grant", &json!({ "groups": ["kin"] })).ok();
    assert_eq!(published(&mut ada, "house/door"), ReasonCode::NOT_AUTHORIZED);
    ask(&broker, "POST", "/groups/kin/add", &json!({ "users": ["ada"] })).ok();
    assert_eq!(published(&mut ada, "house/door"), ReasonCode::NO_MATCHING_SUBSCRIBERS);
    let group = ask(&broker, "GET", "/groups/kin", &Value::Null).ok();
    assert_eq!(group, json!({ "name": "kin", "description": "who lives here", "users": ["ada", "ben"] }));
    ask(&broker, "POST", "/groups/kin/remove", &json!({ "users": ["ada"] })).ok();
    assert_eq!(published(&mut ada, "house/door"), ReasonCode::NOT_AUTHORIZED);
    ask(&broker, "DELETE", "/groups/kin", &Value::Null).ok();
    assert_eq!(ask(&broker, "GET", "/roles/family", &Value::Null).ok()["groups"], json!([]));
    ask(&broker, "GET", "/groups/kin", &Value::Null).problem(404);
}

#[test]
fn what_cannot_be_is_refused_with_its_line() {
    let mut config = with_roles();
    config.limits.roles_max = 2;
    config.limits.roles_bytes_max = 1024;
    let broker = Broker::start(config).expect("started");
    let put = |name: &str, body: &Value| ask(&broker, "PUT", &format!("/roles/{name}"), body);
    let problem = put("a", &json!({ "rules": "[[rule]]\nallow = \"all\"\n" })).problem(409);
    assert_eq!(problem["type"], "urn:ferry:problem:rules");
    assert_eq!(problem["detail"], "rules of role \"a\", line 1:1: a rule needs a topic");
    assert_eq!(problem["remedy"], "write topic = \"#\" for all of them");
    for (name, body) in [
        ("a%20b", json!({})),
        ("a", json!({ "users": "ada" })),
        ("a", json!({ "users": [""] })),
        ("a", json!({ "description": "a\nb" })),
        ("a", json!({ "name": "x" })),
    ] {
        put(name, &body).problem(400);
    }
    put("a", &json!({ "is_new": false })).problem(404);
    put("a", &json!({ "rules": HOUSE, "is_new": true })).ok();
    assert_eq!(put("a", &json!({ "is_new": true })).problem(409)["type"], "urn:ferry:problem:exists");
    ask(&broker, "PUT", "/groups/b", &json!({})).ok();
    assert_eq!(put("c", &json!({})).problem(409)["type"], "urn:ferry:problem:limit");
    let many: Vec<String> = (0..200).map(|number| format!("user{number}")).collect();
    let large = ask(&broker, "POST", "/roles/a/grant", &json!({ "users": many })).problem(409);
    assert_eq!(large["type"], "urn:ferry:problem:limit");
    assert_eq!(ask(&broker, "GET", "/roles/a", &Value::Null).ok()["users"], json!([]), "nothing has changed");
    let operator =
        tcp_door(&broker).request("DELETE", "/api/v1/roles/a", &[&bearer(AdminRole::Operator)], "");
    assert_eq!(operator.status, 403);
    let metrics = tcp_door(&broker).get("/metrics");
    assert!(metrics.body.contains("\nferry_roles 2\n"), "{}", metrics.body);
}

#[test]
fn roles_outlive_the_broker_and_are_named_by_who_asks_why() {
    let directory = Directory::new("roles");
    let mut config = with_roles();
    config.storage.durability = Durability::Fsync;
    config.storage.data_directory = Some(directory.0.clone());
    let broker = Broker::start(config.clone()).expect("started");
    ask(&broker, "PUT", "/roles/family", &json!({ "rules": HOUSE, "users": ["ada"] })).ok();
    let why = "/why?action=publish&topic=house%2Fdoor";
    let words = "role family, line 1: allow all, topic house/#, role family";
    let expected = |allowed: bool, reason: &str| json!({ "allowed": allowed, "reason": reason });
    let asked = |query: &str| ask(&broker, "GET", &format!("{why}{query}"), &Value::Null).ok();
    assert_eq!(asked("&user=ada"), expected(true, words));
    assert_eq!(asked("&roles=other,family"), expected(true, words));
    assert_eq!(asked("&user=ben"), expected(false, "roles: no rule matches"));
    ask(&broker, "GET", "/why?action=fly&topic=x", &Value::Null).problem(400);
    drop(broker);
    let explained = |applicant: &Applicant<'_>| {
        let action = Action::Publish { qos: QoS::AtMostOnce, retain: false };
        explain(&config, applicant, action, "house/door").expect("explained").to_string()
    };
    let ada = Applicant { user_name: Some("ada"), ..Applicant::default() };
    assert_eq!(explained(&ada), format!("allowed: {words}"));
    let roles = ["family".to_owned()];
    assert_eq!(explained(&Applicant { roles: &roles, ..Applicant::default() }), format!("allowed: {words}"));
    let broker = Broker::start(config.clone()).expect("started");
    let mut ada = connect(&broker, "ada");
    assert_eq!(published(&mut ada, "house/door"), ReasonCode::NO_MATCHING_SUBSCRIBERS);
    drop(broker);
    let file = directory.0.join("roles.json");
    let text = std::fs::read_to_string(&file).expect("a file");
    std::fs::write(&file, text.replace("allow = ", "alow = ")).expect("written");
    let Err(StartError::Managed { message, .. }) = Broker::start(config) else { panic!("it has started") };
    assert!(message.starts_with("rules of role \"family\", line "), "{message}");
}

#[test]
fn a_file_comes_before_roles() {
    let directory = Directory::new("roles-and-files");
    let (rules, acl) = (directory.0.join("rules.toml"), directory.0.join("acl"));
    std::fs::write(&rules, "[[rule]]\ndeny = \"all\"\ntopic = \"house/safe\"\n").expect("written");
    std::fs::write(&acl, "user ada\ntopic deny house/safe\ntopic write open\n").expect("written");
    let mut config = with_roles();
    config.authorization.rules_file = Some(rules);
    let mut broker = Broker::start(config.clone()).expect("started");
    let mut ada = connect(&broker, "ada");
    ask(&broker, "PUT", "/roles/family", &json!({ "rules": HOUSE, "users": ["ada"] })).ok();
    let (yes, no) = (ReasonCode::NO_MATCHING_SUBSCRIBERS, ReasonCode::NOT_AUTHORIZED);
    assert_eq!((published(&mut ada, "house/door"), published(&mut ada, "house/safe")), (yes, no));
    let mut changed = broker.config().clone();
    changed.authorization.rules_file = None;
    changed.authorization.acl_file = Some(acl);
    reload(&mut broker, &changed);
    let codes = ["house/door", "house/safe", "open", "elsewhere"].map(|topic| published(&mut ada, topic));
    assert_eq!(codes, [yes, no, yes, no]);
    let why = ask(&broker, "GET", "/why?action=publish&topic=house%2Fdoor&user=ada", &Value::Null).ok();
    assert_eq!(why["reason"], "role family, line 1: allow all, topic house/#, role family");
    // Without the switch roles are kept, and not asked.
    changed.authorization.roles = false;
    reload(&mut broker, &changed);
    assert_eq!(published(&mut ada, "house/door"), no);
    assert_eq!(ask(&broker, "GET", "/roles/family", &Value::Null).ok()["is_asked"], false);
}
