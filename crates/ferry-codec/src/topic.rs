//! Topic names and topic filters (section 4.7) and shared subscriptions (section 4.8.2).
//!
//! Names and filters are never normalised `[MQTT-4.7.3-4]`, `[MQTT3-4.7.3-4]`: they are equal if their bytes are.

use crate::{DecodeLimits, ReasonCode};

/// Why a topic name or a topic filter is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TopicError {
    /// Less than one character `[MQTT-4.7.3-1]`.
    Empty,
    /// U+0000 `[MQTT-4.7.3-2]`.
    NulCharacter,
    /// `+` or `#` in a topic name `[MQTT-4.7.0-1]`, `[MQTT3-4.7.1-1]`.
    WildcardInName,
    /// `#` is not the last character, or not a level of its own `[MQTT-4.7.1-1]`.
    MultiLevelWildcardMisplaced,
    /// `+` is not a level of its own `[MQTT-4.7.1-2]`.
    SingleLevelWildcardMisplaced,
    /// `$share/` without a share name `[MQTT-4.8.2-1]`.
    ShareNameEmpty,
    /// The share name has `+` or `#` `[MQTT-4.8.2-2]`.
    ShareNameWildcard,
    /// `$share/name` without a filter behind it `[MQTT-4.8.2-2]`.
    SharedFilterMissing,
    /// More levels than `topic_levels_max`.
    TooManyLevels,
    /// More bytes than `topic_bytes_max`.
    TooLong,
}

impl TopicError {
    /// What to say of a topic name: 0x90, or 0x81 for U+0000.
    #[must_use]
    pub const fn name_reason_code(self) -> ReasonCode {
        match self {
            Self::NulCharacter => ReasonCode::MALFORMED_PACKET,
            _ => ReasonCode::TOPIC_NAME_INVALID,
        }
    }

    /// What to say of a topic filter: 0x8F, or 0x81 for U+0000.
    #[must_use]
    pub const fn filter_reason_code(self) -> ReasonCode {
        match self {
            Self::NulCharacter => ReasonCode::MALFORMED_PACKET,
            _ => ReasonCode::TOPIC_FILTER_INVALID,
        }
    }

    /// In words.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Empty => "the topic is empty",
            Self::NulCharacter => "the topic contains U+0000",
            Self::WildcardInName => "a topic name has a wildcard",
            Self::MultiLevelWildcardMisplaced => "'#' must be the last level of a filter",
            Self::SingleLevelWildcardMisplaced => "'+' must be a whole level of a filter",
            Self::ShareNameEmpty => "the share name is empty",
            Self::ShareNameWildcard => "the share name has a wildcard",
            Self::SharedFilterMissing => "no filter follows the share name",
            Self::TooManyLevels => "the topic has too many levels",
            Self::TooLong => "the topic is too long",
        }
    }
}

impl std::fmt::Display for TopicError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.detail())
    }
}

impl std::error::Error for TopicError {}

/// Checks a topic name: not empty, no U+0000, no wildcard, within the limits.
///
/// # Errors
/// The first rule that it breaks.
pub fn validate_topic_name(name: &str, limits: &DecodeLimits) -> Result<(), TopicError> {
    if name.is_empty() {
        return Err(TopicError::Empty);
    }
    if name.len() > usize::from(limits.topic_bytes_max) {
        return Err(TopicError::TooLong);
    }
    if has_nul_or_wildcard(name.as_bytes()) {
        return Err(if name.contains('\0') { TopicError::NulCharacter } else { TopicError::WildcardInName });
    }
    // A name of n bytes has at most n + 1 levels, so most need not be counted.
    let levels_max = usize::from(limits.topic_levels_max);
    if name.len() >= levels_max && name.split('/').count() > levels_max {
        return Err(TopicError::TooManyLevels);
    }
    Ok(())
}

/// Eight bytes at a time: this is on the path of every PUBLISH.
fn has_nul_or_wildcard(bytes: &[u8]) -> bool {
    let bad = |byte: &u8| matches!(byte, 0 | b'+' | b'#');
    let Some(last) = bytes.last_chunk::<8>() else { return bytes.iter().any(bad) };
    let (chunks, _) = bytes.as_chunks::<8>();
    // The last eight bytes may overlap the last chunk.
    chunks.iter().chain(Some(last)).any(|chunk| {
        let word = u64::from_ne_bytes(*chunk);
        let repeated = |byte: u8| u64::from_ne_bytes([byte; 8]);
        has_zero_byte(word) | has_zero_byte(word ^ repeated(b'+')) | has_zero_byte(word ^ repeated(b'#'))
    })
}

/// Right about whether there is one; the bit may also be set for neighbours of a zero byte.
const fn has_zero_byte(word: u64) -> bool {
    word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080 != 0
}

/// Checks a topic filter: not empty, no U+0000, wildcards only as whole levels and `#` only at the end, within
/// the limits. If it starts with `$share/`, the share name and the filter behind it are checked too.
///
/// # Errors
/// The first rule that it breaks.
pub fn validate_topic_filter(filter: &str, limits: &DecodeLimits) -> Result<(), TopicError> {
    if filter.is_empty() {
        return Err(TopicError::Empty);
    }
    if filter.len() > usize::from(limits.topic_bytes_max) {
        return Err(TopicError::TooLong);
    }
    if filter.contains('\0') {
        return Err(TopicError::NulCharacter);
    }
    let plain = parse_shared(filter)?.map_or(filter, |shared| shared.filter);
    let mut levels: u32 = 0;
    let mut rest = plain.split('/').peekable();
    while let Some(level) = rest.next() {
        levels = levels.saturating_add(1);
        match level {
            "+" => {}
            "#" if rest.peek().is_none() => {}
            _ if level.contains('#') => return Err(TopicError::MultiLevelWildcardMisplaced),
            _ if level.contains('+') => return Err(TopicError::SingleLevelWildcardMisplaced),
            _ => {}
        }
    }
    if levels > u32::from(limits.topic_levels_max) {
        return Err(TopicError::TooManyLevels);
    }
    Ok(())
}

/// Whether a topic filter matches a topic name: the reference, simple and without an index.
///
/// A filter that starts with a wildcard matches no topic that starts with `$` `[MQTT-4.7.2-1]`. Both must be
/// valid; a shared filter must be given without `$share/name/`.
#[must_use]
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#')) {
        return false;
    }
    let mut topic_levels = topic.split('/');
    for filter_level in filter.split('/') {
        // '#' also stands for the parent level: "a/#" matches "a".
        if filter_level == "#" {
            return true;
        }
        match topic_levels.next() {
            Some(topic_level) if filter_level == "+" || filter_level == topic_level => {}
            _ => return false,
        }
    }
    topic_levels.next().is_none()
}

/// `+` or `#` anywhere.
#[must_use]
pub fn has_wildcard(topic: &str) -> bool {
    topic.bytes().any(|byte| matches!(byte, b'+' | b'#'))
}

/// A topic filter of the form `$share/group/filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SharedFilter<'a> {
    /// The share name: not empty, no wildcard.
    pub group: &'a str,
    /// The filter that topics are matched with. [`parse_shared`] checks only that it is not empty.
    pub filter: &'a str,
}

/// Takes a shared filter apart; `None` if it does not start with `$share/`.
///
/// # Errors
/// The share name is empty or has a wildcard, or no filter follows `[MQTT-4.8.2-1]` `[MQTT-4.8.2-2]`.
pub fn parse_shared(filter: &str) -> Result<Option<SharedFilter<'_>>, TopicError> {
    let Some(rest) = filter.strip_prefix("$share/") else { return Ok(None) };
    let (group, filter) = rest.split_once('/').unwrap_or((rest, ""));
    if group.is_empty() {
        return Err(TopicError::ShareNameEmpty);
    }
    if has_wildcard(group) {
        return Err(TopicError::ShareNameWildcard);
    }
    if filter.is_empty() {
        return Err(TopicError::SharedFilterMissing);
    }
    Ok(Some(SharedFilter { group, filter }))
}
