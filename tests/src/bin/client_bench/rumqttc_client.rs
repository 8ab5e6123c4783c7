//! The client of rumqttc.

use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};

use crate::scenario::Role;
use crate::work::{LAST_TOPIC, PAYLOAD_BYTES, Spent, Stopwatch, TOPIC, Work};

pub(crate) async fn work(work: Work) -> Result<Spent, String> {
    let mut options = MqttOptions::new("bench", "127.0.0.1", work.port);
    options.set_keep_alive(Duration::from_secs(60));
    options.set_inflight(u16::try_from(work.window).map_err(text)?);
    let (client, mut event_loop) = AsyncClient::new(options, work.window);
    while !matches!(event_loop.poll().await.map_err(text)?, Event::Incoming(Packet::ConnAck(_))) {}
    let spent = match work.role {
        Role::Publish => publish(client.clone(), &mut event_loop, &work).await?,
        Role::Subscribe => subscribe(&client, &mut event_loop, &work).await?,
    };
    client.disconnect().await.map_err(text)?;
    Ok(spent)
}

async fn publish(client: AsyncClient, event_loop: &mut EventLoop, work: &Work) -> Result<Spent, String> {
    let (qos, messages, window) = (qos(work.qos), work.messages, work.window);
    let watch = Stopwatch::start();
    if window == 1 {
        for _ in 0..messages {
            client.publish(TOPIC, qos, false, [b'x'; PAYLOAD_BYTES]).await.map_err(text)?;
            acknowledged(event_loop, 1).await?;
        }
        return watch.stop(work);
    }
    let publishing = tokio::spawn(async move {
        for _ in 0..messages {
            client.publish(TOPIC, qos, false, [b'x'; PAYLOAD_BYTES]).await?;
        }
        client.publish(LAST_TOPIC, QoS::AtLeastOnce, false, "").await
    });
    let expected = if work.qos == 0 { 1 } else { messages + 1 };
    acknowledged(event_loop, expected).await?;
    publishing.await.map_err(text)?.map_err(text)?;
    watch.stop(work)
}

/// Waits for so many PUBACKs.
async fn acknowledged(event_loop: &mut EventLoop, mut count: u64) -> Result<(), String> {
    while count > 0 {
        if let Event::Incoming(Packet::PubAck(_)) = event_loop.poll().await.map_err(text)? {
            count -= 1;
        }
    }
    Ok(())
}

async fn subscribe(client: &AsyncClient, event_loop: &mut EventLoop, work: &Work) -> Result<Spent, String> {
    client.subscribe("bench/#", qos(work.qos)).await.map_err(text)?;
    while !matches!(event_loop.poll().await.map_err(text)?, Event::Incoming(Packet::SubAck(_))) {}
    let watch = Stopwatch::start();
    println!("ready");
    let mut left = work.messages;
    while left > 0 {
        if let Event::Incoming(Packet::Publish(_)) = event_loop.poll().await.map_err(text)? {
            left -= 1;
        }
    }
    watch.stop(work)
}

fn qos(qos: u8) -> QoS {
    if qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
