//! `outbox-publisher PORT DIRECTORY LIFE`: publishes `LIFE NUMBER` without end, with QoS 2 and 1 in turn, from an outbox in the
//! directory. It prints `taken LIFE NUMBER` for each message that the outbox has, and `done LIFE NUMBER` for each that is
//! acknowledged. When its standard input ends it publishes no more, and ends when everything is done.
#![allow(clippy::print_stdout, reason = "a program that is told apart by what it prints")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ferry_client::{Client, ClientOptions, Message, QoS};

/// Messages that are under way at the same time.
const WINDOW: usize = 40;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, directory, life] = &arguments[..] else {
        return Err("outbox-publisher PORT DIRECTORY LIFE".into());
    };
    let mut options = ClientOptions::new(&format!("mqtt://127.0.0.1:{port}"))?
        .client_id("outbox-publisher")
        .clean_start(false)
        .session_expiry(3600)
        .outbox(directory);
    options.reconnect.delay_min = Duration::from_millis(1);
    options.reconnect.delay_max = Duration::from_millis(20);
    let is_ending = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&is_ending);
    std::thread::spawn(move || {
        let _end = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        ends.store(true, Ordering::Relaxed);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(publish(Client::new(options), life, &is_ending))
}

async fn publish(
    client: Client,
    life: &str,
    is_ending: &AtomicBool,
) -> Result<(), Box<dyn std::error::Error>> {
    client.start();
    let mut under_way = VecDeque::new();
    for number in 0_u64.. {
        if is_ending.load(Ordering::Relaxed) {
            break;
        }
        let qos = if number % 2 == 0 { QoS::ExactlyOnce } else { QoS::AtLeastOnce };
        let text = format!("{life} {number}");
        let topic = format!("outbox/{}", qos.to_byte());
        under_way.push_back((text.clone(), client.publish(Message::new(topic, text.as_str()).qos(qos))));
        println!("taken {text}");
        if under_way.len() == WINDOW
            && let Some((text, published)) = under_way.pop_front()
        {
            published.await?;
            println!("done {text}");
        }
    }
    client.flush().await?;
    client.disconnect().await;
    Ok(())
}
