//! Words in answers: every packet that may have them goes through the two functions that are tried here.

use std::num::NonZeroU32;

use ferry_codec::{Ack, Auth, Packet, ReasonCode, Suback, Unsuback, UserProperties, UserPropertiesBuf};

use super::harness::*;
use crate::turn::Turn;
use crate::*;

const REASON: &str = "a reason of thirty characters.";

/// What a packet carries: Reason String, User Properties.
fn words(packet: &Packet<'_>) -> (bool, bool) {
    let (reason_string, user_properties) = match packet {
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            (ack.reason_string, ack.user_properties)
        }
        Packet::Suback(suback) => (suback.reason_string, suback.user_properties),
        Packet::Unsuback(unsuback) => (unsuback.reason_string, unsuback.user_properties),
        Packet::Disconnect(disconnect) => (disconnect.reason_string, disconnect.user_properties),
        Packet::Auth(auth) => (auth.reason_string, auth.user_properties),
        packet => panic!("{packet:?}"),
    };
    (reason_string.is_some(), !user_properties.is_empty())
}

/// Sends every kind of packet with words to a client and returns what came of them.
fn sent(connect: &ferry_codec::Connect<'_>, user_properties: UserProperties<'_>) -> Vec<(bool, bool)> {
    let mut broker = Broker::new();
    let client = broker.online(connect);
    let conn = broker.clients[client].conn;
    let reason_string = Some(REASON);
    let ack =
        Ack { reason_string, user_properties, ..Ack::new(id(1), ReasonCode::PACKET_IDENTIFIER_NOT_FOUND) };
    let refused = Ack { reason_code: ReasonCode::NOT_AUTHORIZED, ..ack };
    let mut disconnect = ferry_codec::Disconnect::new(ReasonCode::NOT_AUTHORIZED);
    (disconnect.reason_string, disconnect.user_properties) = (reason_string, user_properties);
    let auth = Auth {
        reason_code: ReasonCode::CONTINUE_AUTHENTICATION,
        authentication_method: Some("m"),
        authentication_data: None,
        reason_string,
        user_properties,
    };
    let mut effects = Effects::new();
    let turn = &mut Turn { now: broker.now, effects: &mut effects };
    for packet in [
        Packet::Puback(refused),
        Packet::Pubrec(refused),
        Packet::Pubrel(ack),
        Packet::Pubcomp(ack),
        Packet::Auth(auth),
        Packet::Disconnect(disconnect),
    ] {
        broker.shards[0].send(turn, conn, &packet);
    }
    let suback = Suback { packet_id: id(1), reason_codes: &[0], reason_string, user_properties };
    let unsuback = Unsuback { packet_id: id(1), reason_codes: &[0], reason_string, user_properties };
    for packet in [Packet::Suback(suback), Packet::Unsuback(unsuback)] {
        let bytes = broker.shards[0].encode_response(conn, &packet).unwrap();
        broker.shards[0].output(conn).unwrap().appending().extend_from_slice(&bytes);
    }
    let output = broker.shards[0].output(conn).unwrap();
    broker.clients[client].received.extend_from_slice(output.as_slice());
    broker.read_with(client, words)
}

#[test]
fn words_give_way_where_they_do_not_fit() {
    // [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2]
    // [MQTT-3.7.2-3] [MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2] [MQTT-3.14.2-3] [MQTT-3.14.2-4]
    // [MQTT-3.15.2-2] [MQTT-3.15.2-3]
    let long = "x".repeat(100);
    let user_properties: UserPropertiesBuf = [("n", &*long)].into_iter().collect();
    for user_properties in [UserProperties::EMPTY, user_properties.as_user_properties()] {
        let with_user_properties = !user_properties.is_empty();
        let mut packet = connect("c");
        assert_eq!(sent(&packet, user_properties), [(true, with_user_properties); 8]);
        packet.properties.maximum_packet_size = NonZeroU32::new(30);
        assert_eq!(sent(&packet, user_properties), [(false, false); 8]);
    }
}

#[test]
fn words_are_left_out_where_they_are_not_wanted() {
    // [MQTT-3.1.2-29]: only DISCONNECT, the last but two, may have them.
    let user_properties: UserPropertiesBuf = [("n", "v")].into_iter().collect();
    let mut packet = connect("c");
    packet.properties.request_problem_information = Some(false);
    let sent = sent(&packet, user_properties.as_user_properties());
    assert_eq!(sent[5], (true, true));
    assert_eq!(sent.iter().filter(|words| **words == (false, false)).count(), 7);
}
