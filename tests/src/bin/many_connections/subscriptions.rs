//! Many subscriptions with a wildcard, and messages that match one of them.

use crate::client::{Client, SUBACK, publish, subscribe};
use crate::options::Options;
use crate::report::Broker;

/// Subscriptions of one client.
const OF_ONE_CLIENT: usize = 1_000;
/// Messages, for filters that are far from each other.
const MESSAGES: usize = 100_000;
/// Messages on their way at a time: no broker has to drop any.
const WINDOW: usize = 10_000;
/// Between the filters of two messages that follow each other; a prime, so that all have their turn.
const STRIDE: usize = 7_919;

/// Subscribes so often, publishes, and says what it cost.
pub(crate) fn measure(broker: &Broker, options: &Options) -> Result<(), String> {
    let count = options.subscriptions;
    let clients = count.div_ceil(OF_ONE_CLIENT);
    let mut clients = (0..clients)
        .map(|number| Client::log_in(broker.address, &format!("subscriber-{number}")))
        .collect::<Result<Vec<_>, _>>()?;
    let before = broker.snapshot()?;
    for (number, client) in clients.iter_mut().enumerate() {
        let first = number * OF_ONE_CLIENT;
        let filters = first..(first + OF_ONE_CLIENT).min(count);
        let packets = filters.clone().map(|filter| subscribe(&format!("fleet/device-{filter:07}/+")));
        client.send(&packets.collect::<Result<Vec<_>, _>>()?.concat())?;
        client.expect(&SUBACK.repeat(filters.len()))?;
    }
    let spent = broker.since(before)?;
    spent.print_each(&format!("{count} subscriptions with a wildcard"), count);
    spent.print_bytes_each("memory for them", count, 0);
    deliver(broker, clients, count)
}

/// Each subscriber counts; the publisher waits for all messages of a window.
fn deliver(broker: &Broker, mut clients: Vec<Client>, count: usize) -> Result<(), String> {
    let mut publisher = Client::log_in(broker.address, "publisher")?;
    let numbers: Vec<usize> = (0..MESSAGES).map(|message| message * STRIDE % count).collect();
    let messages = numbers
        .iter()
        .map(|number| publish(&format!("fleet/device-{number:07}/state"), "one message", false))
        .collect::<Result<Vec<_>, _>>()?;
    let length = messages.first().map_or(0, Vec::len);
    let before = broker.snapshot()?;
    for (window, numbers) in messages.chunks(WINDOW).zip(numbers.chunks(WINDOW)) {
        publisher.send(&window.concat())?;
        let mut owed = vec![0; clients.len()];
        numbers.iter().for_each(|number| owed[number / OF_ONE_CLIENT] += length);
        clients.iter_mut().zip(owed).try_for_each(|(client, owed)| client.skip(owed))?;
    }
    broker.since(before)?.print_each("messages, each for one of them", MESSAGES);
    Ok(())
}
