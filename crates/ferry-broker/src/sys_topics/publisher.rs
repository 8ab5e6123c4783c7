use std::sync::Arc;
use std::time::Duration;

use ferry_core::Shared;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::figures::Figures;
use super::topics::SysTopics;
use crate::driver::{Clock, Command, Mailbox};
use crate::storage::Storage;

/// While nobody subscribes, a round follows this long after the first thing that happens, with what came along with it:
/// often that is all for hours.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// What the publisher of `$SYS` needs besides the shards. It runs on one of them.
pub(crate) struct SysTopicsSetup {
    pub(crate) shared: Arc<Shared>,
    pub(crate) storage: Option<Arc<Storage>>,
    /// Seconds between two rounds; 0: none.
    pub(crate) interval_seconds: watch::Receiver<u32>,
}

/// Publishes the broker's figures at once and then at every interval, through the first of `mailboxes`, until the
/// broker ends. While nobody subscribes to them it waits until something happens besides, and a moment more: an idle
/// broker sleeps.
pub(crate) async fn publish_sys_topics(mut setup: SysTopicsSetup, clock: Clock, mailboxes: Arc<[Mailbox]>) {
    let mut topics = SysTopics::default();
    let mut last_round = Instant::now();
    // That something or somebody asked for, so not that of the start.
    let mut last_due = None;
    let alarm = Arc::new(Notify::new());
    loop {
        let interval_seconds = *setup.interval_seconds.borrow_and_update();
        let mut is_wanted = false;
        if interval_seconds > 0 {
            let figures = collect(&setup, clock, &mailboxes, topics.names(), &alarm).await;
            is_wanted = figures.has_subscriber;
            let now = Instant::now();
            let changes = topics.changes(&figures, now - last_round);
            last_round = now;
            if let Some(mailbox) = mailboxes.first().filter(|_| !changes.is_empty()) {
                mailbox.command(Command::Publish(changes));
            }
        }
        let interval = Duration::from_secs(u64::from(interval_seconds));
        let due = async {
            let next_round = if is_wanted {
                last_round + interval
            } else {
                alarm.notified().await;
                let settled = Instant::now() + interval.min(SETTLED_AFTER);
                last_due.map_or(settled, |last_due: Instant| settled.max(last_due + interval))
            };
            sleep_until(next_round).await;
        };
        tokio::select! {
            () = due, if interval_seconds > 0 => last_due = Some(Instant::now()),
            changed = setup.interval_seconds.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

async fn collect(
    setup: &SysTopicsSetup,
    clock: Clock,
    mailboxes: &[Mailbox],
    topics: Arc<[String]>,
    alarm: &Arc<Notify>,
) -> Figures {
    let routes = &setup.shared.route_table;
    let mut figures = Figures {
        has_subscriber: topics.iter().any(|topic| routes.has_shares(topic)),
        uptime: clock.uptime(),
        retained_messages: setup.shared.retained.len(),
        retained_bytes: setup.shared.retained.size_bytes(),
        storage: setup.storage.as_ref().map(|storage| storage.figures()),
        ..Figures::default()
    };
    for mailbox in mailboxes {
        let (answer, report) = oneshot::channel();
        let (topics, alarm) = (Arc::clone(&topics), Arc::clone(alarm));
        mailbox.command(Command::Report { answer, topics, alarm });
        // A shard that does not answer has ended.
        if let Ok(report) = report.await {
            figures.add(&report);
        }
    }
    figures
}
