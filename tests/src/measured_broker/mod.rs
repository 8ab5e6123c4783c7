//! Brokers whose memory and processor time are measured, in processes of their own.

mod broker_process;
mod contender;
mod process_figures;

pub use broker_process::BrokerProcess;
pub use contender::Contender;
pub use process_figures::ProcessFigures;
