/// What has to happen to a batch before what it promises may be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Handed to the operating system: survives the end of the process, not that of the machine.
    #[default]
    Written,
    /// On the disk: survives a loss of power.
    Synced,
}
