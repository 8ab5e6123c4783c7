/// The Topic Filters one session has subscribed to, as the client wrote them. What it asked for with each is kept
/// where the filters are matched.
///
/// A sorted vector: most sessions have a few filters, and then it is the smallest thing there is.
#[derive(Debug, Default)]
pub(crate) struct FilterSet {
    filters: Vec<(Box<str>, u64)>,
    /// The last number given to a subscription.
    last_number: u64,
}

impl FilterSet {
    pub(crate) fn len(&self) -> usize {
        self.filters.len()
    }

    pub(crate) fn contains(&self, filter: &str) -> bool {
        self.position(filter).is_ok()
    }

    /// The number of the subscription to `filter`, by which the store knows it: a new one, or the one it has.
    pub(crate) fn insert(&mut self, filter: &str) -> u64 {
        match self.position(filter) {
            Ok(position) => self.filters[position].1,
            Err(position) => {
                self.last_number += 1;
                self.filters.insert(position, (filter.into(), self.last_number));
                self.last_number
            }
        }
    }

    /// Takes back a subscription from the store. False if the filter is there already.
    pub(crate) fn restore(&mut self, filter: &str, number: u64) -> bool {
        let Err(position) = self.position(filter) else { return false };
        self.filters.insert(position, (filter.into(), number));
        self.last_number = self.last_number.max(number);
        true
    }

    /// The number of the subscription, if there was one. Compared character by character [MQTT-3.10.4-1].
    pub(crate) fn remove(&mut self, filter: &str) -> Option<u64> {
        let position = self.position(filter).ok()?;
        Some(self.filters.remove(position).1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.filters.iter().map(|(filter, _)| &**filter)
    }

    fn position(&self, filter: &str) -> Result<usize, usize> {
        self.filters.binary_search_by(|(other, _)| (**other).cmp(filter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_is_there_once() {
        let mut filters = FilterSet::default();
        assert_eq!((filters.insert("b"), filters.insert("a/#"), filters.insert("b")), (1, 2, 1));
        assert_eq!(filters.iter().collect::<Vec<_>>(), ["a/#", "b"]);
        assert!(filters.contains("b"));
        assert_eq!((filters.remove("b"), filters.remove("b")), (Some(1), None));
        assert_eq!((filters.len(), filters.insert("b")), (1, 3));
        assert!(filters.restore("c", 9) && !filters.restore("c", 10));
        assert_eq!(filters.insert("d"), 10);
    }
}
