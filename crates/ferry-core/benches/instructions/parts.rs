//! Single steps of the way of a PUBLISH.

use std::hint::black_box;

use ferry_codec::{
    DecodeLimits, Direction, Packet, ProtocolVersion, Publish, QoS, decode, encode, frame_length,
};
use ferry_router::SubscriptionTrie;

use crate::packets::{encoded, publish_with_properties, small_publish, user_properties};

pub(crate) fn decode_small(operations: u32) {
    decode_again(&small_publish("bench/topic/042", QoS::AtMostOnce, 0), ProtocolVersion::V311, operations);
}

pub(crate) fn decode_with_properties(operations: u32) {
    decode_again(&publish_with_properties(&user_properties()), ProtocolVersion::V5, operations);
}

pub(crate) fn encode_small(operations: u32) {
    encode_again(&small_publish("bench/topic/042", QoS::AtMostOnce, 0), ProtocolVersion::V311, operations);
}

pub(crate) fn encode_with_properties(operations: u32) {
    encode_again(&publish_with_properties(&user_properties()), ProtocolVersion::V5, operations);
}

pub(crate) fn match_exact(operations: u32) {
    match_again(|number| format!("fleet/{number}/position"), operations);
}

pub(crate) fn match_wildcard(operations: u32) {
    match_again(|number| format!("fleet/{number}/+"), operations);
}

fn decode_again(publish: &Publish<'_>, version: ProtocolVersion, operations: u32) {
    let bytes = encoded(&Packet::Publish(*publish), version);
    let limits = DecodeLimits::default();
    for _ in 0..operations {
        let length = frame_length(black_box(&bytes), &limits).expect("well formed").expect("whole");
        let decoded = decode(&bytes[..length], version, Direction::FromClient, &limits);
        black_box(decoded.expect("well formed"));
    }
}

fn encode_again(publish: &Publish<'_>, version: ProtocolVersion, operations: u32) {
    let mut out = Vec::with_capacity(1024);
    for _ in 0..operations {
        out.clear();
        encode(black_box(&Packet::Publish(*publish)), version, &mut out);
        black_box(&out);
    }
}

fn match_again(filter: impl Fn(u32) -> String, operations: u32) {
    const FILTERS: u32 = 10_000;
    let mut trie = SubscriptionTrie::new(1);
    for number in 0..FILTERS {
        trie.subscribe(&filter(number), number, ());
    }
    let mut found = 0;
    for _ in 0..operations {
        trie.matches(black_box("fleet/4711/position"), |key, ()| found += key);
    }
    assert_eq!(found, operations * 4711);
}
