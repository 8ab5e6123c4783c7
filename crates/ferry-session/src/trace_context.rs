use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

use ferry_codec::UserPropertiesBuf;

/// The user property that has the trace of a message (W3C, "Trace Context: MQTT protocol").
pub const TRACEPARENT: &str = "traceparent";

/// The user property with what tracing systems add to it.
pub const TRACESTATE: &str = "tracestate";

/// Bytes of a `tracestate` that are kept: what the standard wants to be kept at least (Trace Context, section 3.3.1.5).
const TRACESTATE_BYTES_MAX: usize = 512;

/// Where a message is in a trace: the value of `traceparent` in the form of version 00 (Trace Context, section 3.2).
///
/// ```
/// # use ferry_session::TraceParent;
/// let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let parent: TraceParent = text.parse()?;
/// assert!(parent.is_sampled);
/// assert_eq!(parent.to_string(), text);
/// # Ok::<(), ferry_session::InvalidTraceParent>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    /// The trace: what belongs together has the same.
    pub trace_id: NonZeroU128,
    /// The span that comes before.
    pub span_id: NonZeroU64,
    /// Whoever made it may have recorded it.
    pub is_sampled: bool,
}

/// A text that is no `traceparent`: it is to be ignored, and a trace begins anew (section 3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTraceParent;

impl fmt::Display for InvalidTraceParent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("this is no traceparent of W3C Trace Context")
    }
}

impl std::error::Error for InvalidTraceParent {}

impl fmt::Display for TraceParent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.is_sampled))
    }
}

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    /// Later versions are read as far as they are like version 00 (section 3.2.2.2 and 4.3).
    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let bytes = text.as_bytes();
        let (head, rest) = bytes.split_at_checked(55).ok_or(InvalidTraceParent)?;
        let field = |range: std::ops::Range<usize>| head.get(range).and_then(hexadecimal);
        let version = field(0..2).ok_or(InvalidTraceParent)?;
        let is_whole =
            if version == 0 { rest.is_empty() } else { rest.first().is_none_or(|byte| *byte == b'-') };
        let has_dashes = [2, 35, 52].into_iter().all(|at| head.get(at) == Some(&b'-'));
        if version == 0xff || !is_whole || !has_dashes {
            return Err(InvalidTraceParent);
        }
        let trace_id = field(3..35).and_then(NonZeroU128::new).ok_or(InvalidTraceParent)?;
        let span_id = field(36..52).and_then(|id| NonZeroU64::new(id as u64)).ok_or(InvalidTraceParent)?;
        let flags = field(53..55).ok_or(InvalidTraceParent)?;
        Ok(Self { trace_id, span_id, is_sampled: flags & 1 == 1 })
    }
}

/// Digits in lower case, at most 32.
fn hexadecimal(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number: u128, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

impl TraceParent {
    /// That of a message; `None` without one, with one that is malformed, and with several: which one holds nobody knows.
    #[must_use]
    pub fn of<'a>(properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        single(properties, TRACEPARENT)?.parse().ok()
    }

    /// Adds it to the properties of a message.
    pub fn push_to(self, properties: &mut UserPropertiesBuf) {
        properties.push(TRACEPARENT, &self.to_string());
    }
}

/// The `tracestate` of a message, if it is one that can be passed on: printable ASCII, and not too long (section 3.3.1).
/// It means nothing without a valid `traceparent`.
#[must_use]
pub fn trace_state<'a>(properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<&'a str> {
    let state = single(properties, TRACESTATE)?;
    let is_plain = state.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    let is_kept = !state.is_empty() && state.len() <= TRACESTATE_BYTES_MAX && is_plain;
    is_kept.then_some(state)
}

fn single<'a>(properties: impl IntoIterator<Item = (&'a str, &'a str)>, name: &str) -> Option<&'a str> {
    let mut values = properties.into_iter().filter(|(key, _)| *key == name).map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn parse(text: &str) -> Option<TraceParent> {
        text.parse().ok()
    }

    #[test]
    fn what_the_standard_has_as_examples() {
        let parent = parse(TEXT).expect("valid");
        assert_eq!(parent.trace_id.get(), 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!(parent.span_id.get(), 0xb7ad_6b71_6920_3331);
        assert!(parent.is_sampled);
        assert!(!parse(&TEXT.replace("-01", "-00")).expect("valid").is_sampled);
        // Flags that nobody knows yet are not passed on.
        let flags = parse(&TEXT.replace("-01", "-ff")).expect("valid");
        assert_eq!(flags.to_string(), TEXT);
        // A later version may have more behind it.
        assert_eq!(parse(&format!("{}-what-ever", TEXT.replacen("00", "cc", 1))), Some(parent));
        assert_eq!(parse(&TEXT.replacen("00", "cc", 1)), Some(parent));
    }

    #[test]
    fn what_is_to_be_ignored() {
        let wrong = [
            String::new(),
            TEXT[..54].to_owned(),
            format!("{TEXT}-"),
            format!("{TEXT} "),
            format!("{}.", TEXT.replacen("00", "01", 1)),
            TEXT.replacen("00", "ff", 1),
            TEXT.replacen("00", "0g", 1),
            TEXT.to_uppercase(),
            TEXT.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            TEXT.replace("b7ad6b7169203331", &"0".repeat(16)),
            TEXT.replace("-01", "-0x"),
            TEXT.replace('-', "_"),
            "00-0af7651916cd43dd8448eb211c80319é-b7ad6b7169203331-0".to_owned(),
        ];
        for text in wrong {
            assert_eq!(text.parse::<TraceParent>(), Err(InvalidTraceParent), "{text:?}");
        }
    }

    #[test]
    fn user_properties() {
        let of = |pairs: &[(&str, &str)]| {
            let properties: UserPropertiesBuf = pairs.iter().copied().collect();
            let properties = properties.as_user_properties();
            (TraceParent::of(properties).is_some(), trace_state(properties).map(str::to_owned))
        };
        assert_eq!(of(&[]), (false, None));
        assert_eq!(
            of(&[("a", "b"), (TRACEPARENT, TEXT), (TRACESTATE, "x=1")]),
            (true, Some("x=1".to_owned()))
        );
        // The names are in lower case.
        assert_eq!(of(&[("Traceparent", TEXT)]), (false, None));
        assert_eq!(of(&[(TRACEPARENT, TEXT), (TRACEPARENT, TEXT)]), (false, None));
        assert_eq!(of(&[(TRACESTATE, ""), (TRACEPARENT, "x")]), (false, None));
        assert_eq!(of(&[(TRACESTATE, "ä=1")]).1, None);
        assert_eq!(of(&[(TRACESTATE, &"x".repeat(513))]).1, None);
        let mut added = UserPropertiesBuf::new();
        parse(TEXT).expect("valid").push_to(&mut added);
        assert_eq!(added.as_user_properties().iter().collect::<Vec<_>>(), [(TRACEPARENT, TEXT)]);
    }

    /// The standard's grammar, written another way.
    fn is_valid(text: &str) -> bool {
        let fields: Vec<&str> = text.splitn(5, '-').collect();
        let [version, trace_id, span_id, flags, rest @ ..] = &*fields else { return false };
        let is_hex = |field: &str, length: usize| {
            field.len() == length && field.bytes().all(|byte| b"0123456789abcdef".contains(&byte))
        };
        is_hex(version, 2)
            && *version != "ff"
            && is_hex(trace_id, 32)
            && trace_id.bytes().any(|byte| byte != b'0')
            && is_hex(span_id, 16)
            && span_id.bytes().any(|byte| byte != b'0')
            && is_hex(flags, 2)
            && (rest.is_empty() || *version != "00")
    }

    proptest! {
        #[test]
        fn parsing_is_the_grammar(
            text in prop_oneof![
                any::<String>(),
                "[0f]{2}-[0-1]{32}-[0-9a-g]{16}-[0-9a-f]{2}(-[a-z-]{0,9})?",
                "(00|01|ff)[-_][0a]{31,33}[-_]0{14,16}[0-9]{0,2}[-_]0[01].{0,2}",
            ],
        ) {
            let parsed = parse(&text);
            prop_assert_eq!(parsed.is_some(), is_valid(&text));
            if let Some(parent) = parsed {
                prop_assert_eq!(parse(&parent.to_string()), Some(parent));
            }
        }

        #[test]
        fn what_is_shown_is_read_again(trace_id in 1_u128.., span_id in 1_u64.., is_sampled: bool) {
            let (Some(trace_id), Some(span_id)) = (NonZeroU128::new(trace_id), NonZeroU64::new(span_id)) else {
                unreachable!("not 0");
            };
            let parent = TraceParent { trace_id, span_id, is_sampled };
            prop_assert_eq!(parse(&parent.to_string()), Some(parent));
        }
    }
}
