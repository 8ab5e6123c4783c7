//! The session as scripts of packets: what the server says, what the client answers, what its owner is told.

mod rig;
mod test_auth;
mod test_connect;
mod test_disconnect;
mod test_invalid_value;
mod test_large;
mod test_publish;
mod test_receive;
mod test_resume;
#[cfg(feature = "scram")]
mod test_scram;
mod test_subscribe;
