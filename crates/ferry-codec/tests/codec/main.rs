//! The tests of the codec, all in one program.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod arbitrary;
mod byte_vectors;
mod fields;
mod limits;
mod properties;
mod topics;
mod vectors;
