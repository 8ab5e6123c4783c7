use std::sync::Arc;
use std::time::Duration;

use ferry_core::Shared;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::figures::Figures;
use super::topics::SysTopics;
use crate::driver::{Clock, Command, Mailbox};
use crate::storage::Storage;

/// What the publisher of `$SYS` needs besides the shards. It runs on one of them.
pub(crate) struct SysTopicsSetup {
    pub(crate) shared: Arc<Shared>,
    pub(crate) storage: Option<Arc<Storage>>,
    /// Seconds between two rounds; 0: none.
    pub(crate) interval_seconds: watch::Receiver<u32>,
}

/// Publishes the broker's figures at once and then at every interval, through the first of `mailboxes`, until the
/// broker ends.
pub(crate) async fn publish_sys_topics(mut setup: SysTopicsSetup, clock: Clock, mailboxes: Arc<[Mailbox]>) {
    let mut topics = SysTopics::default();
    let mut last_round = Instant::now();
    loop {
        let interval_seconds = *setup.interval_seconds.borrow_and_update();
        if interval_seconds > 0 {
            let figures = collect(&setup, clock, &mailboxes).await;
            let now = Instant::now();
            let changes = topics.changes(&figures, now - last_round);
            last_round = now;
            if let Some(mailbox) = mailboxes.first().filter(|_| !changes.is_empty()) {
                mailbox.command(Command::Publish(changes));
            }
        }
        let next_round = last_round + Duration::from_secs(u64::from(interval_seconds));
        tokio::select! {
            () = sleep_until(next_round), if interval_seconds > 0 => {}
            changed = setup.interval_seconds.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

async fn collect(setup: &SysTopicsSetup, clock: Clock, mailboxes: &[Mailbox]) -> Figures {
    let mut figures = Figures {
        uptime: clock.uptime(),
        retained_messages: setup.shared.retained.len(),
        retained_bytes: setup.shared.retained.size_bytes(),
        storage: setup.storage.as_ref().map(|storage| storage.figures()),
        ..Figures::default()
    };
    for mailbox in mailboxes {
        let (answer, report) = oneshot::channel();
        mailbox.command(Command::Report(answer));
        // A shard that does not answer has ended.
        if let Ok(report) = report.await {
            figures.add(&report);
        }
    }
    figures
}
