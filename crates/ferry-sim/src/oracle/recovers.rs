//! A start finds everything that was durable, undamaged; and if something is damaged, it starts and says so.

use super::Oracle;
use crate::fact::Fact;
use crate::model::Model;

pub(super) struct Recovers;

impl Oracle for Recovers {
    fn property(&self) -> &'static str {
        "recovers"
    }

    fn observe(&mut self, _model: &Model, fact: &Fact<'_>) -> Result<(), String> {
        match fact {
            Fact::BadRecovery { what } => Err(what.clone()),
            _ => Ok(()),
        }
    }
}
