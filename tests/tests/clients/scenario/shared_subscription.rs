//! Shared subscriptions.

use std::collections::BTreeSet;

use crate::arena::Arena;
use crate::client::Client;

fn member(arena: &Arena, id: &str) -> Client {
    let mut member = arena.connected(id, "");
    member.does("subscribe filter=$share/crew/jobs/+ qos=1", "subscribed codes=1");
    member
}

/// [MQTT-4.8.2-3] [MQTT-4.8.2-4]
pub(super) fn each_message_once(arena: &Arena) {
    let mut members = [member(arena, "one"), member(arena, "two")];
    let mut boss = arena.connected("boss", "");
    boss.does("subscribe filter=jobs/+ qos=0", "subscribed codes=0");
    for number in 0..20 {
        boss.does(&format!("publish topic=jobs/{number} payload={number} qos=1"), "published reason=0");
        boss.expect(&format!("message topic=jobs/{number} payload={number} qos=0 retain=0"));
    }
    // Each member is told to stop, and what it had got by then came before.
    let mut done = BTreeSet::new();
    let mut counts = [0; 2];
    for (member, count) in members.iter_mut().zip(&mut counts) {
        let own = format!("end/{}", *count);
        member.does(&format!("subscribe filter={own} qos=1"), "subscribed codes=1");
        boss.does(&format!("publish topic={own} payload=stop qos=1"), "published reason=0");
        loop {
            let message = member.next("message");
            let payload = message.text("payload").expect("text").to_owned();
            if payload == "stop" {
                break;
            }
            assert!(done.insert(payload), "twice: {message}");
            *count += 1;
        }
    }
    assert_eq!(done.len(), 20);
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

/// [MQTT-4.8.2-5]
pub(super) fn dead_member(arena: &Arena) {
    let mut survivor = member(arena, "survivor");
    // The will tells that the broker knows of the death.
    let mut dying = arena.connected("dying", "will_topic=will will_payload=dead will_qos=1");
    dying.does("subscribe filter=$share/crew/jobs/+ qos=1", "subscribed codes=1");
    survivor.does("subscribe filter=will qos=1", "subscribed codes=1");
    dying.kill();
    survivor.expect("message topic=will payload=dead qos=1 retain=0");
    let mut boss = arena.connected("boss", "");
    for number in 0..5 {
        boss.does(&format!("publish topic=jobs/{number} payload=x qos=1"), "published reason=0");
        survivor.expect(&format!("message topic=jobs/{number} payload=x qos=1 retain=0"));
    }
    survivor.disconnect();
    boss.disconnect();
}
