use std::path::Path;

use ferry_store::RecoveryReport;

/// Problems that are logged one by one; `ferry store check` tells of all.
const SHOWN_MAX: usize = 20;

/// Tells what was wrong with the files.
pub(crate) fn log_recovery(report: &RecoveryReport, directory: &Path) {
    for problem in report.problems.iter().take(SHOWN_MAX) {
        tracing::warn!("{}/{problem}", directory.display());
    }
    if report.problem_count > SHOWN_MAX as u64 {
        tracing::warn!("and {} more of these", report.problem_count - SHOWN_MAX as u64);
    }
    if report.is_damaged() {
        tracing::error!(
            "{} was damaged: what was in the places above is lost, everything else is served",
            directory.display()
        );
    }
}
