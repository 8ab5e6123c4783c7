use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ferry_client::Message;
use tokio::time::{Instant, sleep};

use crate::client::{Ending, Underway};
use crate::progress::{Progress, clock, grouped, percent, size};

/// Publishes one message after the other, each when it is due, and shows how far it is.
pub(super) struct Publisher<'a> {
    underway: Underway<'a>,
    pace: Pace,
    report: Report,
    progress: Progress,
}

/// How far it is.
struct Report {
    begun: Instant,
    messages: u64,
    /// Bytes that have gone out.
    written: Arc<AtomicU64>,
    /// All bytes that are to go out, if that is known.
    bytes: Option<u64>,
}

/// How fast.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    AsFastAsPossible,
    /// So much time between two messages.
    Delay(Duration),
    /// So many messages per second.
    Rate(f64),
}

/// What takes less time needs no progress.
const SILENCE: Duration = Duration::from_secs(1);

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(1 << 32);

/// How often is looked how far it is.
const LOOK: Duration = Duration::from_millis(250);

impl<'a> Publisher<'a> {
    pub(super) fn new(
        underway: Underway<'a>,
        pace: Pace,
        progress: Progress,
        written: Arc<AtomicU64>,
        bytes: Option<u64>,
    ) -> Self {
        let report = Report { begun: Instant::now(), messages: 0, written, bytes };
        Self { underway, pace, report, progress }
    }

    /// Publishes when it is due.
    ///
    /// # Errors
    /// This message or an earlier one was refused.
    pub(super) async fn publish(&mut self, message: Message) -> Result<(), Ending> {
        if self.report.messages > 0 {
            self.wait().await?;
        }
        self.report.messages += 1;
        self.underway.publish(message).await?;
        self.report.tell(&mut self.progress);
        Ok(())
    }

    /// Waits until the server has everything.
    ///
    /// # Errors
    /// A message was refused.
    pub(super) async fn finish(&mut self) -> Result<(), Ending> {
        let Self { underway, report, progress, .. } = self;
        let finish = underway.finish();
        tokio::pin!(finish);
        let finished = loop {
            tokio::select! {
                finished = &mut finish => break finished,
                () = sleep(LOOK), if progress.is_wanted() => report.tell(progress),
            }
        };
        progress.clear();
        finished
    }

    async fn wait(&mut self) -> Result<(), Ending> {
        let due = match self.pace {
            Pace::AsFastAsPossible => return Ok(()),
            Pace::Delay(delay) => Instant::now() + delay,
            // From the beginning on: what one message is late the next ones make up for.
            Pace::Rate(rate) => {
                let seconds = self.report.messages as f64 / rate;
                self.report.begun + Duration::try_from_secs_f64(seconds).unwrap_or(FOR_EVER)
            }
        };
        self.underway.wait_until(due).await
    }
}

impl Report {
    fn tell(&self, progress: &mut Progress) {
        let elapsed = self.begun.elapsed();
        if elapsed < SILENCE {
            return;
        }
        let written = self.written.load(Ordering::Relaxed);
        let of =
            self.bytes.map(|bytes| format!(" of {}, {}", size(bytes), percent(written.min(bytes), bytes)));
        progress.tell(|| {
            let messages = grouped(self.messages);
            format!("{messages} messages, {}{}, {}", size(written), of.unwrap_or_default(), clock(elapsed))
        });
    }
}
