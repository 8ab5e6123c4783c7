//! Clients that are connected, subscribed and idle.

use std::net::SocketAddr;
use std::thread;

use crate::client::{CONNACK, Client, SUBACK, connect, publish, subscribe};
use crate::options::CONNECTIONS_PER_ADDRESS;

/// Clients that connect at the same time.
const AT_ONCE: usize = 16;

/// The connections, by the number in their topic.
pub(crate) struct Crowd(Vec<Client>);

impl Crowd {
    /// Connects and subscribes this many clients.
    pub(crate) fn open(broker: SocketAddr, count: usize, is_durable: bool) -> Result<Self, String> {
        let share = count.div_ceil(AT_ONCE);
        let parts = thread::scope(|scope| {
            let threads: Vec<_> = (0..AT_ONCE)
                .map(|part| {
                    let numbers = (part * share).min(count)..((part + 1) * share).min(count);
                    scope.spawn(move || {
                        numbers
                            .map(|number| open_one(broker, number, is_durable))
                            .collect::<Result<Vec<_>, _>>()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Result<Vec<_>, _>>()
        })?;
        Ok(Self(parts.into_iter().flatten().collect()))
    }

    /// Publishes one message for each client, and waits until each has it.
    pub(crate) fn deliver_to_each(&mut self, broker: SocketAddr) -> Result<(), String> {
        let mut publisher = Client::log_in(broker, "publisher")?;
        let messages = (0..self.0.len())
            .map(|number| publish(&topic(number), "one message", false))
            .collect::<Result<Vec<_>, _>>()?;
        let burst = messages.concat();
        thread::scope(|scope| {
            let publishing = scope.spawn(move || publisher.send(&burst));
            for (client, message) in self.0.iter_mut().zip(&messages) {
                client.expect(message)?;
            }
            publishing.join().expect("no panic")
        })
    }
}

fn open_one(broker: SocketAddr, number: usize, is_durable: bool) -> Result<Client, String> {
    let address = u8::try_from(number / CONNECTIONS_PER_ADDRESS + 1).map_err(|_| "too many connections")?;
    let mut client = Client::connect(broker, address)?;
    client.send(&[connect(&format!("many-{number}"), is_durable)?, subscribe(&topic(number))?].concat())?;
    client.expect(&[&CONNACK[..], &SUBACK].concat())?;
    Ok(client)
}

fn topic(number: usize) -> String {
    format!("many/connections/{number}")
}
