//! A lamp: takes commands, tells its state, and is known to be gone when it is.
//!
//! `cargo run -p ferry-client --example smart_lamp -- mqtt://localhost`

use ferry_client::{ClientOptions, Message, QoS, Will};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "mqtt://localhost".to_owned());
    let online = |payload: &str| Message::new("lamp/1/online", payload).qos(QoS::AtLeastOnce).retain(true);
    let client = ClientOptions::new(&url)?.client_id("lamp-1").will(Will::new(online("0"))).connect().await?;

    // Again after each reconnect, because the will has said something else.
    let announcing = client.clone();
    let mut events = client.events();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if matches!(event, ferry_client::Event::Connected(_)) {
                let _outcome = announcing.publish(online("1")).await;
            }
        }
    });
    client.publish(online("1")).await?;

    let mut commands = client.subscribe("lamp/1/set").await?;
    while let Some(command) = commands.recv().await {
        let is_on = command.payload == b"on";
        let state = if is_on { "on" } else { "off" };
        client.publish(Message::new("lamp/1/state", state).qos(QoS::AtLeastOnce).retain(true)).await?;
        if command.payload == b"unplug" {
            break;
        }
    }
    client.disconnect().await;
    Ok(())
}
