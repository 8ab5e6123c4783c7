use crate::primitive::Reader;
use crate::property;

/// The subscription identifiers of a PUBLISH from a server: one for each matching subscription that has one
/// (section 3.3.2.3.8, `[MQTT-3.3.4-3]`). Each is 1 ..= 268,435,455.
#[derive(Clone, Copy)]
pub struct SubscriptionIds<'a> {
    source: Source<'a>,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    /// Well-formed properties of a received packet; others may lie between the identifiers.
    Section(&'a [u8]),
    List(&'a [u32]),
}

impl<'a> SubscriptionIds<'a> {
    /// No identifiers.
    pub const EMPTY: SubscriptionIds<'static> = SubscriptionIds { source: Source::List(&[]) };

    /// For a packet to send. Precondition: each is 1 ..= 268,435,455.
    #[must_use]
    pub const fn from_slice(ids: &'a [u32]) -> Self {
        Self { source: Source::List(ids) }
    }

    /// Precondition: `section` was validated.
    pub(crate) const fn from_validated(section: &'a [u8]) -> Self {
        Self { source: Source::Section(section) }
    }

    /// In the order of the packet.
    #[must_use]
    pub fn iter(&self) -> SubscriptionIdsIter<'a> {
        SubscriptionIdsIter { rest: self.source }
    }

    /// No identifiers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl Default for SubscriptionIds<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl PartialEq for SubscriptionIds<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for SubscriptionIds<'_> {}

impl std::fmt::Debug for SubscriptionIds<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for SubscriptionIds<'a> {
    type Item = u32;
    type IntoIter = SubscriptionIdsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Made by [`SubscriptionIds::iter`].
#[derive(Clone)]
pub struct SubscriptionIdsIter<'a> {
    rest: Source<'a>,
}

impl Iterator for SubscriptionIdsIter<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        match &mut self.rest {
            Source::List(ids) => {
                let (first, rest) = ids.split_first()?;
                *ids = rest;
                Some(*first)
            }
            Source::Section(section) => {
                let mut reader = Reader::new(section);
                // The section was validated, so the only error left is its end.
                while let Ok(identifier) = reader.byte() {
                    if identifier == property::SUBSCRIPTION_IDENTIFIER {
                        let id = reader.variable_byte_integer().ok()?;
                        *section = reader.rest();
                        return Some(id);
                    }
                    property::skip_value(&mut reader, identifier).ok()?;
                }
                *section = &[];
                None
            }
        }
    }
}
