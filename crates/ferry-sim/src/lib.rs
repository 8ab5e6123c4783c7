//! Deterministic simulation of the broker's core
