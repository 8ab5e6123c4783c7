use crate::Key;

/// A value that was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What was asked for.
    pub key: Key,
    /// Its value; `None` if it has none, or if it cannot be read any more.
    pub value: Option<Vec<u8>>,
    /// The value that it refers to, with its key.
    pub shared: Option<(Key, Vec<u8>)>,
}

/// Keys to be read once everything before them has been written, and what to do with their values.
pub(crate) struct Load {
    pub(crate) keys: Vec<Key>,
    pub(crate) answer: Box<dyn FnOnce(Vec<Loaded>) + Send>,
}
