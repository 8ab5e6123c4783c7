//! The broker: driver, configuration, lifecycle
