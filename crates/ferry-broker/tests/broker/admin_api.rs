//! `/api/v1` of the admin API, with clients connected meanwhile.

use std::collections::HashSet;
use std::num::NonZeroU16;

use ferry_broker::config::{AdminRole, Config};
use ferry_broker::{Broker, RunningBroker};
use ferry_codec::QoS;
use serde_json::{Value, json};

use crate::admin::{Directory, bearer, with_api};
use crate::client::{Client, id};
use crate::commit::{durable, lasting};
use crate::http::{Door, Response, tcp_door};

struct Api(Door);

impl Api {
    fn of(broker: &RunningBroker) -> Self {
        Self(tcp_door(broker))
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Response {
        self.0.request(method, &format!("/api/v1{path}"), &[&bearer(AdminRole::Admin)], body)
    }

    fn get(&self, path: &str) -> Value {
        self.ask("GET", path, "").ok()
    }

    /// All items of all pages.
    fn all(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut next = Some(String::new());
        while let Some(cursor) = next {
            let separator = if path.contains('?') { '&' } else { '?' };
            let more = if cursor.is_empty() { String::new() } else { format!("{separator}cursor={cursor}") };
            let page = self.get(&format!("{path}{more}"));
            items.extend(page["items"].as_array().expect("items").iter().cloned());
            next = page["next"].as_str().map(str::to_owned);
        }
        items
    }
}

fn with_shards(shards: u16) -> Config {
    let mut config = with_api();
    config.server.shards = NonZeroU16::new(shards);
    config
}

#[test]
fn every_role_may_do_what_it_may() {
    let broker = Broker::start(with_api()).expect("started");
    let door = tcp_door(&broker);
    let status = |method: &str, path: &str, role, body: &str| {
        door.request(method, path, &[&bearer(role)], body).status
    };
    assert_eq!(door.get("/api/v1/broker").status, 401);
    assert_eq!(status("GET", "/api/v1/broker", AdminRole::Viewer, ""), 200);
    let publish = |role| status("POST", "/api/v1/publish", role, "{\"topic\":\"t\"}");
    assert_eq!((publish(AdminRole::Viewer), publish(AdminRole::Operator)), (403, 200));
    let delete = |role| status("DELETE", "/api/v1/clients/nobody", role, "");
    assert_eq!((delete(AdminRole::Operator), delete(AdminRole::Admin)), (403, 404));
    let payload = |role| status("GET", "/api/v1/retained/message?topic=t", role, "");
    assert_eq!((payload(AdminRole::Viewer), payload(AdminRole::Operator)), (403, 404));
}

#[test]
fn the_document_describes_what_there_is() {
    let broker = Broker::start(with_api()).expect("started");
    let api = Api::of(&broker);
    let document = api.0.get("/api/v1/openapi.json").ok();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let asked = path.replace("{client_id}", "nobody");
            let answer = api.0.request(&method.to_uppercase(), &asked, &[], "");
            let is_open = operation["security"] == json!([]) || operation["security"][0] == json!({});
            assert_eq!(answer.status == 401, !is_open, "{method} {path}: {answer:?}");
            assert_ne!(answer.status, 404, "{method} {path}");
        }
    }
}

#[test]
fn the_broker_its_listeners_and_its_configuration() {
    let mut config = with_shards(2);
    config.limits.queue_messages_max = 77;
    let broker = Broker::start(config).expect("started");
    let api = Api::of(&broker);
    let _client = Client::connect(&broker, "c");
    let about = api.get("/broker");
    assert_eq!((&about["clients_connected"], &about["shards"]), (&json!(1), &json!(2)));
    assert_eq!((&about["storage"], &about["limits"]["queue_messages_max"]), (&json!("memory"), &json!("77")));
    let listener = &api.get("/listeners")["items"][0];
    assert_eq!((&listener["connections"], &listener["allow_anonymous"]), (&json!(1), &json!(true)));
    assert_eq!(listener["protocol_versions"], json!(["3.1", "3.1.1", "5.0"]));
    let text = api.get("/configuration").to_string();
    assert!(text.contains("viewer-token viewer sha256:...") && !text.contains("sha256:5"), "{text}");
    let items = api.get("/configuration")["items"].as_array().expect("items").clone();
    let option = |name: &str| items.iter().find(|item| item["option"] == name).expect("an option").clone();
    assert_eq!(option("limits.queue_messages_max")["is_default"], false);
    assert_eq!(option("listener[0].maximum_qos")["value"], "2");
    assert_eq!(option("server.shards")["reload"], "restart");
    // This broker was started by a program.
    api.ask("POST", "/reload", "").problem(501);
}

#[test]
fn clients_come_in_pages_whatever_goes_on() {
    let broker = Broker::start(with_shards(3)).expect("started");
    let api = Api::of(&broker);
    let mut clients: Vec<Client> =
        (0..40).map(|number| Client::connect(&broker, &format!("client {number}/é"))).collect();
    let names = |path: &str| -> Vec<String> {
        let items = api.all(path);
        items.iter().map(|item| item["client_id"].as_str().expect("a name").to_owned()).collect()
    };
    let all = names("/clients?limit=7");
    assert_eq!((all.len(), all.iter().collect::<HashSet<_>>().len()), (40, 40));
    assert_eq!(names("/clients?search=NT%203").len(), 11);
    assert_eq!(names("/clients?connected=false").len(), 0);
    clients[3].subscribe("a/+", QoS::AtLeastOnce);
    let client = api.get("/clients/client%203%2F%C3%A9");
    assert_eq!((&client["connected"], &client["subscriptions"]), (&json!(true), &json!(1)));
    assert_eq!(client["connection"]["protocol_version"], "5.0");
    assert_eq!(client["connection"]["transport"], "tcp");
    assert!(
        client["connection"]["address"].as_str().is_some_and(|address| address.starts_with("127.0.0.1:"))
    );
    api.ask("GET", "/clients/nobody", "").problem(404);
    for wrong in ["limit=0", "limit=1001", "limit=x", "connected=yes", "more=1", "limit=%zz"] {
        api.ask("GET", &format!("/clients?{wrong}"), "").problem(400);
    }
    for cursor in ["x", "1.2", "%2B1.2.3", ""] {
        api.ask("GET", &format!("/clients?cursor={cursor}"), "").problem(404);
    }
    assert!(names("/clients?cursor=99.0.0").is_empty());
    assert!(names("/clients?cursor=4294967295.4294967295.0").is_empty());
}

#[test]
fn a_client_is_disconnected_with_a_reason() {
    let broker = Broker::start(with_shards(2)).expect("started");
    let api = Api::of(&broker);
    let mut client = Client::connect(&broker, "pump");
    let body = "{\"reason_code\":156,\"reason\":\"moving house\",\"server_reference\":\"other.example\"}";
    assert_eq!(api.ask("POST", "/clients/pump/disconnect", body).ok()["done"], "disconnected");
    let text = client.receive_text();
    assert!(
        text.contains("Disconnect") && text.contains("moving house") && text.contains("other.example"),
        "{text}"
    );
    client.receive_end();
    api.ask("POST", "/clients/pump/disconnect", "{}").problem(404);
    let mut client = Client::connect(&broker, "pump");
    api.ask("POST", "/clients/pump/disconnect", "{}").ok();
    assert!(client.receive_text().contains("Disconnect"));
    client.receive_end();
    for wrong in
        ["", "[]", "{\"x\":1}", "{\"reason_code\":0}", "{\"reason\":7}", "{\"server_reference\":\"x\"}", "{"]
    {
        let answer = api.ask("POST", "/clients/pump/disconnect", wrong);
        answer.problem(if wrong.is_empty() { 415 } else { 400 });
    }
}

#[test]
fn a_session_is_deleted_for_good() {
    let disk = ferry_store::SimulatedDisk::new(7);
    let config = || Config { admin: with_api().admin, ..durable() };
    let broker = Broker::builder(config()).disk(disk.clone()).start().expect("started");
    let api = Api::of(&broker);
    let mut away = lasting(&broker, "away", false);
    away.subscribe("t", QoS::AtLeastOnce);
    drop(away);
    let mut publisher = Client::connect(&broker, "publisher");
    publisher.publish("t", b"x", QoS::AtLeastOnce, Some(id(1)));
    publisher.receive_puback(id(1));
    while api.get("/clients/away")["connected"] == true {}
    let waiting = api.all("/clients?queued=true");
    assert_eq!((waiting.len(), &waiting[0]["queue_messages"]), (1, &json!(1)));
    api.ask("DELETE", "/clients/away", "").ok();
    api.ask("GET", "/clients/away", "").problem(404);
    let mut here = lasting(&broker, "here", false);
    api.ask("DELETE", "/clients/here", "").ok();
    here.receive_text();
    here.receive_end();
    broker.shutdown();
    broker.join();
    let broker = Broker::builder(config()).disk(disk).start().expect("started again");
    assert!(Api::of(&broker).all("/clients").is_empty(), "the store knows nothing of them");
}

#[test]
fn subscriptions_are_listed_for_all_and_for_one() {
    let broker = Broker::start(with_shards(2)).expect("started");
    let api = Api::of(&broker);
    let mut clients: Vec<Client> =
        (0..5).map(|number| Client::connect(&broker, &format!("c{number}"))).collect();
    for client in &mut clients {
        for filter in ["house/#", "house/+/door", "exact", "$share/group/house/x"] {
            client.subscribe(filter, QoS::AtLeastOnce);
        }
    }
    let all = api.all("/subscriptions?limit=3");
    assert_eq!(all.len(), 20);
    let pairs: HashSet<String> =
        all.iter().map(|item| format!("{} {}", item["client_id"], item["filter"])).collect();
    assert_eq!(pairs.len(), 20);
    assert!(all.iter().all(|item| item["maximum_qos"] == 1));
    assert_eq!(api.all("/subscriptions?search=$share").len(), 5);
    assert_eq!(api.all("/clients/c1/subscriptions?limit=3").len(), 4);
    api.ask("GET", "/clients/nobody/subscriptions", "").problem(404);
    let topic = api.get("/topics?topic=house/hall/door");
    assert_eq!((&topic["subscriber_count"], &topic["is_retained"]), (&json!(10), &json!(false)));
    api.ask("GET", "/topics?topic=a/%23", "").problem(400);
    api.ask("GET", "/topics", "").problem(400);
}

#[test]
fn retained_messages_are_listed_shown_and_deleted() {
    let broker = Broker::start(with_shards(2)).expect("started");
    let api = Api::of(&broker);
    let mut client = Client::connect(&broker, "c");
    for number in 0..20 {
        let publish =
            json!({ "topic": format!("house/{number}"), "payload": "on", "retain": true, "qos": 1 });
        api.ask("POST", "/publish", &publish.to_string()).ok();
    }
    let binary = json!({ "topic": "raw/>=1", "payload_base64": "//4=", "retain": true });
    api.ask("POST", "/publish", &binary.to_string()).ok();
    assert_eq!(api.all("/retained?filter=%23&limit=3").len(), 21);
    assert_eq!(api.all("/retained?filter=house/%2B&limit=6").len(), 20);
    assert_eq!(api.get("/retained/message?topic=house/7")["payload"], "on");
    assert_eq!(api.get("/retained/message?topic=raw/%3E%3D1")["payload_base64"], "//4=");
    assert!(api.get("/retained?filter=house/7")["items"][0]["payload"].is_null(), "a viewer may see this");
    api.ask("GET", "/retained/message?topic=house/99", "").problem(404);
    client.subscribe("house/7", QoS::AtMostOnce);
    assert_eq!(client.receive_publish(), ("house/7".to_owned(), b"on".to_vec()));
    let deleted = api.ask("DELETE", "/retained?filter=house/%2B", "").ok();
    assert_eq!(deleted, json!({ "deleted": 20, "is_complete": true }));
    assert_eq!(client.receive_publish(), ("house/7".to_owned(), Vec::new()));
    assert_eq!(api.all("/retained?filter=%23").len(), 1);
    for wrong in ["", "filter=a%23", "filter=$share/g/a", "filter="] {
        api.ask("GET", &format!("/retained?{wrong}"), "").problem(400);
    }
    for cursor in ["!", "OTk5OQ"] {
        api.ask("GET", &format!("/retained?filter=%23&cursor={cursor}"), "").problem(404);
    }
    api.ask("DELETE", "/retained?filter=$SYS/%23", "").problem(400);
}

#[test]
fn what_is_published_reaches_subscribers_of_all_shards() {
    let broker = Broker::start(with_shards(3)).expect("started");
    let api = Api::of(&broker);
    let mut clients: Vec<Client> =
        (0..4).map(|number| Client::connect(&broker, &format!("s{number}"))).collect();
    clients.iter_mut().for_each(|client| client.subscribe("news", QoS::AtLeastOnce));
    let body = json!({ "topic": "news", "payload": "hello", "qos": 1, "content_type": "text/plain", "response_topic": "answers" });
    api.ask("POST", "/publish", &body.to_string()).ok();
    for client in &mut clients {
        assert_eq!(client.receive_publish(), ("news".to_owned(), b"hello".to_vec()));
    }
    let long = "x".repeat(5000);
    for wrong in [
        json!({}),
        json!({ "topic": "" }),
        json!({ "topic": "a/#" }),
        json!({ "topic": "$SYS/x" }),
        json!({ "topic": long }),
        json!({ "topic": "t", "qos": 3 }),
        json!({ "topic": "t", "payload": "x", "payload_base64": "eA==" }),
        json!({ "topic": "t", "payload_base64": "!" }),
        json!({ "topic": "t", "content_type": "a\u{0}" }),
        json!({ "topic": "t", "response_topic": "+" }),
        json!({ "topic": "t", "message_expiry_interval_seconds": -1 }),
    ] {
        api.ask("POST", "/publish", &wrong.to_string()).problem(400);
    }
    let plain = ["Content-Type: text/plain", "Content-Length: 2", &bearer(AdminRole::Admin)];
    let request = format!(
        "POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}\r\n\r\n{{}}",
        plain.join("\r\n")
    );
    api.0.raw(request.as_bytes()).problem(415);
}

#[test]
fn drops_are_told_with_the_last_client() {
    let mut config = with_shards(1);
    config.limits.queue_messages_max = 1;
    let broker = Broker::start(config).expect("started");
    let api = Api::of(&broker);
    let mut away = lasting(&broker, "away", false);
    away.subscribe("t", QoS::AtLeastOnce);
    drop(away);
    while api.get("/clients/away")["connected"] == true {}
    for _ in 0..3 {
        api.ask("POST", "/publish", "{\"topic\":\"t\",\"qos\":1}").ok();
    }
    let drops = api.get("/drops");
    assert_eq!(drops["total"], 2, "{drops}");
    let full =
        drops["items"].as_array().expect("items").iter().find(|item| item["count"] == 2).expect("an entry");
    assert_eq!((&full["last_client_id"], &full["last_topic"]), (&json!("away"), &json!("t")));
    let history = api.get("/clients/away/history");
    assert_eq!((&history["drops"][0]["count"], &history["last_dropped_topic"]), (&json!(2), &json!("t")));
    assert_eq!(history["has_session"], true);
}

#[test]
fn the_socket_needs_no_token() {
    let directory = Directory::new("api");
    let mut config = with_shards(1);
    config.storage = durable().storage;
    config.storage.data_directory = Some(directory.0.clone());
    config.admin = ferry_broker::config::Admin::default();
    let broker = Broker::start(config).expect("started");
    assert_eq!(crate::http::unix_door(&broker).get("/api/v1/broker").ok()["storage"], "writable");
}

#[test]
fn why_a_client_was_refused_is_remembered() {
    let mut config = with_shards(3);
    config.listeners[0].protocol_versions.retain(|version| *version == ferry_codec::ProtocolVersion::V311);
    let broker = Broker::start(config).expect("started");
    let api = Api::of(&broker);
    for _ in 0..2 {
        let mut client = Client::open(&broker);
        client.send(&ferry_codec::Packet::Connect(crate::client::connect_packet("old/pump")));
        client.receive_text();
        client.receive_end();
    }
    let history = api.get("/clients/old%2Fpump/history");
    let decision = &history["decisions"][0];
    assert_eq!(
        (&decision["what"], &decision["reason_code"], &decision["count"]),
        (&json!("refused"), &json!(0x84), &json!(2))
    );
    assert_eq!(decision["detail"], "this listener does not serve this protocol version");
    assert!(api.get("/clients/nobody/history")["decisions"].as_array().is_some_and(Vec::is_empty));
    // The log of this test is its own.
    api.ask("POST", "/log", "{\"levels\":\"debug\"}").problem(501);
}

#[test]
fn why_a_client_is_read_slowly_is_remembered() {
    let mut config = with_shards(2);
    config.limits.publishes_per_second_max = Some(5);
    let broker = Broker::start(config).expect("started");
    let api = Api::of(&broker);
    let mut client = Client::connect(&broker, "eager");
    // None waits for the answer to another one, or a slow machine would keep to the rate.
    for number in 1..=10 {
        client.publish("t", b"x", QoS::AtLeastOnce, Some(id(number)));
    }
    for number in 1..=10 {
        client.receive_puback(id(number));
    }
    let history = api.get("/clients/eager/history");
    let decision = &history["decisions"][0];
    assert_eq!((&decision["what"], &decision["reason_code"]), (&json!("slowed"), &json!(0x96)));
    assert_eq!(
        decision["detail"],
        "too many messages a second of its client (limits.publishes_per_second_max)"
    );
    assert_eq!(history["is_connected"], true);
}
