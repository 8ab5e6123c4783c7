//! The little of DNS that a question for SRV records needs (RFC 1035, RFC 2782).

use super::srv::Target;

const TYPE_SRV: u16 = 33;
const CLASS_IN: u16 = 1;
const HEADER_BYTES: usize = 12;
const IS_RESPONSE: u16 = 0x8000;
const IS_TRUNCATED: u16 = 0x0200;
const RECURSION_DESIRED: u16 = 0x0100;
const RCODE: u16 = 0x000f;

/// Labels of a name at most, pointers included: a message has no room for more, unless it leads in circles.
const LABELS_MAX: usize = 128;

/// What a server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Targets(Vec<Target>),
    /// To be asked for by TCP.
    Truncated,
    /// Another RCODE than 0, such as 3: there is no such name.
    Failed(u16),
}

/// Asks for the SRV records of a name; `None` if it is none.
pub(super) fn query(id: u16, name: &str) -> Option<Vec<u8>> {
    let mut message = Vec::with_capacity(HEADER_BYTES + name.len() + 6);
    for word in [id, RECURSION_DESIRED, 1, 0, 0, 0] {
        message.extend_from_slice(&word.to_be_bytes());
    }
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        message.push(length);
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    for word in [TYPE_SRV, CLASS_IN] {
        message.extend_from_slice(&word.to_be_bytes());
    }
    Some(message)
}

/// `None` if it is no answer to the question with this number.
pub(super) fn parse(message: &[u8], id: u16) -> Option<Answer> {
    let flags = word(message, 2)?;
    if word(message, 0)? != id || flags & IS_RESPONSE == 0 {
        return None;
    }
    if flags & IS_TRUNCATED != 0 {
        return Some(Answer::Truncated);
    }
    if flags & RCODE != 0 {
        return Some(Answer::Failed(flags & RCODE));
    }
    let mut at = HEADER_BYTES;
    for _question in 0..word(message, 4)? {
        at = name(message, at)?.1 + 4;
    }
    let mut targets = Vec::new();
    for _answer in 0..word(message, 6)? {
        let (_name, behind) = name(message, at)?;
        let (kind, data) = (word(message, behind)?, behind + 10);
        if kind == TYPE_SRV {
            let host = name(message, data + 6)?.0;
            let [priority, weight, port] = [data, data + 2, data + 4].map(|at| word(message, at));
            targets.push(Target { priority: priority?, weight: weight?, port: port?, host });
        }
        at = data + usize::from(word(message, behind + 8)?);
    }
    Some(Answer::Targets(targets))
}

fn word(message: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*message.get(at..)?.first_chunk()?))
}

/// The name that begins here, and where it ends.
fn name(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let (mut text, mut end) = (String::new(), None);
    for _ in 0..LABELS_MAX {
        let length = *message.get(at)?;
        match length {
            0 => return Some((text, end.unwrap_or(at + 1))),
            // A pointer to the rest of the name.
            0xc0.. => {
                end = end.or(Some(at + 2));
                at = usize::from(word(message, at)? & 0x3fff);
            }
            1..=63 => {
                let label = message.get(at + 1..=at + usize::from(length))?;
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(std::str::from_utf8(label).ok()?);
                at += 1 + usize::from(length);
            }
            64..0xc0 => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As a server would send it: the question again, then the answer with pointers to names in it.
    fn answer() -> Vec<u8> {
        let mut message = query(7, "_mqtt._tcp.example.com").unwrap();
        message[2] |= 0x80;
        message[7] = 1;
        // At 23 "example.com" begins.
        message.extend_from_slice(&[0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, 11]);
        message.extend_from_slice(&[0, 10, 0, 5, 0x07, 0x5b, 2, b'b', b'1', 0xc0, 23]);
        message
    }

    #[test]
    fn records_are_read() {
        let target = Target { priority: 10, weight: 5, port: 1883, host: "b1.example.com".to_owned() };
        assert_eq!(parse(&answer(), 7), Some(Answer::Targets(vec![target])));
        assert_eq!(parse(&answer(), 8), None);
        let with = |at: usize, bits: u8| {
            let mut message = answer();
            message[at] |= bits;
            parse(&message, 7)
        };
        assert_eq!((with(2, 0x02), with(3, 0x03)), (Some(Answer::Truncated), Some(Answer::Failed(3))));
        assert_eq!(query(7, "a..b"), None);
    }

    #[test]
    fn a_name_that_points_to_itself_has_no_end() {
        let mut message = answer();
        let length = message.len();
        message[length - 1] = u8::try_from(length - 2).unwrap();
        assert_eq!(parse(&message, 7), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..60, byte: u8) {
            let _any = parse(&bytes, 7);
            let mut damaged = answer();
            let at = at % damaged.len();
            damaged[at] = byte;
            let _any = parse(&damaged, 7);
        }
    }
}
