use ferry_client::{Client, Event};

use super::Ending;

/// So many connections in a row that the server closes without taking anything are enough.
const LOST_MAX: u32 = 3;

/// Waits until the server has closed several connections one after the other, and has acknowledged nothing of what waits: a
/// server that closes the connection because of a message would be sent it for ever. Servers that are not there do not count.
pub(crate) async fn given_up(client: &Client) -> Ending {
    let mut events = client.events();
    let (mut is_connected, mut lost, mut published) = (false, 0, 0);
    loop {
        let event = tokio::select! {
            biased;
            event = events.recv() => event,
            // Nothing waits any more.
            flushed = client.flush(), if lost > 0 => match flushed {
                Ok(()) => {
                    lost = 0;
                    continue;
                }
                Err(_) => None,
            },
        };
        match event {
            Some(Event::Connected(_)) => is_connected = true,
            Some(Event::Disconnected { reason, retry_in_ms: Some(_), .. }) if is_connected => {
                is_connected = false;
                let before = std::mem::replace(&mut published, client.published_count());
                lost = if published == before { lost + 1 } else { 0 };
                if lost == LOST_MAX {
                    return Ending::given_up(lost, &reason);
                }
            }
            Some(_) => {}
            // Whoever waits for the client tells why it has ended.
            None => return std::future::pending().await,
        }
    }
}
