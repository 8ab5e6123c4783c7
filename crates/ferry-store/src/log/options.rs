/// How a [`Log`](crate::Log) uses its disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// Bytes after which a segment is ended and another begun.
    pub segment_bytes: u32,
    /// Bytes of a segment that are allocated ahead at a time.
    pub preallocate_bytes: u32,
    /// Bytes of garbage that are never worth compacting.
    pub garbage_bytes_min: u64,
    /// Bytes that may be written without a sync before the log syncs by itself.
    pub unsynced_bytes_max: usize,
    /// Makes checksums different in each directory, so that no payload can look like a part of the log: a secret
    /// random number, used only when a directory is begun.
    pub salt: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 32 * 1024 * 1024,
            preallocate_bytes: 4 * 1024 * 1024,
            garbage_bytes_min: 16 * 1024 * 1024,
            unsynced_bytes_max: 4 * 1024 * 1024,
            salt: 0,
        }
    }
}
