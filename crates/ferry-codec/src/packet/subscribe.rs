use crate::encode::{Body, Properties, Sink, first_byte};
use crate::fault::{self, Decoded};
use crate::primitive::Reader;
use crate::property::{self, Property, PropertyReader, PropertySection};
use crate::{DecodeLimits, PacketId, ProtocolVersion, SubscriptionOptions, UserProperties, frame, topic};

/// SUBSCRIBE: at least one topic filter with its options `[MQTT-3.8.3-2]` (section 3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// Comes back in SUBACK.
    pub packet_id: PacketId,
    /// 5.0 only; 1 ..= 268,435,455.
    pub subscription_id: Option<u32>,
    /// Meaning not defined by the standard.
    pub user_properties: UserProperties<'a>,
    /// Never empty.
    pub filters: SubscribeFilters<'a>,
}

/// One topic filter of a SUBSCRIBE, with what the client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscribeFilter<'a> {
    /// A valid topic filter, perhaps a shared one (`$share/group/filter`).
    pub filter: &'a str,
    /// In 3.x only the QoS can differ from the default.
    pub options: SubscriptionOptions,
}

/// The validated payload of a SUBSCRIBE.
#[derive(Clone, Copy, Default)]
pub struct SubscribeFilters<'a> {
    payload: &'a [u8],
    len: usize,
    /// Bits of the options byte that mean something: in 3.1 the others are not used and may be anything.
    options_mask: u8,
}

impl<'a> SubscribeFilters<'a> {
    /// Precondition: `payload` is `len` pairs of string and byte, which under `options_mask` is valid options.
    pub(crate) const fn from_validated(payload: &'a [u8], len: usize, options_mask: u8) -> Self {
        Self { payload, len, options_mask }
    }

    /// In the order of the packet, which is the order of the SUBACK's reason codes.
    #[must_use]
    pub fn iter(&self) -> SubscribeFiltersIter<'a> {
        SubscribeFiltersIter { rest: Reader::new(self.payload), options_mask: self.options_mask }
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

impl PartialEq for SubscribeFilters<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl Eq for SubscribeFilters<'_> {}

impl std::fmt::Debug for SubscribeFilters<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for SubscribeFilters<'a> {
    type Item = SubscribeFilter<'a>;
    type IntoIter = SubscribeFiltersIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Made by [`SubscribeFilters::iter`].
#[derive(Clone, Debug)]
pub struct SubscribeFiltersIter<'a> {
    rest: Reader<'a>,
    options_mask: u8,
}

impl<'a> Iterator for SubscribeFiltersIter<'a> {
    type Item = SubscribeFilter<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        // The payload was validated, so the only error left is its end.
        let filter = self.rest.string(false).ok()?;
        let options = SubscriptionOptions::from_byte(self.rest.byte().ok()? & self.options_mask)?;
        Some(SubscribeFilter { filter, options })
    }
}

/// The filters of a SUBSCRIBE under construction.
#[derive(Clone, Debug, Default)]
pub struct SubscribeFiltersBuf {
    payload: Vec<u8>,
    len: usize,
}

impl SubscribeFiltersBuf {
    /// Empty; allocates with the first filter.
    #[must_use]
    pub const fn new() -> Self {
        Self { payload: Vec::new(), len: 0 }
    }

    /// Appends a filter of at most 65,535 bytes; what is longer is cut.
    pub fn push(&mut self, filter: &str, options: SubscriptionOptions) {
        self.payload.put_string(filter);
        self.payload.put_byte(options.to_byte());
        self.len = self.len.saturating_add(1);
    }

    /// Borrows them for a packet.
    #[must_use]
    pub fn as_filters(&self) -> SubscribeFilters<'_> {
        SubscribeFilters::from_validated(&self.payload, self.len, u8::MAX)
    }
}

/// In 3.1 the other bits of the options are not used.
const OPTIONS_MASK_V31: u8 = 0x03;

impl<'a> Subscribe<'a> {
    pub(crate) fn decode(
        mut body: Reader<'a>,
        version: ProtocolVersion,
        limits: &DecodeLimits,
    ) -> Decoded<Self> {
        let packet_id = body.packet_id()?;
        let mut subscription_id = None;
        let mut user_properties = UserProperties::EMPTY;
        if version == ProtocolVersion::V5 {
            let mut properties = PropertyReader::open(&mut body, PropertySection::Subscribe, limits)?;
            while let Some(property) = properties.next()? {
                if let Property::SubscriptionIdentifier(value) = property {
                    subscription_id = Some(value);
                }
            }
            user_properties = properties.user_properties();
        }
        let filters = SubscribeFilters::decode(body, version, limits)?;
        Ok(Self { packet_id, subscription_id, user_properties, filters })
    }
}

impl<'a> SubscribeFilters<'a> {
    fn decode(mut body: Reader<'a>, version: ProtocolVersion, limits: &DecodeLimits) -> Decoded<Self> {
        // [MQTT-3.8.3-2], U5-068.
        if body.is_empty() {
            return Err(&fault::SUBSCRIBE_EMPTY);
        }
        let payload = body.rest();
        let options_mask = if version == ProtocolVersion::V31 { OPTIONS_MASK_V31 } else { u8::MAX };
        let mut len = 0_usize;
        while !body.is_empty() {
            let filter = body.topic_filter(limits)?;
            let options = options(body.byte()? & options_mask, version)?;
            // [MQTT-3.8.3-4].
            if options.no_local && topic::parse_shared(filter).is_ok_and(|shared| shared.is_some()) {
                return Err(&fault::NO_LOCAL_SHARED);
            }
            len = len.saturating_add(1);
        }
        Ok(Self::from_validated(payload, len, options_mask))
    }
}

fn options(byte: u8, version: ProtocolVersion) -> Decoded<SubscriptionOptions> {
    let reserved = if version.is_v3() { 0xFC } else { 0xC0 };
    // [MQTT-3.8.3-5], [MQTT3-3.8.3-4].
    if byte & reserved != 0 {
        return Err(&fault::SUBSCRIPTION_OPTIONS_RESERVED);
    }
    // U5-069.
    if byte & 0x03 == 0x03 {
        return Err(&fault::SUBSCRIPTION_QOS_RESERVED);
    }
    // U5-070: what is left to be wrong.
    SubscriptionOptions::from_byte(byte).ok_or(&fault::RETAIN_HANDLING_RESERVED)
}

impl Body for Subscribe<'_> {
    fn first_byte(&self) -> u8 {
        first_byte(frame::SUBSCRIBE)
    }

    fn write(&self, version: ProtocolVersion, sink: &mut impl Sink) {
        sink.put_two_byte_integer(self.packet_id.get());
        if version == ProtocolVersion::V5 {
            sink.put_properties(self);
        }
        for SubscribeFilter { filter, options } in self.filters {
            sink.put_string(filter);
            sink.put_byte(if version.is_v3() { options.maximum_qos.to_byte() } else { options.to_byte() });
        }
    }
}

impl Properties for Subscribe<'_> {
    fn write_properties(&self, sink: &mut impl Sink) {
        if let Some(subscription_id) = self.subscription_id {
            sink.put_byte(property::SUBSCRIPTION_IDENTIFIER);
            sink.put_variable_byte_integer(subscription_id);
        }
        sink.put_user_properties(self.user_properties);
    }
}
