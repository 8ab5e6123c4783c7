use ferry_codec::{ConnackProperties, QoS, RetainHandling};

use super::rig::{Rig, both, persistent, suback, unsuback, v5, v311};
use crate::session::{ConnectOptions, Filter, SubscribeRefused};

/// [MQTT-3.8.1-1], [MQTT3-3.8.1-1], [MQTT-3.8.3-1], [MQTT3-3.8.3-1], [MQTT-3.10.1-1], [MQTT3-3.10.1-1],
/// [MQTT-3.10.3-1], [MQTT3-3.10.3-1]: the rig decodes the packets as a server does.
#[test]
fn subscribe_and_unsubscribe() {
    for options in both() {
        let is_v3 = options.protocol_version.is_v3();
        let mut rig = Rig::connected(options);
        let exact = Filter::new("b/#").qos(QoS::ExactlyOnce).no_local(true).retain_as_published(true);
        let exact = exact.retain_handling(RetainHandling::DoNotSend);
        assert_eq!(rig.session.subscribe(rig.now, vec!["a/+".into(), exact]), Ok(1));
        let sent = if is_v3 { "SUBSCRIBE 61441 a/+:1 b/#:2" } else { "SUBSCRIBE 61441 sub=1 a/+:1 b/#:46" };
        assert_eq!(rig.sent(), [sent]);
        rig.says(suback(61_441, &[1, 0x80]));
        assert_eq!(rig.events(), ["subscribed 1 01 80"]);
        assert_eq!(rig.session.unsubscribe(rig.now, vec!["a/+".into()]), Ok(2));
        assert_eq!(rig.sent(), ["UNSUBSCRIBE 61442 a/+"]);
        rig.says(unsuback(61_442, &[0x11]));
        assert_eq!(rig.events(), [if is_v3 { "unsubscribed 2 00" } else { "unsubscribed 2 11" }]);
        assert!(!rig.session.awaits_answer());
    }
}

/// [MQTT-3.8.3-2], [MQTT3-3.8.3-3], [MQTT-3.10.3-2], [MQTT3-3.10.3-2], [MQTT-3.8.3-4]
#[test]
fn what_no_server_may_get_is_refused() {
    let mut rig = Rig::connected(v5());
    assert_eq!(rig.session.subscribe(rig.now, vec![]), Err(SubscribeRefused::NoFilter));
    assert_eq!(rig.session.unsubscribe(rig.now, vec![]), Err(SubscribeRefused::NoFilter));
    let shared = Filter::new("$share/g/a").no_local(true);
    assert_eq!(rig.session.subscribe(rig.now, vec![shared]), Err(SubscribeRefused::NoLocalShared));
    for filter in ["", "a/#/b", "a+", "$share/+/a"] {
        let refused = rig.session.subscribe(rig.now, vec![filter.into()]);
        assert!(matches!(refused, Err(SubscribeRefused::Filter(_))), "{filter:?}");
        let refused = rig.session.unsubscribe(rig.now, vec![filter.into()]);
        assert!(matches!(refused, Err(SubscribeRefused::Filter(_))), "{filter:?}");
    }
    assert!(rig.sent().is_empty());
}

/// Before 5.0 there are none.
#[test]
fn user_properties_are_sent_with_each_request() {
    for options in both() {
        let is_v3 = options.protocol_version.is_v3();
        let pair = |name: &str| vec![(name.to_owned(), "1".to_owned())];
        let options = ConnectOptions {
            subscribe_user_properties: pair("s"),
            unsubscribe_user_properties: pair("u"),
            ..options
        };
        let mut rig = Rig::connected(options);
        rig.session.subscribe(rig.now, vec!["a".into()]).unwrap();
        assert_eq!(rig.sent(), [if is_v3 { "SUBSCRIBE 61441 a:1" } else { "SUBSCRIBE 61441 sub=1 s=1 a:1" }]);
        rig.session.unsubscribe(rig.now, vec!["a".into()]).unwrap();
        assert_eq!(rig.sent(), [if is_v3 { "UNSUBSCRIBE 61442 a" } else { "UNSUBSCRIBE 61442 u=1 a" }]);
    }
}

#[test]
fn a_lost_session_is_subscribed_again() {
    for options in both() {
        let none = ConnackProperties {
            subscription_identifiers_available: Some(false),
            ..ConnackProperties::default()
        };
        let mut rig = Rig::connected_to(persistent(options), none);
        rig.session.subscribe(rig.now, vec!["a".into(), "b".into()]).unwrap();
        rig.says(suback(61_441, &[0, 1]));
        rig.session.subscribe(rig.now, vec!["c".into(), "refused".into()]).unwrap();
        rig.says(suback(61_442, &[1, 0x80]));
        rig.session.unsubscribe(rig.now, vec!["a".into()]).unwrap();
        rig.events();
        // The session is there: only what was not answered is sent again.
        assert_eq!(rig.reconnect(true, none), ["UNSUBSCRIBE 61444 a"]);
        // It is not: everything in force is, and there is nothing to unsubscribe from.
        assert_eq!(rig.reconnect(false, none), ["SUBSCRIBE 61445 b:1", "SUBSCRIBE 61446 c:1"]);
        let told = ["connected me present=1", "unsubscribed 3 00", "connected me present=0"];
        assert_eq!(rig.events(), told);
        rig.says(suback(61_446, &[1]));
        assert_eq!(rig.events(), ["subscribed 2 again 01"]);
        // One that was under way is not made twice.
        assert_eq!(rig.reconnect(false, none), ["SUBSCRIBE 61447 b:1", "SUBSCRIBE 61448 c:1"]);
    }
}

#[test]
fn subscribing_again_can_be_left_to_the_application() {
    let mut rig = Rig::connected(ConnectOptions { resubscribe: false, ..v311() });
    rig.session.subscribe(rig.now, vec!["a".into()]).unwrap();
    rig.says(suback(61_441, &[0]));
    rig.session.subscribe(rig.now, vec!["unanswered".into()]).unwrap();
    assert_eq!(rig.reconnect(false, ConnackProperties::default()), ["SUBSCRIBE 61443 unanswered:1"]);
}

#[test]
fn an_answer_with_another_number_of_codes_is_an_error() {
    let mut rig = Rig::connected(v5());
    rig.session.subscribe(rig.now, vec!["a".into()]).unwrap();
    rig.sent();
    assert_eq!(rig.says(suback(61_441, &[0, 0])), ["DISCONNECT 82"]);
}

/// A server has one subscription to a filter, however often it is made.
#[test]
fn a_filter_is_wanted_once() {
    for options in both() {
        let mut rig = Rig::connected(persistent(options));
        for number in 0..100 {
            rig.session.subscribe(rig.now, vec!["a".into(), "b".into()]).unwrap();
            rig.says(suback(61_441 + number, &[1, if number < 99 { 1 } else { 0x80 }]));
        }
        rig.events();
        // The last one was refused for b: that of the one before is in force.
        let again = rig.reconnect(false, ConnackProperties::default());
        assert_eq!(again.len(), 2, "{again:?}");
        assert!(
            !rig.session.is_subscribed(98) && rig.session.is_subscribed(99) && rig.session.is_subscribed(100)
        );
    }
}
