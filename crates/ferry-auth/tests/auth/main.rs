//! Who a client is, from values alone.

mod acl_file;
mod chain;
mod grants;
mod jwt;
mod managed_roles;
mod password_file;
mod password_hash;
mod rules_file;
mod scram;
