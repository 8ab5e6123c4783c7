//! What clients get is well-formed, expected, and unaltered.

use super::Oracle;
use crate::fact::Fact;
use crate::model::Model;

pub(super) struct WellFormed;

impl Oracle for WellFormed {
    fn property(&self) -> &'static str {
        "well formed"
    }

    fn observe(&mut self, _model: &Model, fact: &Fact<'_>) -> Result<(), String> {
        match fact {
            Fact::Misbehaved { client, what } => Err(format!("client {client}: {what}")),
            Fact::Standstill { what } => Err(format!("the broker makes no progress: {what} again and again")),
            _ => Ok(()),
        }
    }
}
