//! What is recorded, as entries of a store, and back again: pure, without a store.
//!
//! ```text
//!   Effects::records --- Writer ---> entries (key, value) ---> store
//!   Shard::restore <--- Restorer <--- entries, in order of keys <--- store
//!   Event::Loaded  <--------------- values of Effects::load <------- store
//! ```
//!
//! Keys are numbers: group 0 is the broker's, with the retained messages and the bodies that several sessions share;
//! every other group is one session. Values begin with a version byte. Whatever the bytes of a value are, reading
//! them back does not fail worse than by saying so.

mod copy_value;
mod draft;
mod entry;
mod forwarded;
mod input;
mod message_value;
mod output;
mod restored;
mod restored_session;
mod restorer;
mod session_value;
mod value;
mod writer;

pub(crate) use copy_value::read_copy;
use copy_value::{CopyBody, CopyValue};
pub use entry::{EntryKey, EntrySink, Space};
pub use forwarded::Forwarded;
pub use restored::{Flaw, RestoreReport, Restored};
pub use restored_session::RestoredSession;
pub(crate) use restored_session::{RestoredCopy, RestoredExchange};
pub use restorer::Restorer;
pub use value::{QueuedValue, Value};
pub use writer::Writer;

/// The first byte of every value.
const VERSION: u8 = 1;
