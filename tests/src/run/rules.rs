//! Rules that hold for every connection in every script, whatever the script expects.

use std::collections::{BTreeSet, HashMap};

use crate::wire::{DecodedPacket, Field, Level, PacketKind, Value};

/// What the client has said on this connection, and what the broker has sent so far.
#[derive(Debug, Default)]
pub(super) struct ConnectionRules {
    receive_maximum: Option<u64>,
    maximum_packet_size: Option<u64>,
    topic_alias_maximum: u64,
    request_problem_information: bool,
    with_authentication_method: bool,
    connacks: usize,
    disconnected: bool,
    aliases: HashMap<u64, Value>,
    unacknowledged: BTreeSet<u64>,
}

impl ConnectionRules {
    /// Notes what a packet of the client promises.
    pub(super) fn send(&mut self, kind: PacketKind, fields: &[Field]) {
        let number = |name: &str| {
            fields.iter().find(|field| field.name == name).and_then(|field| match &field.value {
                Value::Number(number) => Some(*number),
                _ => None,
            })
        };
        match kind {
            PacketKind::Connect if self.connacks == 0 => {
                self.receive_maximum = number("receive_maximum").filter(|count| *count > 0);
                self.maximum_packet_size = number("maximum_packet_size").filter(|size| *size > 0);
                self.topic_alias_maximum = number("topic_alias_maximum").unwrap_or(0);
                self.request_problem_information = number("request_problem_information") != Some(0);
                self.with_authentication_method = fields.iter().any(|field| field.name == "auth_method");
            }
            PacketKind::Puback | PacketKind::Pubcomp => {
                self.unacknowledged.remove(&number("id").unwrap_or(0));
            }
            PacketKind::Pubrec if number("reason").is_some_and(|reason| reason >= 0x80) => {
                self.unacknowledged.remove(&number("id").unwrap_or(0));
            }
            _ => {}
        }
    }

    /// Checks a packet of the broker; the topic that an alias stands for is put into a PUBLISH.
    pub(super) fn receive(&mut self, packet: &mut DecodedPacket, level: Level) -> Result<(), String> {
        self.order(packet)?;
        self.sizes(packet)?;
        if level == 5 {
            self.problem_information(packet)?;
        }
        if packet.kind == PacketKind::Publish {
            self.topic_alias(packet)?;
            self.quota(packet)?;
        }
        Ok(())
    }

    /// CONNACK first and once, nothing after DISCONNECT, no DISCONNECT before CONNACK, AUTH only to those who asked.
    /// [MQTT-3.2.0-1] [MQTT-3.2.0-2] [MQTT-3.14.4-1] [MQTT-3.14.0-1] [MQTT-4.12.0-6] [MQTT3-3.2.0-1]
    fn order(&mut self, packet: &DecodedPacket) -> Result<(), String> {
        if self.disconnected {
            return Err(format!("after its DISCONNECT the broker sent {packet}"));
        }
        match packet.kind {
            PacketKind::Connack => self.connacks += 1,
            PacketKind::Auth if !self.with_authentication_method => {
                return Err("AUTH to a client without a method".into());
            }
            PacketKind::Auth => {}
            _ if self.connacks == 0 => return Err(format!("before its CONNACK the broker sent {packet}")),
            PacketKind::Disconnect => self.disconnected = true,
            _ => {}
        }
        if self.connacks > 1 { Err("a second CONNACK".to_owned()) } else { Ok(()) }
    }

    /// [MQTT-3.1.2-24] [MQTT-3.2.2-19] [MQTT-3.2.2-20] [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.9.2-1] [MQTT-3.14.2-3]
    fn sizes(&self, packet: &DecodedPacket) -> Result<(), String> {
        let maximum = self.maximum_packet_size.unwrap_or(u64::MAX);
        if packet.length_bytes as u64 > maximum {
            return Err(format!("{} bytes where the client takes {maximum}: {packet}", packet.length_bytes));
        }
        Ok(())
    }

    /// [MQTT-3.1.2-29]
    fn problem_information(&self, packet: &DecodedPacket) -> Result<(), String> {
        let free = matches!(packet.kind, PacketKind::Publish | PacketKind::Connack | PacketKind::Disconnect);
        let tells = packet.get("reason_string").is_some() || packet.get("user_property").is_some();
        if !self.request_problem_information && !free && tells && self.connacks > 0 {
            return Err(format!("problem information that was not asked for: {packet}"));
        }
        Ok(())
    }

    /// [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-11]
    fn topic_alias(&mut self, packet: &mut DecodedPacket) -> Result<(), String> {
        let Some(alias) = packet.number("topic_alias") else {
            return if packet.get("topic") == Some(&Value::Bytes(Vec::new())) {
                Err("a PUBLISH without topic and alias".to_owned())
            } else {
                Ok(())
            };
        };
        if alias > self.topic_alias_maximum {
            return Err(format!("topic alias {alias}, at most {}", self.topic_alias_maximum));
        }
        for field in &mut packet.fields {
            if field.name != "topic" {
                continue;
            }
            if field.value == Value::Bytes(Vec::new()) {
                field.value =
                    self.aliases.get(&alias).ok_or(format!("topic alias {alias} is not known"))?.clone();
            } else {
                self.aliases.insert(alias, field.value.clone());
            }
        }
        Ok(())
    }

    /// Packet ids are not used twice, and no more of them than the client takes.
    /// [MQTT-2.2.1-4] [MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-4.3.2-1] [MQTT-4.3.3-1] [MQTT3-2.3.1-4]
    fn quota(&mut self, packet: &DecodedPacket) -> Result<(), String> {
        let Some(id) = packet.number("id") else { return Ok(()) };
        if !self.unacknowledged.insert(id) {
            return Err(format!("packet id {id} is in use: {packet}"));
        }
        let maximum = self.receive_maximum.unwrap_or(65_535);
        if self.unacknowledged.len() as u64 > maximum {
            return Err(format!("more than {maximum} PUBLISH packets without an acknowledgement"));
        }
        Ok(())
    }
}
