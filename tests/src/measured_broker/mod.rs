//! Brokers whose memory and processor time are measured, in processes of their own.

mod broker_process;
mod contender;
mod open_files;
mod process_figures;

pub use broker_process::BrokerProcess;
pub use contender::Contender;
pub use open_files::raise_open_files;
pub use process_figures::ProcessFigures;
