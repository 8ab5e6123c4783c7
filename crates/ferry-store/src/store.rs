use crate::{Record, Ticket};

/// Called, from any thread, when [`Store::committed`] has moved on.
pub type CommitWaker = Box<dyn Fn() + Send + Sync>;

/// What one shard writes to. The shard's thread alone calls it, and no call may block on a disk.
pub trait Store: Send {
    /// Takes every record out of `batch` as one group that commits whole or not at all, after every group
    /// before it. An empty batch is answered with the ticket of the last group.
    fn append(&mut self, batch: &mut Vec<Record>) -> Ticket;

    /// The newest ticket that is committed; every older one is too.
    fn committed(&self) -> Ticket;

    /// Visits what is committed under keys that start with `prefix`, in the order of the keys.
    fn load(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8]));
}
