//! `$SYS/broker/...`: what Mosquitto's users know, and what was dropped and refused, by reason.

mod figures;
mod load_average;
mod presence;
mod publisher;
mod topics;

pub(crate) use figures::{Figures, Totals};
pub(crate) use presence::{presence_payload, presence_topic};
pub(crate) use publisher::{SysTopicsSetup, publish_sys_topics};
