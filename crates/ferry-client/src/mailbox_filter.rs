use ferry_codec::topic::{has_wildcard, matches, parse_shared};

/// A filter of a stream, prepared for the topics of all messages that come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MailboxFilter {
    /// Without `$share/group/`.
    filter: String,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// A topic name.
    Exact,
    /// `#` is its last level, and its only wildcard.
    Below,
    /// Any other.
    Pattern,
}

impl MailboxFilter {
    pub(crate) fn new(filter: &str) -> Self {
        let filter = match parse_shared(filter) {
            Ok(Some(shared)) => shared.filter,
            _ => filter,
        };
        let is_below = filter.strip_suffix("/#").is_some_and(|parent| !has_wildcard(parent));
        let kind = match (has_wildcard(filter), is_below) {
            (false, _) => Kind::Exact,
            (true, true) => Kind::Below,
            (true, false) => Kind::Pattern,
        };
        Self { filter: filter.to_owned(), kind }
    }

    pub(crate) fn matches(&self, topic: &str) -> bool {
        let filter = self.filter.as_str();
        match self.kind {
            Kind::Exact => filter == topic,
            Kind::Below => {
                // [MQTT-4.7.1-1], [MQTT3-4.7.1-2]: also the parent itself.
                let rest = filter.strip_suffix("/#").and_then(|parent| topic.strip_prefix(parent));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Kind::Pattern => matches(filter, topic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [MQTT-4.7.1-1], [MQTT-4.7.2-1], [MQTT3-4.7.1-2], [MQTT3-4.7.2-1]
    #[test]
    fn it_matches_what_the_reference_matches() {
        let filters =
            ["a", "a/b", "a/#", "a/b/#", "/#", "#", "+", "+/#", "a/+", "a/+/c", "a/+/#", "$SYS/#", "/"];
        let topics = ["a", "a/", "a/b", "a/b/c", "ab", "ab/c", "/", "/a", "", "$SYS", "$SYS/x", "b", "a//"];
        for filter in filters {
            for topic in topics {
                assert_eq!(
                    MailboxFilter::new(filter).matches(topic),
                    matches(filter, topic),
                    "{filter} {topic}"
                );
            }
        }
        assert_eq!(MailboxFilter::new("$share/group/a/#"), MailboxFilter::new("a/#"));
    }
}
