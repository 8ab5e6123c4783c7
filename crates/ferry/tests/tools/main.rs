//! The commands that are clients, against Ferry and Mosquitto.

mod broker;
#[cfg(feature = "kerberos")]
mod kdc;
mod mosquitto_options;
mod program;
mod served;
mod terminal;
mod test_ctl;
mod test_ctl_access;
mod test_ctl_delete;
mod test_formats;
#[cfg(feature = "kerberos")]
mod test_kerberos;
mod test_manual;
mod test_options;
#[cfg(feature = "psk")]
mod test_psk;
mod test_publish;
mod test_queued;
mod test_record;
mod test_srv;
mod test_store;
mod test_tls;
mod test_top;
mod test_words;
