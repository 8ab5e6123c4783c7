use std::sync::Arc;

use ferry_core::Shared;
use ferry_core::persistence::{Restored, Restorer};
use ferry_store::{Disk, Log};

use super::{Progress, entry_key, store_key};

/// Flaws that are logged one by one.
const SHOWN_MAX: usize = 20;

/// Makes sessions of what the log has, and puts the retained messages into `shared`; says so.
pub(crate) fn restore<D: Disk>(log: &mut Log<D>, shared: &Arc<Shared>) -> Restored {
    let mut progress = Progress::new("restoring sessions and retained messages");
    let restored = read_all(log, shared, &mut |done, total| progress.tell(done, total));
    tell(&restored, &progress);
    restored
}

/// As [`restore`], without a word; `progress` is told the entries read, and how many there are.
pub(crate) fn read_all<D: Disk>(
    log: &mut Log<D>,
    shared: &Arc<Shared>,
    progress: &mut dyn FnMut(u64, u64),
) -> Restored {
    let mut restorer = Restorer::new(Arc::clone(shared));
    let live_records = log.figures().live_records;
    let mut visited = 0;
    let Ok(()) = log.visit::<std::convert::Infallible>(&mut |stored| {
        visited += 1;
        progress(visited, live_records);
        let (key, refers_to) = (entry_key(stored.key), stored.shared.map(entry_key));
        restorer.entry(key, refers_to, &mut |out| stored.read(out).is_ok());
        Ok(())
    });
    let mut value = Vec::new();
    for body in restorer.bodies_wanted() {
        value.clear();
        if log.read(store_key(body), &mut value).is_ok_and(|found| found) {
            restorer.body(body, &value);
        }
    }
    restorer.finish()
}

fn tell(restored: &Restored, progress: &Progress) {
    let report = &restored.report;
    for (key, flaw) in report.flawed.iter().take(SHOWN_MAX) {
        tracing::warn!("{} {}: not used", store_key(*key), flaw.detail());
    }
    let flaws: usize = report.flaws.values().sum();
    if flaws > SHOWN_MAX {
        tracing::warn!("and {} more of these", flaws - SHOWN_MAX);
    }
    let found = report.sessions + report.retained_messages + flaws;
    if found > 0 {
        tracing::info!(
            "restored {} sessions with {} subscriptions and {} messages for them, and {} retained messages, in {:.1} s",
            report.sessions,
            report.subscriptions,
            report.copies,
            report.retained_messages,
            progress.elapsed().as_secs_f64()
        );
    }
}
