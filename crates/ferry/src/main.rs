//! Ferry: an MQTT broker.

fn main() {}
