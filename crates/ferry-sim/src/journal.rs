//! Every message of a simulation.

use ferry_codec::QoS;

/// A message of the simulation, numbered in the order in which clients made them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct MessageId(pub(crate) u32);

/// A message as its publisher made it.
pub(crate) struct Authored {
    pub(crate) publisher: usize,
    pub(crate) topic: String,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) expiry_seconds: Option<u32>,
    pub(crate) is_will: bool,
    pub(crate) payload: Vec<u8>,
}

/// All messages. The payload of each begins with its number, so that it is recognised wherever it turns up.
#[derive(Default)]
pub(crate) struct Journal {
    messages: Vec<Authored>,
}

impl Journal {
    /// Enters a message; its payload becomes its number followed by `padding_bytes`.
    pub(crate) fn enter(&mut self, mut message: Authored, padding_bytes: usize) -> MessageId {
        let id = MessageId(self.messages.len() as u32);
        message.payload = format!("{} {}", id.0, "x".repeat(padding_bytes)).into_bytes();
        self.messages.push(message);
        id
    }

    pub(crate) fn get(&self, id: MessageId) -> &Authored {
        &self.messages[id.0 as usize]
    }

    /// The message with this payload; `None` for an empty one, which only clears a retained message.
    pub(crate) fn identify(&self, payload: &[u8]) -> Option<MessageId> {
        let digits = payload.split(|&byte| byte == b' ').next()?;
        let number: u32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        self.messages
            .get(number as usize)
            .filter(|message| message.payload == payload)
            .map(|_| MessageId(number))
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }
}
