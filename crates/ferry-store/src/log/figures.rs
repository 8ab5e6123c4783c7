/// What a [`Log`](crate::Log) has done since it was opened, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogFigures {
    /// Entries that were given to it.
    pub records: u64,
    /// Bytes of these: value, key and a few more each.
    pub bytes_of_records: u64,
    /// Entries that were not written because another one of the same group undid them.
    pub records_elided: u64,
    /// Bytes written to the disk, for whatever reason. Divided by `bytes_of_records`: the write amplification.
    pub bytes_written: u64,
    /// Bytes of these that compaction has copied.
    pub bytes_compacted: u64,
    /// Groups written.
    pub groups: u64,
    /// Times the disk was made to make writes durable.
    pub syncs: u64,
    /// Entries that could not be read any more when they were needed.
    pub records_lost: u64,
    /// Keys that have a value.
    pub live_records: u64,
    /// Bytes of their entries.
    pub live_bytes: u64,
    /// Bytes of all segments, without what is allocated ahead.
    pub total_bytes: u64,
    /// Number of segments.
    pub segments: u64,
}
