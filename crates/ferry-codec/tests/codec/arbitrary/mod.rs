//! Strategies for any packet that a sender who keeps to the standard can make.

use ferry_codec::{ProtocolVersion, QoS, RetainHandling, SubscriptionOptions};
use proptest::prelude::*;

/// A packet that owns its parts; `owned::Packet::with` lends it as a `ferry_codec::Packet`.
pub(crate) mod owned;

pub(crate) fn version() -> impl Strategy<Value = ProtocolVersion> {
    prop_oneof![Just(ProtocolVersion::V31), Just(ProtocolVersion::V311), Just(ProtocolVersion::V5)]
}

/// Any string without U+0000, often one of several bytes a character, now and then a long one.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-zA-Z0-9/ -]{0,12}",
        4 => proptest::collection::vec(any::<char>(), 0..8)
            .prop_map(|characters| characters.into_iter().filter(|character| *character != '\0').collect()),
        1 => (120_usize..300).prop_map(|length| "x".repeat(length)),
    ]
}

pub(crate) fn binary() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![8 => proptest::collection::vec(any::<u8>(), 0..16), 1 => Just(vec![0xFF; 16_400])]
}

pub(crate) fn topic_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c$]{0,2}(/[a-c]{0,2}){1,4}",
        "[a-z$]{1,8}",
        text().prop_map(|text| format!("t{}", text.replace(['+', '#'], "é"))),
    ]
}

pub(crate) fn topic_filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![4 => "[a-c$]{0,2}", 1 => Just("+".to_owned())];
    let filter = (proptest::collection::vec(level, 1..5), any::<bool>()).prop_map(|(levels, all_below)| {
        let filter = levels.join("/");
        match (all_below, filter.is_empty()) {
            (true, _) => format!("{filter}/#"),
            (false, true) => "#".to_owned(),
            (false, false) => filter,
        }
    });
    (filter, proptest::option::weighted(0.2, "[a-z]{1,4}")).prop_map(|(filter, group)| match group {
        Some(group) => format!("$share/{group}/{filter}"),
        None => filter,
    })
}

pub(crate) fn qos() -> impl Strategy<Value = QoS> {
    prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)]
}

pub(crate) fn subscription_options() -> impl Strategy<Value = SubscriptionOptions> {
    let retain_handling = prop_oneof![
        Just(RetainHandling::SendAtSubscribe),
        Just(RetainHandling::SendIfNew),
        Just(RetainHandling::DoNotSend)
    ];
    (qos(), any::<bool>(), any::<bool>(), retain_handling).prop_map(
        |(maximum_qos, no_local, retain_as_published, retain_handling)| SubscriptionOptions {
            maximum_qos,
            no_local,
            retain_as_published,
            retain_handling,
        },
    )
}
