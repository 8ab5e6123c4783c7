//! A sensor that is seldom connected and often switched off: its readings wait on the disk.
//!
//! `cargo run -p ferry-client --features outbox --example offline_sensor -- mqtt://localhost DIRECTORY`

use std::time::Duration;

use ferry_client::{Client, ClientOptions, Message, OutgoingOverflow, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, directory] = arguments.as_slice() else {
        return Err("usage: offline_sensor URL DIRECTORY".into());
    };
    let mut options = ClientOptions::new(url)?
        .client_id("offline-sensor")
        // The server remembers what it has got, so that nothing comes twice.
        .clean_start(false)
        .session_expiry(7 * 24 * 3600)
        .outbox(directory);
    // A week of readings; then the oldest go.
    options.connect.outgoing_messages_max = 7 * 24 * 60;
    options.connect.outgoing_overflow = OutgoingOverflow::DropOldest;
    options.connect.outgoing_age_max_seconds = Some(7 * 24 * 3600);
    let client = Client::new(options);
    client.start();
    for number in 0_u32.. {
        let reading = Message::new("sensor/offline", number.to_string()).qos(QoS::ExactlyOnce);
        client.try_publish(reading).map_err(|(_, error)| error)?;
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    Ok(())
}
