use std::collections::VecDeque;
use std::pin::Pin;

use ferry_client::{Client, Message, ProtocolVersion, PublishError, Published};
use tokio::time::{Instant, sleep_until};

use super::Ending;

type Outcome = Pin<Box<dyn Future<Output = Result<Published, PublishError>> + Send>>;

/// The messages whose end is not known yet.
pub(crate) struct Underway<'a> {
    client: &'a Client,
    version: ProtocolVersion,
    /// Each with the bytes that it takes.
    outcomes: VecDeque<(Outcome, usize)>,
    bytes: usize,
}

/// So many messages may wait for their end; what is read meanwhile waits in the pipe.
const UNDERWAY_MAX: usize = 1_000;

/// So many bytes of them: less than the client takes, so that no message waits outside and is overtaken.
const UNDERWAY_BYTES_MAX: usize = 32 * 1024 * 1024;

impl<'a> Underway<'a> {
    pub(crate) fn new(client: &'a Client, version: ProtocolVersion) -> Self {
        Self { client, version, outcomes: VecDeque::new(), bytes: 0 }
    }

    /// Publishes, at the latest when there is room for one more.
    ///
    /// # Errors
    /// An earlier message, or this one, was refused.
    pub(crate) async fn publish(&mut self, message: Message) -> Result<(), Ending> {
        let bytes = message.size_bytes();
        while self.outcomes.len() >= UNDERWAY_MAX
            || !self.outcomes.is_empty() && self.bytes + bytes > UNDERWAY_BYTES_MAX
        {
            self.take_first().await?;
        }
        self.bytes += bytes;
        self.outcomes.push_back((Box::pin(self.client.publish(message)), bytes));
        Ok(())
    }

    /// Waits until then.
    ///
    /// # Errors
    /// A message was refused meanwhile.
    pub(crate) async fn wait_until(&mut self, time: Instant) -> Result<(), Ending> {
        let is_over = sleep_until(time);
        tokio::pin!(is_over);
        while !self.outcomes.is_empty() {
            tokio::select! {
                () = &mut is_over => return Ok(()),
                taken = self.take_first() => taken?,
            }
        }
        is_over.await;
        Ok(())
    }

    /// Waits until the server has everything.
    ///
    /// # Errors
    /// A message was refused.
    pub(crate) async fn finish(&mut self) -> Result<(), Ending> {
        while !self.outcomes.is_empty() {
            self.take_first().await?;
        }
        let flushed = self.client.flush().await;
        self.told(flushed.map(|()| Published::default())).await
    }

    async fn take_first(&mut self) -> Result<(), Ending> {
        // It stays in its place as long as it has no end: the caller may give up.
        let Some((outcome, _)) = self.outcomes.front_mut() else { return Ok(()) };
        let outcome = outcome.as_mut().await;
        self.bytes -= self.outcomes.pop_front().map_or(0, |(_, bytes)| bytes);
        self.told(outcome).await
    }

    /// If the client has ended, the reason is why the connection did.
    async fn told(&self, outcome: Result<Published, PublishError>) -> Result<(), Ending> {
        match outcome {
            Ok(_) => Ok(()),
            Err(PublishError::Ended) => Err(Ending::connection(&self.client.ended().await, self.version)),
            Err(error) => Err(Ending::published(&error)),
        }
    }
}
