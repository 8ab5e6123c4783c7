use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ferry_core::{Mail, ShardId};
use tokio::sync::Notify;

use super::command::Command;

/// What other threads leave for a shard: one lock for a batch, and a wake if the shard sleeps.
///
/// On cache lines of its own (processors fetch them in pairs), since other shards' are written at the same time.
#[repr(align(128))]
pub(crate) struct Mailbox {
    bytes_max: AtomicUsize,
    waiting: Mutex<Waiting>,
    /// Wakes the shard: for mail, for commands, and for whatever else its turn should look at.
    bell: Notify,
    /// The bell has been rung and the shard has not looked yet.
    rung: AtomicBool,
    /// The shard waits, so ringing has to wake it.
    asleep: AtomicBool,
}

/// What a shard finds in its mailbox.
pub(crate) enum Parcel {
    /// What one turn of another shard had for this one, in order.
    Mail { from: ShardId, batch: Vec<Mail>, bytes: usize },
    /// From the broker itself.
    Command(Command),
}

#[derive(Default)]
struct Waiting {
    parcels: VecDeque<Parcel>,
    mail_bytes: usize,
    /// Shards that found the mailbox full and want to know when it no longer is.
    blocked: Vec<ShardId>,
}

impl Mailbox {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max: AtomicUsize::new(bytes_max),
            waiting: Mutex::new(Waiting::default()),
            bell: Notify::new(),
            rung: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
        }
    }

    pub(crate) fn set_bytes_max(&self, bytes_max: usize) {
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    /// Leaves a batch. It is always taken, since it is decided already; but `false` says that the mailbox is
    /// over its limit now and that `from` is to stop reading its publishers until it is woken.
    pub(crate) fn post(&self, from: ShardId, batch: Vec<Mail>, bytes: usize) -> bool {
        let room = {
            let mut waiting = self.lock();
            waiting.mail_bytes += bytes;
            waiting.parcels.push_back(Parcel::Mail { from, batch, bytes });
            self.has_room(&mut waiting, from)
        };
        self.ring();
        room
    }

    /// Leaves a command; commands are few and have no limit.
    pub(crate) fn command(&self, command: Command) {
        self.lock().parcels.push_back(Parcel::Command(command));
        self.ring();
    }

    /// Whether `from` may publish to this shard again; if not, it will be woken to ask again.
    pub(crate) fn room_for(&self, from: ShardId) -> bool {
        self.has_room(&mut self.lock(), from)
    }

    /// Whether another turn is wanted already.
    pub(crate) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::SeqCst)
    }

    /// The turn has begun: whoever rings from now on wants another one. `false` if nobody has, so that nothing has
    /// come.
    pub(crate) fn heard(&self) -> bool {
        self.rung.swap(false, Ordering::SeqCst)
    }

    /// Takes everything, in the order it came. The shards in `blocked` are to be woken.
    pub(crate) fn take(&self, parcels: &mut VecDeque<Parcel>, blocked: &mut Vec<ShardId>) {
        let mut waiting = self.lock();
        waiting.mail_bytes = 0;
        std::mem::swap(&mut waiting.parcels, parcels);
        std::mem::swap(&mut waiting.blocked, blocked);
    }

    /// Makes the shard take a turn. Cheap when it is about to anyway, or busy with another one.
    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.bell.notify_one();
        }
    }

    /// Completes when the bell is rung, or was rung since the last turn began. Whoever stops waiting says so by
    /// [`Self::awake`].
    pub(crate) async fn rung(&self) {
        loop {
            // Whoever rings later sees that the shard sleeps; whoever rang before is seen here.
            self.asleep.store(true, Ordering::SeqCst);
            if self.is_rung() {
                return;
            }
            self.bell.notified().await;
        }
    }

    /// The shard does not wait any more: ringing need not wake it.
    pub(crate) fn awake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    fn has_room(&self, waiting: &mut Waiting, from: ShardId) -> bool {
        if waiting.mail_bytes <= self.bytes_max.load(Ordering::Relaxed) {
            return true;
        }
        if !waiting.blocked.contains(&from) {
            waiting.blocked.push(from);
        }
        false
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing under the lock can panic halfway through a change.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
