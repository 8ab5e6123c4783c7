use ferry_router::FilterId;
use smallvec::SmallVec;

/// What one session has subscribed to. What it asked for with each filter is kept where the filters are matched, and
/// so is the text of those that are not shared.
///
/// Sorted vectors: most sessions have one filter or a few, and then that is the smallest thing there is.
#[derive(Debug, Default)]
pub(crate) struct FilterSet {
    plain: SmallVec<[Plain; 1]>,
    #[expect(clippy::box_collection, reason = "most sessions have no shared subscription")]
    shared: Option<Box<Vec<Shared>>>,
    /// The last number given to a subscription.
    last_number: u64,
}

/// One of the session's subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubscribedFilter<'a> {
    /// As the router knows it.
    Plain(FilterId),
    /// As the client wrote it, with its `$share/group/`.
    Shared(&'a str),
}

/// In twelve bytes.
#[derive(Clone, Copy, Debug)]
struct Plain {
    filter: FilterId,
    number: [u32; 2],
}

#[derive(Debug)]
struct Shared {
    filter: Box<str>,
    number: u64,
}

impl FilterSet {
    pub(crate) fn len(&self) -> usize {
        self.plain.len() + self.shared_filters().len()
    }

    pub(crate) fn contains(&self, filter: SubscribedFilter<'_>) -> bool {
        match filter {
            SubscribedFilter::Plain(id) => self.plain_position(id).is_ok(),
            SubscribedFilter::Shared(filter) => self.shared_position(filter).is_ok(),
        }
    }

    /// The number of the subscription to `filter`, by which the store knows it: a new one, or the one it has.
    pub(crate) fn insert(&mut self, filter: SubscribedFilter<'_>) -> u64 {
        let next = self.last_number + 1;
        let number = self.insert_numbered(filter, next);
        self.last_number = self.last_number.max(number);
        number
    }

    /// Takes back a subscription from the store. False if the filter is there already.
    pub(crate) fn restore(&mut self, filter: SubscribedFilter<'_>, number: u64) -> bool {
        if self.contains(filter) {
            return false;
        }
        self.insert_numbered(filter, number);
        self.last_number = self.last_number.max(number);
        true
    }

    /// The number of the subscription, if there was one.
    pub(crate) fn remove(&mut self, filter: SubscribedFilter<'_>) -> Option<u64> {
        match filter {
            SubscribedFilter::Plain(id) => {
                let position = self.plain_position(id).ok()?;
                Some(self.plain.remove(position).number())
            }
            SubscribedFilter::Shared(filter) => {
                let position = self.shared_position(filter).ok()?;
                Some(self.shared.as_mut()?.remove(position).number)
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = SubscribedFilter<'_>> {
        let plain = self.plain.iter().map(|plain| SubscribedFilter::Plain(plain.filter));
        plain.chain(self.shared().map(SubscribedFilter::Shared))
    }

    /// The shared subscriptions, as the client wrote them.
    pub(crate) fn shared(&self) -> impl Iterator<Item = &str> {
        self.shared_filters().iter().map(|shared| &*shared.filter)
    }

    fn shared_filters(&self) -> &[Shared] {
        self.shared.as_deref().map_or(&[], Vec::as_slice)
    }

    /// The number that the subscription has, which is `number` if it is new.
    fn insert_numbered(&mut self, filter: SubscribedFilter<'_>, number: u64) -> u64 {
        match filter {
            SubscribedFilter::Plain(filter) => match self.plain_position(filter) {
                Ok(position) => self.plain[position].number(),
                Err(position) => {
                    self.plain.insert(position, Plain::new(filter, number));
                    number
                }
            },
            SubscribedFilter::Shared(filter) => match self.shared_position(filter) {
                Ok(position) => self.shared_filters()[position].number,
                Err(position) => {
                    let shared = Shared { filter: filter.into(), number };
                    self.shared.get_or_insert_default().insert(position, shared);
                    number
                }
            },
        }
    }

    fn plain_position(&self, filter: FilterId) -> Result<usize, usize> {
        self.plain.binary_search_by_key(&filter, |plain| plain.filter)
    }

    /// Compared character by character [MQTT-3.10.4-1].
    fn shared_position(&self, filter: &str) -> Result<usize, usize> {
        self.shared_filters().binary_search_by(|other| (*other.filter).cmp(filter))
    }
}

impl Plain {
    fn new(filter: FilterId, number: u64) -> Self {
        Self { filter, number: [(number >> 32) as u32, number as u32] }
    }

    fn number(self) -> u64 {
        u64::from(self.number[0]) << 32 | u64::from(self.number[1])
    }
}

#[cfg(test)]
mod tests {
    use ferry_router::SubscriptionTrie;

    use super::*;

    #[test]
    fn each_filter_is_there_once() {
        let mut trie = SubscriptionTrie::new(1);
        let [b, c] = ["b", "c/+"].map(|filter| SubscribedFilter::Plain(trie.subscribe(filter, 0, ()).filter));
        let [d, shared] = ["$share/g/d", "$share/g/b"].map(SubscribedFilter::Shared);
        let mut filters = FilterSet::default();
        assert_eq!((filters.insert(b), filters.insert(shared), filters.insert(b)), (1, 2, 1));
        assert!(filters.iter().eq([b, shared]));
        assert!(filters.contains(b) && !filters.contains(d));
        assert_eq!((filters.remove(b), filters.remove(b)), (Some(1), None));
        assert_eq!((filters.len(), filters.insert(b)), (1, 3));
        assert!(filters.restore(c, 1 << 40) && !filters.restore(c, 10));
        assert_eq!((filters.insert(d), filters.insert(c)), ((1 << 40) + 1, 1 << 40));
        assert_eq!((filters.remove(shared), filters.len()), (Some(2), 3));
    }
}
