use crate::{DecodeError, MessageProperties};

/// The forwardable properties of a message, encoded: what a queue or a store keeps of them.
///
/// Holds the payload format indicator, content type, response topic, correlation data and user properties.
/// Not the expiry (its owner keeps a deadline instead), no topic alias and no subscription identifiers.
/// Without properties it allocates nothing, and is a pointer: most messages have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StoredProperties(Option<Box<Box<[u8]>>>);

impl StoredProperties {
    /// Copies what is forwarded; `message_expiry_interval` is left out.
    #[must_use]
    pub fn new(properties: &MessageProperties<'_>) -> Self {
        let forwarded = MessageProperties { message_expiry_interval: None, ..*properties };
        if forwarded.is_empty() {
            return Self::default();
        }
        let mut encoded = Vec::new();
        forwarded.encode_into(&mut encoded);
        Self::of(encoded.into_boxed_slice())
    }

    /// Takes back what [`as_bytes`](Self::as_bytes) gave, such as from a store.
    ///
    /// # Errors
    /// The bytes are not well-formed properties of a message.
    pub fn from_bytes(bytes: Box<[u8]>) -> Result<Self, DecodeError> {
        MessageProperties::decode(&bytes)?;
        Ok(Self::of(bytes))
    }

    /// The encoded properties, without a length in front.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], |bytes| bytes)
    }

    /// The properties again; their expiry is absent.
    #[must_use]
    pub fn properties(&self) -> MessageProperties<'_> {
        // Both constructors make or check well-formed bytes.
        let properties = MessageProperties::decode(self.as_bytes()).unwrap_or_default();
        MessageProperties { message_expiry_interval: None, ..properties }
    }

    /// No properties.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    fn of(bytes: Box<[u8]>) -> Self {
        Self((!bytes.is_empty()).then(|| Box::new(bytes)))
    }
}
