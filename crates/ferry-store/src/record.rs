/// One change: the last record of a key wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Sets `key` to `value`.
    Put {
        /// What the record is found by; the store orders records by it, byte by byte.
        key: Box<[u8]>,
        /// What is kept, opaque to the store.
        value: Box<[u8]>,
    },
    /// Forgets `key`; no error when it is not there.
    Delete {
        /// The key to forget.
        key: Box<[u8]>,
    },
}

impl Record {
    /// Bytes of key and value.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Put { key, value } => key.len() + value.len(),
            Self::Delete { key } => key.len(),
        }
    }
}
