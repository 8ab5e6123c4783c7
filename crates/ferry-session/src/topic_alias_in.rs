use ferry_codec::ReasonCode;

/// The Topic Aliases that the peer has defined on this connection (section 3.3.2.3.4). A new connection begins
/// with a new table `[MQTT-3.3.2-7]`.
#[derive(Debug, Default)]
pub struct TopicAliasIn {
    /// Alias 1 is at 0. As long as the highest alias in use.
    topics: Vec<Option<Box<str>>>,
    topic_alias_maximum: u16,
}

impl TopicAliasIn {
    /// `topic_alias_maximum` is what the peer was told; 0: it may use none. Allocates nothing.
    #[must_use]
    pub const fn new(topic_alias_maximum: u16) -> Self {
        Self { topics: Vec::new(), topic_alias_maximum }
    }

    /// The topic name of a PUBLISH. Defines the alias if it comes with a topic; every alias from 1 to the
    /// maximum is taken `[MQTT-3.3.2-12]`, `[MQTT-3.3.2-10]`. To be called for every PUBLISH, also for one that
    /// is then refused: the peer takes its alias as defined.
    ///
    /// # Errors
    /// 0x94 for an alias of 0 or above the maximum (`U5-060`); 0x82 for no topic and no alias (`U5-052`) or an
    /// alias that is not defined (`U5-061`).
    pub fn resolve<'a>(&'a mut self, topic: &'a str, alias: Option<u16>) -> Result<&'a str, ReasonCode> {
        let Some(alias) = alias else {
            return if topic.is_empty() { Err(ReasonCode::PROTOCOL_ERROR) } else { Ok(topic) };
        };
        if alias == 0 || alias > self.topic_alias_maximum {
            return Err(ReasonCode::TOPIC_ALIAS_INVALID);
        }
        let at = usize::from(alias) - 1;
        if topic.is_empty() {
            let known = self.topics.get(at).and_then(Option::as_deref);
            return known.ok_or(ReasonCode::PROTOCOL_ERROR);
        }
        if at >= self.topics.len() {
            self.topics.resize(at + 1, None);
        }
        // Some clients send topic and alias each time; the copy is made once.
        if self.topics[at].as_deref() != Some(topic) {
            self.topics[at] = Some(topic.into());
        }
        Ok(topic)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn alias_rules() {
        let mut aliases = TopicAliasIn::new(2);
        assert_eq!(aliases.resolve("a", None), Ok("a"));
        assert_eq!(aliases.resolve("", None), Err(ReasonCode::PROTOCOL_ERROR), "U5-052");
        assert_eq!(aliases.resolve("a", Some(0)), Err(ReasonCode::TOPIC_ALIAS_INVALID), "U5-060");
        assert_eq!(aliases.resolve("a", Some(3)), Err(ReasonCode::TOPIC_ALIAS_INVALID), "U5-060");
        assert_eq!(aliases.resolve("", Some(2)), Err(ReasonCode::PROTOCOL_ERROR), "U5-061");
        // [MQTT-3.3.2-12]: the maximum itself is legal.
        assert_eq!(aliases.resolve("a", Some(2)), Ok("a"));
        assert_eq!(aliases.resolve("", Some(2)), Ok("a"));
        assert_eq!(aliases.resolve("", Some(1)), Err(ReasonCode::PROTOCOL_ERROR));
        assert_eq!(aliases.resolve("b", Some(2)), Ok("b"));
        assert_eq!(aliases.resolve("", Some(2)), Ok("b"));
    }

    #[test]
    fn a_maximum_of_zero_allows_none() {
        let mut aliases = TopicAliasIn::new(0);
        assert_eq!(aliases.resolve("a", Some(1)), Err(ReasonCode::TOPIC_ALIAS_INVALID));
    }

    proptest! {
        /// A map from alias to topic is all there is to it.
        #[test]
        fn like_a_map(
            maximum in 0..6_u16,
            packets in prop::collection::vec(("[a-c]{0,1}", prop::option::of(0..8_u16)), 0..40),
        ) {
            let mut aliases = TopicAliasIn::new(maximum);
            let mut model = HashMap::new();
            for (topic, alias) in packets {
                let expected = match alias {
                    Some(alias) if alias == 0 || alias > maximum => Err(ReasonCode::TOPIC_ALIAS_INVALID),
                    Some(alias) if topic.is_empty() => {
                        model.get(&alias).cloned().ok_or(ReasonCode::PROTOCOL_ERROR)
                    }
                    Some(alias) => {
                        model.insert(alias, topic.clone());
                        Ok(topic.clone())
                    }
                    None if topic.is_empty() => Err(ReasonCode::PROTOCOL_ERROR),
                    None => Ok(topic.clone()),
                };
                prop_assert_eq!(aliases.resolve(&topic, alias).map(str::to_owned), expected);
            }
        }
    }
}
