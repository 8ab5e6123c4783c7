//! The client of this repository.

use std::collections::VecDeque;

use ferry_client::{Client, ClientOptions, Filter, Message, ProtocolVersion, QoS};

use crate::scenario::Role;
use crate::work::{LAST_TOPIC, PAYLOAD_BYTES, Spent, Stopwatch, TOPIC, Work};

pub(crate) async fn work(work: Work, version: ProtocolVersion) -> Result<Spent, String> {
    let mut options = ClientOptions::new(&format!("mqtt://127.0.0.1:{}", work.port)).map_err(text)?;
    // As the others have it; with 3.1.1 only 20 would be on their way.
    options.connect.inflight_max = Some(u16::try_from(work.window).map_err(text)?);
    let client = options.client_id("bench").protocol_version(version).connect().await.map_err(text)?;
    let spent = match work.role {
        Role::Publish => publish(&client, &work).await?,
        Role::Subscribe => subscribe(&client, &work).await?,
    };
    client.disconnect().await;
    Ok(spent)
}

async fn publish(client: &Client, work: &Work) -> Result<Spent, String> {
    let qos = QoS::from_byte(work.qos).ok_or("a QoS is 0, 1 or 2")?;
    let watch = Stopwatch::start();
    let mut on_their_way = VecDeque::with_capacity(work.window);
    for _ in 0..work.messages {
        on_their_way.push_back(client.publish(Message::new(TOPIC, [b'x'; PAYLOAD_BYTES]).qos(qos)));
        if on_their_way.len() == work.window
            && let Some(oldest) = on_their_way.pop_front()
        {
            oldest.await.map_err(text)?;
        }
    }
    for published in on_their_way {
        published.await.map_err(text)?;
    }
    client.publish(Message::new(LAST_TOPIC, "").qos(QoS::AtLeastOnce)).await.map_err(text)?;
    watch.stop(work)
}

async fn subscribe(client: &Client, work: &Work) -> Result<Spent, String> {
    let qos = QoS::from_byte(work.qos).ok_or("a QoS is 0, 1 or 2")?;
    let mut messages = client.subscribe(Filter::new("bench/#").qos(qos)).await.map_err(text)?;
    let watch = Stopwatch::start();
    println!("ready");
    for _ in 0..work.messages {
        messages.recv().await.ok_or("the client has ended")?;
    }
    watch.stop(work)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
