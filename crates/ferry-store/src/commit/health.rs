use std::fmt;

/// Whether the store can take what it is given. What it has been given is never forgotten while the process lives:
/// it is tried again until it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Everything is written as it comes.
    #[default]
    Writable,
    /// The disk is full, or nearly: nothing should be stored that can be refused. Deleting goes on.
    Full {
        /// Bytes that are still free.
        free_bytes: u64,
        /// Bytes that should be.
        free_bytes_min: u64,
    },
    /// The disk fails.
    Failed {
        /// What the operating system says.
        error: String,
    },
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Writable => write!(f, "writable"),
            Self::Full { free_bytes, free_bytes_min } => {
                write!(f, "the disk is full: {free_bytes} bytes are free")?;
                // There may be a quota, or no margin is wanted.
                if free_bytes < free_bytes_min { write!(f, ", {free_bytes_min} should be") } else { Ok(()) }
            }
            Self::Failed { error } => write!(f, "the disk fails: {error}"),
        }
    }
}
