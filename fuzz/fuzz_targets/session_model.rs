//! The sender of a session against its model; the same scripts as the property test of ferry-session.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/ferry-session/tests/session_model/model.rs"]
mod model;

fuzz_target!(|script: &[u8]| model::run(script));
