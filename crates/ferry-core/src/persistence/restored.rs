use std::collections::BTreeMap;

use super::{EntryKey, EntrySink, Forwarded, RestoredSession, Space};

/// What [`Restorer`](super::Restorer) has made of the entries. The retained messages are in place already.
#[derive(Debug, Default)]
pub struct Restored {
    /// In the order of their numbers.
    pub sessions: Vec<RestoredSession>,
    /// Messages that were on their way from one shard to another, in order. Give each to every shard, after all
    /// sessions.
    pub forwarded: Vec<Forwarded>,
    /// How much there is, and what is wrong with it.
    pub report: RestoreReport,
    /// Entries of no use.
    pub(super) useless: Vec<EntryKey>,
    /// Groups of no use.
    pub(super) useless_groups: Vec<u64>,
}

/// What was found in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// Sessions.
    pub sessions: usize,
    /// Their subscriptions.
    pub subscriptions: usize,
    /// The copies that they are owed.
    pub copies: usize,
    /// Retained messages.
    pub retained_messages: usize,
    /// Entries that could not be used, by what is wrong with them.
    pub flaws: BTreeMap<Flaw, usize>,
    /// The first of these entries.
    pub flawed: Vec<(EntryKey, Flaw)>,
}

/// Entries of the report at most.
const FLAWED_MAX: usize = 100;

/// Why an entry could not be used. Something was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flaw {
    /// The store could not read it.
    Unreadable,
    /// Its bytes mean nothing, or nothing that this version knows.
    Undecodable,
    /// Nothing of this kind is known.
    UnknownKind,
    /// It belongs to a session that is not there.
    WithoutSession,
    /// The message of a copy is not there.
    WithoutBody,
    /// Another one has its place: the client identifier, packet identifier, filter or topic.
    Duplicate,
}

impl Flaw {
    /// In words.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Unreadable => "cannot be read",
            Self::Undecodable => "cannot be understood",
            Self::UnknownKind => "is of an unknown kind",
            Self::WithoutSession => "belongs to a session that is not there",
            Self::WithoutBody => "is a copy of a message that is not there",
            Self::Duplicate => "contradicts another one",
        }
    }
}

impl RestoreReport {
    pub(super) fn flaw(&mut self, key: EntryKey, flaw: Flaw) {
        *self.flaws.entry(flaw).or_default() += 1;
        if self.flawed.len() < FLAWED_MAX {
            self.flawed.push((key, flaw));
        }
    }
}

impl Restored {
    /// Takes what is of no use out of the store, and what all shards have taken. Part of the same batch as the records
    /// that restoring the shards has made: the first one after the start.
    pub fn clean_up(&self, sink: &mut impl EntrySink) {
        self.forwarded.iter().for_each(|it| sink.delete(Space::Forwarded.of_broker(it.number)));
        self.useless.iter().for_each(|key| sink.delete(*key));
        self.useless_groups.iter().for_each(|group| sink.delete_group(*group));
    }

    pub(super) fn useless(&mut self, key: EntryKey, flaw: Flaw) {
        self.report.flaw(key, flaw);
        self.useless.push(key);
    }
}
