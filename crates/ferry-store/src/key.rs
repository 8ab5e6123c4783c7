use std::fmt;

/// Where one value is kept. Keys are numbers that the caller assigns, ordered by group, space and item.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What is deleted together: 0 for things of the broker, else one session.
    pub group: u64,
    /// Kind of thing within the group.
    pub space: u8,
    /// Number within the space, at most [`Key::ITEM_MAX`].
    pub item: u64,
}

impl Key {
    /// The greatest item: seven bytes, so that a key is packed into sixteen.
    pub const ITEM_MAX: u64 = (1 << 56) - 1;

    /// A key.
    ///
    /// # Panics
    /// If `item` is over [`Key::ITEM_MAX`].
    #[must_use]
    pub const fn new(group: u64, space: u8, item: u64) -> Self {
        assert!(item <= Self::ITEM_MAX, "an item has at most 56 bits");
        Self { group, space, item }
    }

    /// The first key that a group can have.
    pub(crate) const fn first_of(group: u64) -> Self {
        Self { group, space: 0, item: 0 }
    }

    /// The last key that a group can have.
    pub(crate) const fn last_of(group: u64) -> Self {
        Self { group, space: u8::MAX, item: Self::ITEM_MAX }
    }

    /// Space and item as one number, ordered like the two.
    pub(crate) const fn place(self) -> u64 {
        (self.space as u64) << 56 | (self.item & Self::ITEM_MAX)
    }

    pub(crate) const fn from_place(group: u64, place: u64) -> Self {
        Self { group, space: (place >> 56) as u8, item: place & Self::ITEM_MAX }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.group, self.space, self.item)
    }
}
