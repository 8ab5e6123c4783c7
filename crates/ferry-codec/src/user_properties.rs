use crate::encode::Sink;
use crate::primitive::Reader;
use crate::property;

/// The user properties of a packet, in their order, duplicates included (section 3.3.2.3.7).
///
/// Borrows the part of the packet that holds them; nothing is copied until [`iter`](Self::iter) is called.
#[derive(Clone, Copy, Default)]
pub struct UserProperties<'a> {
    /// Well-formed properties from the first user property to the last; others may lie between them.
    section: &'a [u8],
    count: u32,
    /// Bytes that the user properties alone have on the wire.
    encoded_length: u32,
}

impl<'a> UserProperties<'a> {
    /// No user properties.
    pub const EMPTY: UserProperties<'static> = UserProperties { section: &[], count: 0, encoded_length: 0 };

    /// Precondition: `section` was validated, starts and ends with a user property, and `count` and
    /// `encoded_length` describe the user properties in it.
    pub(crate) const fn from_validated(section: &'a [u8], count: u32, encoded_length: u32) -> Self {
        Self { section, count, encoded_length }
    }

    /// Names and values in the order of the packet.
    #[must_use]
    pub fn iter(&self) -> UserPropertiesIter<'a> {
        UserPropertiesIter { rest: Reader::new(self.section) }
    }

    /// No user properties.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many pairs there are.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Bytes on the wire, identifiers included.
    #[must_use]
    pub const fn encoded_length(&self) -> usize {
        self.encoded_length as usize
    }

    /// The properties as they are on the wire, if nothing lies between them.
    pub(crate) fn as_contiguous(&self) -> Option<&'a [u8]> {
        (self.section.len() == self.encoded_length()).then_some(self.section)
    }
}

impl PartialEq for UserProperties<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.iter().eq(other.iter())
    }
}

impl Eq for UserProperties<'_> {}

impl std::fmt::Debug for UserProperties<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for UserProperties<'a> {
    type Item = (&'a str, &'a str);
    type IntoIter = UserPropertiesIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Names and values; made by [`UserProperties::iter`].
#[derive(Clone, Debug)]
pub struct UserPropertiesIter<'a> {
    rest: Reader<'a>,
}

impl<'a> Iterator for UserPropertiesIter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        // The section was validated, so the only error left is its end.
        while let Ok(identifier) = self.rest.byte() {
            if identifier == property::USER_PROPERTY {
                let name = self.rest.string(false).ok()?;
                let value = self.rest.string(false).ok()?;
                return Some((name, value));
            }
            property::skip_value(&mut self.rest, identifier).ok()?;
        }
        None
    }
}

/// User properties under construction, for packets of our own.
#[derive(Clone, Debug, Default)]
pub struct UserPropertiesBuf {
    encoded: Vec<u8>,
    count: u32,
}

impl UserPropertiesBuf {
    /// Empty; allocates with the first pair.
    #[must_use]
    pub const fn new() -> Self {
        Self { encoded: Vec::new(), count: 0 }
    }

    /// Appends a pair. Name and value are at most 65,535 bytes each; what is longer is cut.
    ///
    /// Precondition: U+0000 is in neither `[MQTT-1.5.4-2]`. It is not looked for here: who has the text from outside
    /// has to, for a packet with it is refused by its receiver, and [`UserProperties::iter`] ends at that pair.
    pub fn push(&mut self, name: &str, value: &str) {
        self.encoded.put_byte(property::USER_PROPERTY);
        self.encoded.put_string(name);
        self.encoded.put_string(value);
        self.count = self.count.saturating_add(1);
    }

    /// Borrows them for a packet.
    #[must_use]
    pub fn as_user_properties(&self) -> UserProperties<'_> {
        let encoded_length = u32::try_from(self.encoded.len()).unwrap_or(u32::MAX);
        UserProperties::from_validated(&self.encoded, self.count, encoded_length)
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for UserPropertiesBuf {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        let mut properties = Self::new();
        for (name, value) in pairs {
            properties.push(name, value);
        }
        properties
    }
}
