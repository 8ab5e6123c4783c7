//! What a script says about a packet: values to send, or what is expected of them.

use crate::wire::{PacketKind, Value};

/// A packet in a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketPattern {
    /// Its kind.
    pub kind: PacketKind,
    /// Fields in the order written.
    pub fields: Vec<FieldPattern>,
    /// `!name`: fields that may not be there.
    pub absent: Vec<&'static str>,
}

/// A field in a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPattern {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub pattern: Pattern,
}

/// A value in a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// `7`, `text`, `"text"`, `name:value`
    Exactly(Value),
    /// `56..57`, both ends included.
    Range(u64, u64),
    /// `0x81|0x82`
    OneOf(Vec<u64>),
    /// `*`
    Any,
    /// `$name`: the value that the name has got before; in an expectation the first use gives it.
    Variable(String),
}
