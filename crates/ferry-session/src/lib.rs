//! MQTT session state machines, without input, output or a clock
