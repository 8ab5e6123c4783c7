//! A broker, a client that must not be disturbed, and the broker's own figures.

use std::collections::BTreeMap;

use ferry_tests::ferry::Ferry;

use crate::bystander::Bystander;
use crate::figures::Figures;

/// A broker under attack.
pub(crate) struct Arena {
    pub(crate) ferry: Ferry,
    pub(crate) figures: Figures,
    bystander: Bystander,
    resident_bytes_before: u64,
}

impl Arena {
    /// Starts a broker of two shards with these lines of `[limits]`.
    pub(crate) fn new(limits: &str) -> Self {
        Self::with_shards(2, limits)
    }

    /// Starts a broker with these lines of `[limits]`.
    pub(crate) fn with_shards(shards: u16, limits: &str) -> Self {
        // At its end it does not wait for attackers that are still there.
        let server = format!("[server]\nshards = {shards}\nshutdown_timeout_seconds = 0");
        let ferry = Ferry::start(&format!("{server}\n[sys]\ninterval_seconds = 1\n[limits]\n{limits}\n"));
        let figures = Figures::new(&ferry);
        let bystander = Bystander::start(&ferry);
        let resident_bytes_before = ferry.resident_bytes();
        Self { ferry, figures, bystander, resident_bytes_before }
    }

    /// The broker has never held more than this above what it held before the attack.
    pub(crate) fn took_at_most(&self, mebibytes: u64) {
        let grown = self.ferry.resident_bytes_peak().saturating_sub(self.resident_bytes_before);
        assert!(grown <= mebibytes << 20, "the attack took {} KiB of memory", grown >> 10);
    }

    /// Each of these has been refused with this reason code as often as it is named here.
    pub(crate) fn has_refused(&mut self, reason_codes: impl IntoIterator<Item = u8>) {
        let mut counts: BTreeMap<u8, u64> = BTreeMap::new();
        reason_codes.into_iter().for_each(|code| *counts.entry(code).or_default() += 1);
        for (code, count) in counts {
            self.figures.wait_for(&format!("refusals/reason_code/0x{code:02X}"), count);
        }
    }

    /// Each of these has been counted as often as it is named here.
    pub(crate) fn has_counted<'a>(&mut self, refusals: impl IntoIterator<Item = &'a str>) {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        refusals.into_iter().for_each(|name| *counts.entry(name).or_default() += 1);
        for (name, count) in counts {
            self.figures.wait_for(&format!("refusals/{name}"), count);
        }
    }

    /// Of the attackers nothing is left: no other clients than these are connected, and no session, subscription
    /// or message waits for one that is gone.
    pub(crate) fn leaves_nothing(&mut self, clients: u64, subscriptions: u64) {
        self.figures.wait_for("clients/connected", clients);
        self.figures.wait_for("clients/disconnected", 0);
        self.figures.wait_for("subscriptions/count", subscriptions);
        self.figures.wait_for("messages/inflight", 0);
        self.figures.wait_for("messages/queued", 0);
    }

    /// The end of the attack: the bystander was served all the time and still is, and the broker ends without a panic
    /// and without a word about its clients in the log.
    pub(crate) fn ends_undisturbed(self) {
        self.bystander.stop();
        let log = self.ferry.log();
        assert!(!log.contains(" WARN ") && !log.contains(" ERROR "), "a peer's fault is in the log:\n{log}");
        drop(self.figures);
        self.ferry.stop();
    }
}
