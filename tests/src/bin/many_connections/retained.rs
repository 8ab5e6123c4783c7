//! Many retained messages, and subscriptions that get them all while another client goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, SUBACK, publish, subscribe};
use crate::options::Options;
use crate::report::{Broker, line};

const PAYLOAD: &str = "sixteen bytes...";
/// Messages retained between two looks at whether the broker keeps up.
const BATCH: usize = 1_000;
/// Between two messages of the client that goes on.
const PROBE_INTERVAL: Duration = Duration::from_millis(2);

/// Retains so many messages, asks for them, and says what it cost.
pub(crate) fn measure(broker: &Broker, options: &Options) -> Result<(), String> {
    let count = options.retained;
    let mut publisher = Client::log_in(broker.address, "publisher")?;
    let mut length = 0;
    let before = broker.snapshot()?;
    for batch in (0..count).collect::<Vec<_>>().chunks(BATCH) {
        let packets = batch.iter().map(|number| publish(&topic(*number), PAYLOAD, true));
        let packets = packets.collect::<Result<Vec<_>, _>>()?;
        length = packets.first().map_or(0, Vec::len);
        publisher.send(&[packets.concat(), PINGREQ.to_vec()].concat())?;
        publisher.expect(&PINGRESP)?;
    }
    let spent = broker.since(before)?;
    spent.print_each(&format!("{count} retained messages"), count);
    spent.print_bytes_each("memory for them", count, topic(0).len() + PAYLOAD.len());
    for filter in ["#", "retained/+/state"] {
        ask(broker, filter, count, length)?;
    }
    Ok(())
}

/// One subscription that gets them all, and how long the messages of another client took meanwhile.
fn ask(broker: &Broker, filter: &str, count: usize, length: usize) -> Result<(), String> {
    let mut client = Client::log_in(broker.address, "asking")?;
    let prober = log_in_prober(broker)?;
    let is_over = AtomicBool::new(false);
    let before = broker.snapshot()?;
    let latencies = thread::scope(|scope| {
        let probing = scope.spawn(|| probe(prober, &is_over));
        let asked =
            client.send(&subscribe(filter)?).and_then(|()| client.skip(SUBACK.len() + count * length));
        is_over.store(true, Ordering::Relaxed);
        asked.and(probing.join().expect("no panic"))
    })?;
    broker.since(before)?.print_each(&format!("retained messages for {filter}"), count);
    let longest = latencies.iter().max().copied().unwrap_or_default();
    let microseconds = |duration: Duration| format!("{} µs", duration.as_micros());
    let mut sorted = latencies;
    sorted.sort_unstable();
    line(
        "  another client meanwhile, median",
        microseconds(sorted.get(sorted.len() / 2).copied().unwrap_or_default()),
    );
    line("  another client meanwhile, longest", microseconds(longest));
    Ok(())
}

fn log_in_prober(broker: &Broker) -> Result<Client, String> {
    let mut client = Client::log_in(broker.address, "probe")?;
    client.send(&subscribe("$probe/latency")?)?;
    client.expect(&SUBACK)?;
    Ok(client)
}

/// A client that publishes to itself; how long each message took.
fn probe(mut client: Client, is_over: &AtomicBool) -> Result<Vec<Duration>, String> {
    let message = publish("$probe/latency", PAYLOAD, false)?;
    let mut latencies = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let begin = Instant::now();
        client.send(&message)?;
        client.expect(&message)?;
        latencies.push(begin.elapsed());
        thread::sleep(PROBE_INTERVAL);
    }
    Ok(latencies)
}

const PINGREQ: [u8; 2] = [0xC0, 0];
const PINGRESP: [u8; 2] = [0xD0, 0];

fn topic(number: usize) -> String {
    format!("retained/{number:07}/state")
}
