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

/// One filter or several, as strings or with options.
pub trait IntoFilters {
    /// The filters, in their order.
    fn into_filters(self) -> Vec<Filter>;
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

impl<F: Into<Filter>> IntoFilters for Vec<F> {
    fn into_filters(self) -> Vec<Filter> {
        self.into_iter().map(Into::into).collect()
    }
}
