use std::fmt;

/// Problems that are listed one by one; more are only counted.
const PROBLEMS_MAX: usize = 1000;

/// What was found when a log was opened or verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Segments read.
    pub segments: u64,
    /// Bytes read of them, without what is allocated ahead.
    pub bytes: u64,
    /// Groups in them.
    pub groups: u64,
    /// Entries in these.
    pub records: u64,
    /// Keys that have a value.
    pub live_records: u64,
    /// Bytes of their entries.
    pub live_bytes: u64,
    /// What is wrong, in the order in which it was found; the first thousand.
    pub problems: Vec<Problem>,
    /// Number of problems, listed or not.
    pub problem_count: u64,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which file of the log, or which that should be there.
    pub file: String,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// Bytes that cannot be used; 0 if unknown.
    pub length: u64,
    /// What is wrong and what is lost.
    pub kind: ProblemKind,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The end of the log was written but never made durable: cut off, with all groups from this one on. Nothing
    /// that was acknowledged as synced is lost.
    TornTail {
        /// The first group that is cut off.
        group: u64,
    },
    /// Entries of a group that had been durable are damaged; the others are used.
    DamagedEntries {
        /// The group.
        group: u64,
    },
    /// Groups that had been durable are not there, or what is there cannot be read.
    LostGroups {
        /// The first one.
        first: u64,
        /// How many.
        count: u64,
    },
    /// The file is missing.
    MissingSegment,
    /// The first bytes of the file, which say what it is, are damaged; what follows is used.
    DamagedSegmentHeader,
    /// Nothing in the file can be used.
    UnusableSegment,
    /// The file FORMAT is damaged or missing; it is restored from what the segments say.
    DamagedFormat,
    /// The file is none of ours; it is left alone.
    ForeignFile,
    /// The value that an entry refers to is not there, so the entry is not used either.
    LostReference {
        /// The entry.
        key: crate::Key,
    },
}

impl RecoveryReport {
    /// Whether something that was durable is lost.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        let harmless = |problem: &Problem| {
            matches!(
                problem.kind,
                ProblemKind::TornTail { .. }
                    | ProblemKind::DamagedSegmentHeader
                    | ProblemKind::DamagedFormat
                    | ProblemKind::ForeignFile
            )
        };
        self.problem_count > self.problems.len() as u64 || !self.problems.iter().all(harmless)
    }

    /// Keeps only the problems that `is_kept` says.
    pub(crate) fn retain(&mut self, is_kept: impl FnMut(&Problem) -> bool) {
        let before = self.problems.len();
        self.problems.retain(is_kept);
        self.problem_count -= (before - self.problems.len()) as u64;
    }

    pub(crate) fn add(&mut self, problem: Problem) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, length, kind } = self;
        match kind {
            ProblemKind::TornTail { group } => write!(
                f,
                "{file}: the last {length} bytes, from {offset} on, were never made durable: cut off from group {group} on"
            ),
            ProblemKind::DamagedEntries { group } => {
                write!(f, "{file}: {length} bytes at {offset}, in group {group}, are damaged and lost")
            }
            ProblemKind::LostGroups { first, count } => {
                write!(
                    f,
                    "{file}: {count} groups from {first} on are lost, but for what can still be read of {length} bytes at {offset}"
                )
            }
            ProblemKind::MissingSegment => {
                write!(f, "{file}: the file is missing, and what was in it is lost")
            }
            ProblemKind::DamagedSegmentHeader => {
                write!(f, "{file}: the first {length} bytes are damaged; what follows is used")
            }
            ProblemKind::UnusableSegment => write!(f, "{file}: nothing in its {length} bytes can be used"),
            ProblemKind::DamagedFormat => write!(f, "{file}: damaged or missing; restored from the log"),
            ProblemKind::ForeignFile => write!(f, "{file}: not a file of the log, left alone"),
            ProblemKind::LostReference { key } => {
                write!(f, "{file}: {key} at {offset} is lost, because what it refers to is")
            }
        }
    }
}
