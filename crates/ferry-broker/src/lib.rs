//! The broker: driver, configuration, lifecycle

pub mod config;
