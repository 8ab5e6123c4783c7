//! The coordinator: what happens one after the other, and what it amounts to.

mod links;
mod series;
mod steps;

pub use steps::{Progress, run};
