//! Packets as text, and the tables made of them. The tables hold data only, so that they can also be sent
//! to a session, a core or a socket.
//!
//! The notation: hexadecimal digits are bytes; `'text'` is its bytes; `<text>` is a string with its two byte
//! length in front; `..` is the length of all that follows as a variable byte integer; `{ ... }` is a property
//! section with its length in front. Spaces mean nothing.

use ferry_codec::{Direction, ProtocolVersion};

/// One packet and what must come of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vector {
    /// What is special about it.
    pub(crate) name: &'static str,
    /// The protocol versions in which this is expected.
    pub(crate) versions: &'static [ProtocolVersion],
    /// Who sent it.
    pub(crate) direction: Direction,
    /// In the notation above.
    pub(crate) packet: &'static str,
    /// What must come of it.
    pub(crate) expected: Expected,
}

/// What must come of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    /// It is accepted, and encoding it again gives the same bytes.
    Accepted,
    /// It is accepted, and encoding it again gives these bytes.
    AcceptedAs(&'static str),
    /// It is refused with this reason code because of this statement.
    Refused(u8, &'static str),
}

pub(crate) const V31: &[ProtocolVersion] = &[ProtocolVersion::V31];
pub(crate) const V311: &[ProtocolVersion] = &[ProtocolVersion::V311];
pub(crate) const V3: &[ProtocolVersion] = &[ProtocolVersion::V31, ProtocolVersion::V311];
pub(crate) const V311_AND_V5: &[ProtocolVersion] = &[ProtocolVersion::V311, ProtocolVersion::V5];
pub(crate) const V5: &[ProtocolVersion] = &[ProtocolVersion::V5];
pub(crate) const ALL: &[ProtocolVersion] =
    &[ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5];

pub(crate) const CLIENT: Direction = Direction::FromClient;
pub(crate) const SERVER: Direction = Direction::FromServer;

type Versions = &'static [ProtocolVersion];

pub(crate) const fn accepted(
    name: &'static str,
    versions: Versions,
    direction: Direction,
    packet: &'static str,
) -> Vector {
    Vector { name, versions, direction, packet, expected: Expected::Accepted }
}

pub(crate) const fn accepted_as(
    name: &'static str,
    versions: Versions,
    direction: Direction,
    packet: &'static str,
    encoded: &'static str,
) -> Vector {
    Vector { name, versions, direction, packet, expected: Expected::AcceptedAs(encoded) }
}

pub(crate) const fn refused(
    name: &'static str,
    versions: Versions,
    direction: Direction,
    packet: &'static str,
    reason_code: u8,
    statement: &'static str,
) -> Vector {
    Vector { name, versions, direction, packet, expected: Expected::Refused(reason_code, statement) }
}

/// The bytes of a packet in the notation.
///
/// # Panics
/// The text is not in the notation.
pub(crate) fn bytes(packet: &str) -> Vec<u8> {
    let mut characters = packet.chars();
    let mut bytes = sequence(&mut characters, None);
    if let Some(position) = bytes.iter().position(|item| *item == Item::LengthOfRest) {
        let rest = bytes.split_off(position + 1);
        bytes.pop();
        bytes.extend(variable_byte_integer(rest.len()).into_iter().map(Item::Byte));
        bytes.extend(rest);
    }
    let byte = |item| match item {
        Item::Byte(byte) => byte,
        Item::LengthOfRest => panic!("`..` twice in {packet:?}"),
    };
    bytes.into_iter().map(byte).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Item {
    Byte(u8),
    LengthOfRest,
}

fn sequence(characters: &mut std::str::Chars<'_>, end: Option<char>) -> Vec<Item> {
    let mut items = Vec::new();
    loop {
        match characters.next() {
            found if found == end => return items,
            Some(' ' | '\n') => {}
            Some('\'') => items.extend(until(characters, '\'').bytes().map(Item::Byte)),
            Some('<') => {
                let text = until(characters, '>');
                items.extend(u16::try_from(text.len()).unwrap().to_be_bytes().map(Item::Byte));
                items.extend(text.bytes().map(Item::Byte));
            }
            Some('{') => {
                let section = sequence(characters, Some('}'));
                items.extend(variable_byte_integer(section.len()).into_iter().map(Item::Byte));
                items.extend(section);
            }
            Some('.') => {
                assert_eq!(characters.next(), Some('.'));
                items.push(Item::LengthOfRest);
            }
            Some(high) => {
                let low = characters.next().unwrap();
                let digit = |character: char| u8::try_from(character.to_digit(16).unwrap()).unwrap();
                items.push(Item::Byte(digit(high) << 4 | digit(low)));
            }
            None => panic!("{end:?} is missing"),
        }
    }
}

fn until(characters: &mut std::str::Chars<'_>, end: char) -> String {
    let text: String = characters.as_str().chars().take_while(|character| *character != end).collect();
    characters.by_ref().take(text.chars().count() + 1).for_each(drop);
    text
}

fn variable_byte_integer(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7F).unwrap();
        value >>= 7;
        bytes.push(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            return bytes;
        }
    }
}
