//! Clients that mean harm, on real sockets, against the `ferry` binary. What an attacker gets is stated in each test;
//! meanwhile another client must be served, memory must stay bounded, and the broker must have counted what it did.

mod abuse;
mod arena;
mod attacker;
mod bystander;
mod cut;
mod exhaustion;
mod figures;
mod flood;
mod garbage;
mod link;
mod malformed;
mod packet;
mod random_bytes;
mod size;
mod slow_reader;
mod slow_sender;
mod web_socket;
