//! A dashboard: the last value of every topic below `sensor`, and the state of the connection.
//!
//! `cargo run -p ferry-client --example dashboard -- mqtt://localhost`

use std::collections::BTreeMap;
use std::io::Write as _;

use ferry_client::{Client, ClientOptions, Event};

/// Topics that are not shown yet are ignored above it: whoever may publish can make up any number of them.
const TOPICS_MAX: usize = 1_000;

/// Of a value; the rest is not shown.
const CHARACTERS_MAX: usize = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "mqtt://localhost".to_owned());
    let client = Client::new(ClientOptions::new(&url)?.client_id("dashboard"));
    let mut events = client.events();
    client.start();
    let mut readings = client.subscribe("sensor/#").await?;
    let mut values = BTreeMap::new();
    let mut connection = "connected".to_owned();
    loop {
        tokio::select! {
            Some(message) = readings.recv() => {
                if values.len() >= TOPICS_MAX && !values.contains_key(&message.topic) {
                    continue;
                }
                let value = String::from_utf8_lossy(&message.payload).chars().take(CHARACTERS_MAX).collect::<String>();
                values.insert(message.topic, value);
            }
            Some(event) = events.recv() => match event {
                Event::Connected(_) => connection = "connected".to_owned(),
                Event::Disconnected { reason, .. } => connection = reason.to_string(),
                _ => continue,
            },
            else => return Ok(()),
        }
        let mut out = std::io::stdout().lock();
        writeln!(out, "--- {connection}")?;
        for (topic, value) in &values {
            writeln!(out, "{topic:40} {value}")?;
        }
    }
}
