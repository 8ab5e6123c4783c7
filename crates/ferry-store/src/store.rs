use crate::Ticket;

/// What one shard writes its records `R` to. The shard's thread alone calls it, and no call may block on a disk.
pub trait Store<R>: Send {
    /// Takes every record out of `batch`, which is not empty, as one group that commits whole or not at all, after
    /// every group before it.
    fn append(&mut self, batch: &mut Vec<R>) -> Ticket;

    /// The newest ticket that is committed; every older one is too. An engine that commits on another thread rings
    /// the shard when this has moved on.
    fn committed(&self) -> Ticket;
}
