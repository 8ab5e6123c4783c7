//! Who a client is, from values alone.

mod password_file;
mod password_hash;
