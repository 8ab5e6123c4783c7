//! The real `ferry` binary with every kind of listener, its log and its memory watched.

mod certificates;
mod process;
mod scratch_directory;

pub use certificates::Certificates;
pub use process::{Ferry, Transport};
pub use scratch_directory::ScratchDirectory;
