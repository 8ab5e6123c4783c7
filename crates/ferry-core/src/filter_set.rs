/// The Topic Filters one session has subscribed to, as the client wrote them. What it asked for with each is kept
/// where the filters are matched.
///
/// A sorted vector: most sessions have a few filters, and then it is the smallest thing there is.
#[derive(Debug, Default)]
pub(crate) struct FilterSet {
    filters: Vec<Box<str>>,
}

impl FilterSet {
    pub(crate) fn len(&self) -> usize {
        self.filters.len()
    }

    pub(crate) fn contains(&self, filter: &str) -> bool {
        self.position(filter).is_ok()
    }

    /// Whether it is new.
    pub(crate) fn insert(&mut self, filter: &str) -> bool {
        match self.position(filter) {
            Ok(_) => false,
            Err(position) => {
                self.filters.insert(position, filter.into());
                true
            }
        }
    }

    /// Whether it was there. Compared character by character [MQTT-3.10.4-1].
    pub(crate) fn remove(&mut self, filter: &str) -> bool {
        let Ok(position) = self.position(filter) else { return false };
        self.filters.remove(position);
        true
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.filters.iter().map(|filter| &**filter)
    }

    fn position(&self, filter: &str) -> Result<usize, usize> {
        self.filters.binary_search_by(|other| (**other).cmp(filter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_is_there_once() {
        let mut filters = FilterSet::default();
        assert!(filters.insert("b") && filters.insert("a/#") && !filters.insert("b"));
        assert_eq!(filters.iter().collect::<Vec<_>>(), ["a/#", "b"]);
        assert!(filters.contains("b") && filters.remove("b") && !filters.remove("b"));
        assert_eq!(filters.len(), 1);
    }
}
