//! What a client does not do: write often, or anything when there is nothing to do; and what it says of what went wrong.

use std::sync::atomic::Ordering;

use ferry_client::{Client, Event, Message, QoS, ReasonCode};
use ferry_codec::{Ack, Packet, PacketId};

use crate::memory_server::MemoryServers;
use crate::run;

/// Acknowledges everything, and refuses what is published to `forbidden`.
fn servers() -> MemoryServers {
    MemoryServers::new(|_, packet, reply| {
        let ack = |packet_id: Option<PacketId>, code| Ack::new(packet_id.expect("with QoS 1"), code);
        match packet {
            Packet::Connect(_) => reply.accept(),
            Packet::Publish(publish) if publish.topic == "forbidden" => {
                reply.say(&Packet::Puback(ack(publish.packet_id, ReasonCode::NOT_AUTHORIZED)));
            }
            Packet::Publish(publish) => {
                reply.say(&Packet::Puback(ack(publish.packet_id, ReasonCode::SUCCESS)));
            }
            _ => {}
        }
        true
    })
}

/// Everything is in memory: by then all that can happen has happened.
async fn settle() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn several_messages_are_one_write() {
    run(async {
        let servers = servers();
        let client = servers.options("one").connect().await.unwrap();
        settle().await;
        let writes = || servers.uses.writes.load(Ordering::Relaxed);
        let before = writes();
        let published: Vec<_> = (0..50)
            .map(|number: u32| client.publish(Message::new("t", number.to_string()).qos(QoS::AtLeastOnce)))
            .collect();
        settle().await;
        assert_eq!(writes() - before, 1);
        for published in published {
            published.await.unwrap();
        }
        assert_eq!(writes() - before, 1);
    });
}

/// Its only timer is that of Keep Alive, see `no_keep_alive_no_timer`; here it is not woken by anything else.
#[test]
fn an_idle_client_is_not_woken() {
    run(async {
        let servers = servers();
        let client = servers.options("one").connect().await.unwrap();
        settle().await;
        let uses =
            || (servers.uses.reads.load(Ordering::Relaxed), servers.uses.writes.load(Ordering::Relaxed));
        let before = uses();
        settle().await;
        assert_eq!(uses(), before);
        assert!(client.is_connected());
    });
}

#[test]
fn a_refused_message_for_which_nobody_waits_is_an_event() {
    run(async {
        let client = Client::new(servers().options("one"));
        client.connect().await.unwrap();
        let mut events = client.events();
        for topic in ["allowed", "forbidden"] {
            client.try_publish(Message::new(topic, "x").qos(QoS::AtLeastOnce)).unwrap();
        }
        let (topic, reason_code) = ("forbidden".to_owned(), ReasonCode::NOT_AUTHORIZED);
        assert_eq!(events.recv().await, Some(Event::Rejected { topic, reason_code }));
    });
}
