//! One shard of the broker as a pure state machine
