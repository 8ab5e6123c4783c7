use crate::encode::{Body, Properties, Sink, first_byte};
use crate::fault::{self, Decoded};
use crate::primitive::Reader;
use crate::property::{PropertyReader, PropertySection};
use crate::{DecodeLimits, PacketId, ProtocolVersion, UserProperties, frame};

/// UNSUBSCRIBE: at least one topic filter `[MQTT-3.10.3-2]` (section 3.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// Comes back in UNSUBACK.
    pub packet_id: PacketId,
    /// Meaning not defined by the standard.
    pub user_properties: UserProperties<'a>,
    /// Never empty.
    pub filters: UnsubscribeFilters<'a>,
}

/// The validated payload of an UNSUBSCRIBE.
#[derive(Clone, Copy, Default)]
pub struct UnsubscribeFilters<'a> {
    payload: &'a [u8],
    len: usize,
}

impl<'a> UnsubscribeFilters<'a> {
    /// Precondition: `payload` is `len` strings.
    pub(crate) const fn from_validated(payload: &'a [u8], len: usize) -> Self {
        Self { payload, len }
    }

    /// The bytes on the wire.
    pub(crate) const fn as_bytes(&self) -> &'a [u8] {
        self.payload
    }

    /// In the order of the packet, which is the order of the UNSUBACK's reason codes.
    #[must_use]
    pub fn iter(&self) -> UnsubscribeFiltersIter<'a> {
        UnsubscribeFiltersIter { rest: Reader::new(self.payload) }
    }

    /// How many filters there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Never true of a decoded packet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl PartialEq for UnsubscribeFilters<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.payload == other.payload
    }
}

impl Eq for UnsubscribeFilters<'_> {}

impl std::fmt::Debug for UnsubscribeFilters<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for UnsubscribeFilters<'a> {
    type Item = &'a str;
    type IntoIter = UnsubscribeFiltersIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Made by [`UnsubscribeFilters::iter`].
#[derive(Clone, Debug)]
pub struct UnsubscribeFiltersIter<'a> {
    rest: Reader<'a>,
}

impl<'a> Iterator for UnsubscribeFiltersIter<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        // The payload was validated, so the only error left is its end.
        self.rest.string(false).ok()
    }
}

/// The filters of an UNSUBSCRIBE under construction.
#[derive(Clone, Debug, Default)]
pub struct UnsubscribeFiltersBuf {
    payload: Vec<u8>,
    len: usize,
}

impl UnsubscribeFiltersBuf {
    /// Empty; allocates with the first filter.
    #[must_use]
    pub const fn new() -> Self {
        Self { payload: Vec::new(), len: 0 }
    }

    /// Appends a filter of at most 65,535 bytes; what is longer is cut.
    pub fn push(&mut self, filter: &str) {
        self.payload.put_string(filter);
        self.len = self.len.saturating_add(1);
    }

    /// Borrows them for a packet.
    #[must_use]
    pub fn as_filters(&self) -> UnsubscribeFilters<'_> {
        UnsubscribeFilters::from_validated(&self.payload, self.len)
    }
}

impl<'a> Unsubscribe<'a> {
    pub(crate) fn decode(
        mut body: Reader<'a>,
        version: ProtocolVersion,
        limits: &DecodeLimits,
    ) -> Decoded<Self> {
        let packet_id = body.packet_id()?;
        let mut user_properties = UserProperties::EMPTY;
        if version == ProtocolVersion::V5 {
            let mut properties = PropertyReader::open(&mut body, PropertySection::Unsubscribe, limits)?;
            // Only user properties are allowed, and the reader keeps those itself.
            while properties.next()?.is_some() {}
            user_properties = properties.user_properties();
        }
        // [MQTT-3.10.3-2], U5-072.
        if body.is_empty() {
            return Err(&fault::UNSUBSCRIBE_EMPTY);
        }
        let payload = body.rest();
        let mut len = 0_usize;
        while !body.is_empty() {
            // [MQTT-3.10.3-1].
            body.topic_filter(limits)?;
            len = len.saturating_add(1);
        }
        Ok(Self { packet_id, user_properties, filters: UnsubscribeFilters::from_validated(payload, len) })
    }
}

impl Body for Unsubscribe<'_> {
    fn first_byte(&self) -> u8 {
        first_byte(frame::UNSUBSCRIBE)
    }

    fn write(&self, version: ProtocolVersion, sink: &mut impl Sink) {
        sink.put_two_byte_integer(self.packet_id.get());
        if version == ProtocolVersion::V5 {
            sink.put_properties(self);
        }
        sink.put_bytes(self.filters.as_bytes());
    }
}

impl Properties for Unsubscribe<'_> {
    fn write_properties(&self, sink: &mut impl Sink) {
        sink.put_user_properties(self.user_properties);
    }
}
