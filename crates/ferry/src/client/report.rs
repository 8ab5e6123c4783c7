use ferry_client::{Client, ConnectionError, Event};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::ending::FAREWELL;
use crate::output;
use crate::progress::messages;

/// Tells on standard error what happens to a client.
pub(crate) struct Reporter {
    debug: bool,
    quiet: bool,
}

/// A reporter at work.
pub(crate) struct Following(JoinHandle<u64>);

impl Following {
    /// Waits until a client that is to end has: how many messages of QoS 0 lost connections have taken along at most.
    pub(crate) async fn unconfirmed_qos0(self) -> u64 {
        // What is not told by now is not known.
        timeout(FAREWELL, self.0).await.ok().and_then(Result::ok).unwrap_or_default()
    }
}

impl Reporter {
    /// Follows the client from now on, in the background. `quiet` is silent about trouble, `debug` tells everything.
    pub(crate) fn follow(client: &Client, debug: bool, quiet: bool) -> Following {
        let mut events = client.events();
        let mut reporter = Self { debug, quiet };
        Following(tokio::spawn(async move {
            let mut unconfirmed = 0;
            while let Some(event) = events.recv().await {
                if let Event::Disconnected { unconfirmed_qos0, .. } = &event {
                    unconfirmed += unconfirmed_qos0;
                }
                reporter.tell(event);
            }
            unconfirmed
        }))
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Connecting(address) => self.explain(&format!("connecting to {address}")),
            Event::Connected(connected) => self.explain(&format!(
                "connected as {:?}{}",
                connected.client_id,
                if connected.session_present { ", to the session that was there" } else { "" }
            )),
            Event::Disconnected { reason, retry_in_ms: Some(delay), unconfirmed_qos0 } => {
                let lost = match unconfirmed_qos0 {
                    0 => String::new(),
                    count => format!("; perhaps lost: the last {} of QoS 0", messages(count)),
                };
                self.warn(&format!(
                    "{reason}{lost}; trying again in {}.{} s",
                    delay / 1000,
                    delay % 1000 / 100
                ));
            }
            // Why the client has ended is told at the end.
            Event::Disconnected { reason: ConnectionError::Ended, .. } => self.explain("disconnected"),
            Event::Disconnected { reason, .. } => self.explain(&format!("disconnected: {reason}")),
            Event::Resubscribed { filters, reason_codes } => {
                for (filter, code) in filters.iter().zip(reason_codes) {
                    if code.is_error() {
                        self.warn(&format!(
                            "{filter}: the server refuses the subscription now: {}",
                            code.name()
                        ));
                    }
                }
                self.explain(&format!("subscribed again to {}", filters.join(", ")));
            }
            Event::NotPublished { topic, reason } => self.warn(&format!("{topic}: not published: {reason}")),
            Event::Rejected { topic, reason_code } => {
                self.warn(&format!("{topic}: the server refused a message: {}", reason_code.name()));
            }
            Event::Unclaimed { topic } => {
                self.explain(&format!("{topic}: a message that nobody wants any more"));
            }
            Event::Overflowed { topic } => {
                self.warn(&format!("{topic}: a message was lost: too many at once"));
            }
            Event::Authenticated => self.explain("authenticated again"),
            Event::Missed(count) => self.explain(&format!("{count} events are not told")),
        }
    }

    fn explain(&self, words: &str) {
        if self.debug {
            output::note(words);
        }
    }

    fn warn(&self, words: &str) {
        if !self.quiet {
            output::note(format_args!("warning: {words}"));
        }
    }
}
