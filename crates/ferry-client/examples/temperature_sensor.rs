//! A sensor: a retained reading every so often, and a will that says when there will be no more.
//!
//! `cargo run -p ferry-client --example temperature_sensor -- mqtt://localhost`

use std::time::Duration;

use ferry_client::{Client, ClientOptions, Message, QoS, Will};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "mqtt://localhost".to_owned());
    let gone = Message::new("sensor/1/status", "gone").qos(QoS::AtLeastOnce).retain(true);
    let options = ClientOptions::new(&url)?
        .client_id("sensor-1")
        .session_expiry(3600)
        // A short interruption is not worth a word.
        .will(Will::new(gone).delay_seconds(30));
    // It keeps trying: a sensor is switched on whenever it likes.
    let client = Client::new(options);
    client.start();
    client.try_publish(Message::new("sensor/1/status", "here").qos(QoS::AtLeastOnce).retain(true)).ok();
    for number in 0_u32.. {
        let celsius = 21.0 + f64::from(number % 10) / 10.0;
        let reading = Message::new("sensor/1/celsius", format!("{celsius:.1}"))
            .qos(QoS::AtLeastOnce)
            .retain(true)
            // Nobody wants an old reading.
            .expiry_seconds(600);
        if let Err((_, error)) = client.try_publish(reading) {
            eprintln!("{error}");
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    Ok(())
}
