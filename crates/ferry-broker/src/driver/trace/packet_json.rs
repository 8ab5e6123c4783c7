use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ferry_codec::{Ack, Connect, Packet, Publish, ReasonCode};
use serde_json::{Value, json};

/// Filters and reason codes of one packet that are told; the others are counted.
const ITEMS_MAX: usize = 64;

/// Adds to a line what a packet says. Of a payload at most so many bytes; passwords and authentication data never.
pub(super) fn describe(line: &mut Value, packet: &Packet<'_>, payload_bytes_max: usize) {
    line["type"] = packet.name().into();
    match packet {
        Packet::Connect(connect) => describe_connect(line, connect),
        Packet::Connack(connack) => {
            line["session_present"] = connack.session_present.into();
            set_reason(line, connack.reason_code, connack.properties.reason_string);
            set(line, "assigned_client_identifier", connack.properties.assigned_client_identifier);
        }
        Packet::Publish(publish) => describe_publish(line, publish, payload_bytes_max),
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            describe_ack(line, ack);
        }
        Packet::Subscribe(subscribe) => {
            line["packet_id"] = subscribe.packet_id.get().into();
            set(line, "subscription_id", subscribe.subscription_id);
            line["filter_count"] = subscribe.filters.len().into();
            let filters = subscribe.filters.iter().take(ITEMS_MAX).map(|filter| {
                json!({ "filter": filter.filter, "maximum_qos": filter.options.maximum_qos.to_byte() })
            });
            line["filters"] = filters.collect();
        }
        Packet::Unsubscribe(unsubscribe) => {
            line["packet_id"] = unsubscribe.packet_id.get().into();
            line["filter_count"] = unsubscribe.filters.len().into();
            let filters = unsubscribe.filters.iter().take(ITEMS_MAX);
            line["filters"] = filters.map(|filter| json!({ "filter": filter })).collect();
        }
        Packet::Suback(suback) => {
            line["packet_id"] = suback.packet_id.get().into();
            line["reason_codes"] = suback.reason_codes.iter().take(ITEMS_MAX).copied().collect();
            set(line, "reason_string", suback.reason_string);
        }
        Packet::Unsuback(unsuback) => {
            line["packet_id"] = unsuback.packet_id.get().into();
            line["reason_codes"] = unsuback.reason_codes.iter().take(ITEMS_MAX).copied().collect();
            set(line, "reason_string", unsuback.reason_string);
        }
        Packet::Pingreq | Packet::Pingresp => {}
        Packet::Disconnect(disconnect) => {
            set_reason(line, disconnect.reason_code, disconnect.reason_string);
            if disconnect.reason_code == ReasonCode::NORMAL_DISCONNECTION {
                // Others that are 0x00 are called Success.
                line["reason"] = "Normal disconnection".into();
            }
            set(line, "session_expiry_interval", disconnect.session_expiry_interval);
            set(line, "server_reference", disconnect.server_reference);
        }
        Packet::Auth(auth) => {
            set_reason(line, auth.reason_code, auth.reason_string);
            set(line, "authentication_method", auth.authentication_method);
        }
    }
}

fn describe_connect(line: &mut Value, connect: &Connect<'_>) {
    line["clean_start"] = connect.clean_start.into();
    line["keep_alive_seconds"] = connect.keep_alive_seconds.into();
    set(line, "user_name", connect.user_name);
    line["has_password"] = connect.password.is_some().into();
    set(line, "session_expiry_interval", connect.properties.session_expiry_interval);
    set(line, "receive_maximum", connect.properties.receive_maximum.map(u16::from));
    set(line, "authentication_method", connect.properties.authentication_method);
    if let Some(will) = &connect.will {
        line["will"] = json!({
            "topic": will.topic,
            "qos": will.qos.to_byte(),
            "retain": will.retain,
            "payload_bytes": will.payload.len(),
            "delay_interval_seconds": will.delay_interval_seconds,
        });
    }
}

fn describe_publish(line: &mut Value, publish: &Publish<'_>, payload_bytes_max: usize) {
    set(line, "packet_id", publish.packet_id.map(ferry_codec::PacketId::get));
    line["topic"] = publish.topic.into();
    set(line, "topic_alias", publish.topic_alias);
    line["qos"] = publish.qos.to_byte().into();
    line["retain"] = publish.retain.into();
    line["dup"] = publish.dup.into();
    line["payload_bytes"] = publish.payload.len().into();
    if payload_bytes_max > 0 {
        let shown = &publish.payload[..publish.payload.len().min(payload_bytes_max)];
        match std::str::from_utf8(shown) {
            Ok(text) => line["payload"] = text.into(),
            Err(_) => line["payload_base64"] = STANDARD.encode(shown).into(),
        }
    }
}

fn describe_ack(line: &mut Value, ack: &Ack<'_>) {
    line["packet_id"] = ack.packet_id.get().into();
    set_reason(line, ack.reason_code, ack.reason_string);
}

fn set_reason(line: &mut Value, reason_code: ReasonCode, reason_string: Option<&str>) {
    line["reason_code"] = reason_code.code().into();
    line["reason"] = reason_code.name().into();
    set(line, "reason_string", reason_string);
}

/// What is not there is left out.
fn set<T: Into<Value>>(line: &mut Value, name: &str, value: Option<T>) {
    if let Some(value) = value {
        line[name] = value.into();
    }
}
