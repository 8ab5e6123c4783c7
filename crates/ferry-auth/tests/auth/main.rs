//! Who a client is, from values alone.

mod chain;
mod password_file;
mod password_hash;
