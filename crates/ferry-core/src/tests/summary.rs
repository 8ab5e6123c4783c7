use std::fmt::Write as _;

use ferry_codec::{Ack, Packet, Publish, ReasonCode};

/// A packet in one line; what is usual is left out.
pub(super) fn summary(packet: &Packet<'_>) -> String {
    match packet {
        Packet::Connack(connack) => {
            let mut text = format!("CONNACK {}", hex(connack.reason_code));
            if connack.session_present {
                text.push_str(" present");
            }
            text
        }
        Packet::Publish(publish) => publish_summary(publish),
        Packet::Puback(ack) => ack_summary("PUBACK", ack),
        Packet::Pubrec(ack) => ack_summary("PUBREC", ack),
        Packet::Pubrel(ack) => ack_summary("PUBREL", ack),
        Packet::Pubcomp(ack) => ack_summary("PUBCOMP", ack),
        Packet::Suback(suback) => format!("SUBACK {} {:02x?}", suback.packet_id, suback.reason_codes),
        Packet::Unsuback(unsuback) => {
            format!("UNSUBACK {} {:02x?}", unsuback.packet_id, unsuback.reason_codes)
        }
        Packet::Disconnect(disconnect) => format!("DISCONNECT {}", hex(disconnect.reason_code)),
        Packet::Auth(auth) => {
            let method = auth.authentication_method.unwrap_or("-");
            let data = String::from_utf8_lossy(auth.authentication_data.unwrap_or(b"-")).into_owned();
            format!("AUTH {} {method} {data}", hex(auth.reason_code))
        }
        other => other.name().to_owned(),
    }
}

fn publish_summary(publish: &Publish<'_>) -> String {
    let mut text = format!("PUBLISH {}", publish.topic);
    if let Some(alias) = publish.topic_alias {
        let _infallible = write!(text, " alias={alias}");
    }
    let _infallible = write!(text, " q{}", publish.qos.to_byte());
    if let Some(packet_id) = publish.packet_id {
        let _infallible = write!(text, " id={packet_id}");
    }
    if publish.dup {
        text.push_str(" dup");
    }
    if publish.retain {
        text.push_str(" retain");
    }
    let mut ids: Vec<u32> = publish.subscription_ids.iter().collect();
    if !ids.is_empty() {
        ids.sort_unstable();
        let _infallible = write!(text, " sub={ids:?}");
    }
    if let Some(expiry) = publish.properties.message_expiry_interval {
        let _infallible = write!(text, " expiry={expiry}");
    }
    let _infallible = write!(text, " {}", String::from_utf8_lossy(publish.payload));
    text
}

fn ack_summary(name: &str, ack: &Ack<'_>) -> String {
    if ack.reason_code == ReasonCode::SUCCESS {
        return format!("{name} {}", ack.packet_id);
    }
    format!("{name} {} {}", ack.packet_id, hex(ack.reason_code))
}

fn hex(reason_code: ReasonCode) -> String {
    format!("0x{:02X}", reason_code.code())
}
