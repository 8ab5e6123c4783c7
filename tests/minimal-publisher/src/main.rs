//! `minimal-publisher URL`: publishes one temperature, says so, and stays connected until its standard input ends.
#![allow(clippy::print_stdout, reason = "whoever measures it waits for this")]

use ferry_client::{ClientOptions, Message, QoS};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("minimal-publisher URL")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = runtime.block_on(async {
        let client = ClientOptions::new(&url)?.client_id("minimal-publisher").connect().await?;
        client.publish(Message::new("minimal/temperature", "21.5").qos(QoS::AtLeastOnce)).await?;
        Ok::<_, Box<dyn std::error::Error>>(client)
    })?;
    println!("published");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    runtime.block_on(client.disconnect());
    Ok(())
}
