//! One program asks, another answers: squares of numbers.
//!
//! `cargo run -p ferry-client --example request_response -- mqtt://localhost`

use std::io::Write as _;
use std::time::Duration;

use ferry_client::{ClientOptions, Message, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "mqtt://localhost".to_owned());

    let server = ClientOptions::new(&url)?.connect().await?;
    let mut requests = server.subscribe("$share/squares/math/square").await?;
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            let number: Option<i64> = request.text().ok().and_then(|text| text.parse().ok());
            let answer = number.map_or("not a number".to_owned(), |number| (number * number).to_string());
            if let Some(response) = request.response(answer) {
                let _outcome = server.publish(response).await;
            }
        }
    });

    let client = ClientOptions::new(&url)?.connect().await?;
    for number in 1..=5 {
        let request = Message::new("math/square", number.to_string()).qos(QoS::AtLeastOnce);
        let answer = client.request(request, Duration::from_secs(5)).await?;
        writeln!(std::io::stdout(), "{number} * {number} = {}", answer.text()?)?;
    }
    client.disconnect().await;
    Ok(())
}
