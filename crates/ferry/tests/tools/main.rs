//! The commands that are clients, against Ferry and Mosquitto.

mod broker;
mod program;
mod test_formats;
mod test_record;
