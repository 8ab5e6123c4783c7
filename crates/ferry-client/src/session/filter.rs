use ferry_codec::{QoS, RetainHandling, SubscriptionOptions};

/// A topic filter with its options.
///
/// A mere string asks for QoS 1 at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// `a/+/b`, `a/#`, `$share/group/a/#`
    pub filter: String,
    /// All but the QoS is for 5.0 only.
    pub options: SubscriptionOptions,
}

impl Filter {
    /// With QoS 1 at most, and retained messages at each subscription.
    #[must_use]
    pub fn new(filter: impl Into<String>) -> Self {
        Self { filter: filter.into(), options: SubscriptionOptions::with_qos(QoS::AtLeastOnce) }
    }

    /// Sets the highest QoS wanted.
    #[must_use]
    pub fn qos(mut self, maximum_qos: QoS) -> Self {
        self.options.maximum_qos = maximum_qos;
        self
    }

    /// Whether not to get what this client publishes itself.
    #[must_use]
    pub fn no_local(mut self, no_local: bool) -> Self {
        self.options.no_local = no_local;
        self
    }

    /// Whether messages keep the RETAIN flag with which they were published.
    #[must_use]
    pub fn retain_as_published(mut self, retain_as_published: bool) -> Self {
        self.options.retain_as_published = retain_as_published;
        self
    }

    /// Sets when retained messages are sent.
    #[must_use]
    pub fn retain_handling(mut self, retain_handling: RetainHandling) -> Self {
        self.options.retain_handling = retain_handling;
        self
    }
}

impl From<&str> for Filter {
    fn from(filter: &str) -> Self {
        Self::new(filter)
    }
}

impl From<String> for Filter {
    fn from(filter: String) -> Self {
        Self::new(filter)
    }
}

impl From<&String> for Filter {
    fn from(filter: &String) -> Self {
        Self::new(filter)
    }
}

/// With a QoS, as others write it.
impl<F: Into<String>> From<(F, QoS)> for Filter {
    fn from((filter, maximum_qos): (F, QoS)) -> Self {
        Self::new(filter).qos(maximum_qos)
    }
}

/// One filter or several, as strings or with options; `()` is none.
pub trait IntoFilters: Sized {
    /// The filters, in their order.
    fn into_filters(self) -> Vec<Filter>;

    /// The filters without their options.
    fn into_names(self) -> Vec<String> {
        self.into_filters().into_iter().map(|filter| filter.filter).collect()
    }
}

impl IntoFilters for () {
    fn into_filters(self) -> Vec<Filter> {
        Vec::new()
    }
}

impl IntoFilters for &str {
    fn into_filters(self) -> Vec<Filter> {
        vec![self.into()]
    }
}

impl IntoFilters for String {
    fn into_filters(self) -> Vec<Filter> {
        vec![self.into()]
    }
}

impl IntoFilters for &String {
    fn into_filters(self) -> Vec<Filter> {
        vec![self.into()]
    }
}

impl<F: Into<String>> IntoFilters for (F, QoS) {
    fn into_filters(self) -> Vec<Filter> {
        vec![self.into()]
    }
}

impl IntoFilters for Filter {
    fn into_filters(self) -> Vec<Filter> {
        vec![self]
    }
}

impl<F: Into<Filter>, const N: usize> IntoFilters for [F; N] {
    fn into_filters(self) -> Vec<Filter> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<F: Into<Filter> + Clone> IntoFilters for &[F] {
    fn into_filters(self) -> Vec<Filter> {
        self.iter().cloned().map(Into::into).collect()
    }
}

impl<F: Into<Filter>> IntoFilters for Vec<F> {
    fn into_filters(self) -> Vec<Filter> {
        self.into_iter().map(Into::into).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_written_as_it_comes() {
        let (owned, several) = ("a".to_owned(), ["a".to_owned(), "b".to_owned()]);
        for names in [
            "a".into_names(),
            (&owned).into_names(),
            owned.clone().into_names(),
            ("a", QoS::AtMostOnce).into_names(),
            (owned, QoS::AtMostOnce).into_names(),
            Filter::new("a").no_local(true).into_names(),
        ] {
            assert_eq!(names, ["a"]);
        }
        for names in [
            ["a", "b"].into_names(),
            [("a", QoS::AtMostOnce), ("b", QoS::ExactlyOnce)].into_names(),
            several[..].into_names(),
            several.each_ref().into_names(),
            several.to_vec().into_names(),
            several.iter().collect::<Vec<_>>().into_names(),
        ] {
            assert_eq!(names, ["a", "b"]);
        }
        assert!(().into_names().is_empty());
    }
}
