//! Leaves a broker that is not ours as the script found it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Broker, Received, TcpBroker};
use crate::script::{Action, Pattern, Script};
use crate::wire::{Field, PacketKind, Value, encode};

/// Ends the sessions and removes the retained messages that a script may have left.
///
/// # Errors
/// When the broker is not there.
pub fn clean_up(script: &Script, address: &str) -> Result<(), String> {
    let mut clients = BTreeSet::new();
    let mut topics = BTreeSet::new();
    for step in &script.steps {
        let Action::Send { packet, .. } = &step.action else { continue };
        let bytes = |wanted: &str| {
            packet.fields.iter().find(|field| field.name == wanted).and_then(|field| match &field.pattern {
                Pattern::Exactly(Value::Bytes(bytes)) => Some(bytes.clone()),
                _ => None,
            })
        };
        let has = |wanted: &str| packet.fields.iter().any(|field| field.name == wanted);
        match packet.kind {
            PacketKind::Connect => {
                clients.insert(bytes("client_id").unwrap_or_else(|| step.client.clone().into_bytes()));
                topics.extend(bytes("will_topic").filter(|_| has("will_retain")));
            }
            PacketKind::Publish if has("retain") => topics.extend(bytes("topic")),
            _ => {}
        }
    }
    clients.retain(|client| std::str::from_utf8(client).is_ok_and(|client| !client.contains('\0')));
    topics.retain(|topic| std::str::from_utf8(topic).is_ok_and(|topic| !topic.contains(['\0', '+', '#'])));
    for client in clients {
        visit(address, client, &[])?;
    }
    visit(address, b"clean-up".to_vec(), &topics.into_iter().collect::<Vec<_>>())
}

/// Connects with a clean session, removes these retained messages, and leaves.
fn visit(address: &str, client: Vec<u8>, topics: &[Vec<u8>]) -> Result<(), String> {
    let field = |name, value| Field { name, value };
    let mut bytes = encode(PacketKind::Connect, &[field("client_id", Value::Bytes(client))], 4)?;
    for topic in topics.iter().filter(|topic| !topic.is_empty()) {
        let fields = [field("topic", Value::Bytes(topic.clone())), field("retain", Value::Number(1))];
        bytes.extend(encode(PacketKind::Publish, &fields, 4)?);
    }
    bytes.extend(encode(PacketKind::Disconnect, &[], 4)?);
    let mut broker = TcpBroker::new(address);
    broker.open("visitor")?;
    broker.send("visitor", &bytes);
    while let Received::Bytes(_) = broker.receive("visitor", Duration::from_secs(2)) {}
    Ok(())
}
