use std::str::FromStr;

use jiff::Timestamp;

/// A text with places that are filled anew for each message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    /// `{number}`: the first message has 1.
    Number,
    /// `{time}`
    Time,
    /// `{unix_ms}`
    UnixMilliseconds,
    /// `{uuid}`
    Uuid,
    /// `{random:LEAST..MOST}`, with so many digits behind the point.
    Random {
        least: f64,
        most: f64,
        digits: usize,
    },
}

/// More digits than these are not exact.
const DIGITS_MAX: usize = 9;

impl FromStr for Template {
    type Err = String;

    /// Braces around anything but a small word are themselves: JSON needs no quoting.
    ///
    /// # Errors
    /// A word in braces that means nothing.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            let inside = from[1..].split_once('}').map(|(inside, _)| inside);
            let inside =
                inside.filter(|inside| inside.starts_with(|letter: char| letter.is_ascii_lowercase()));
            let Some(inside) = inside else {
                literal.push('{');
                rest = &from[1..];
                continue;
            };
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(piece(inside)?);
            rest = &from[inside.len() + 2..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self(pieces))
    }
}

impl Template {
    /// The text for the message of this number.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn fill(&self, number: u64) -> Result<String, String> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Number => text.push_str(&number.to_string()),
                Piece::Time => text.push_str(&format!("{:.6}", Timestamp::now())),
                Piece::UnixMilliseconds => text.push_str(&Timestamp::now().as_millisecond().to_string()),
                Piece::Uuid => text.push_str(&uuid(random()?)),
                Piece::Random { least, most, digits } => {
                    text.push_str(&between(*least, *most, *digits, u64::from_le_bytes(random()?)));
                }
            }
        }
        Ok(text)
    }
}

fn piece(inside: &str) -> Result<Piece, String> {
    Ok(match inside {
        "number" => Piece::Number,
        "time" => Piece::Time,
        "unix_ms" => Piece::UnixMilliseconds,
        "uuid" => Piece::Uuid,
        _ => {
            let range = inside.strip_prefix("random:").and_then(|range| range.split_once(".."));
            range.and_then(|(least, most)| random_piece(least, most)).ok_or_else(|| {
                format!(
                    "{{{inside}}} means nothing: one of {{number}} {{time}} {{unix_ms}} {{uuid}} {{random:1..6}} {{random:18.0..25.0}}"
                )
            })?
        }
    })
}

/// As many digits behind the point as the bounds have.
fn random_piece(least: &str, most: &str) -> Option<Piece> {
    let digits = |text: &str| text.split_once('.').map_or(0, |(_, digits)| digits.len());
    let digits = digits(least).max(digits(most));
    let (least, most) = (least.parse().ok()?, most.parse().ok()?);
    let is_right = f64::is_finite(least) && f64::is_finite(most) && least <= most && digits <= DIGITS_MAX;
    is_right.then_some(Piece::Random { least, most, digits })
}

/// A number from `least` to `most`, each with the same chance, chosen by `random`.
fn between(least: f64, most: f64, digits: usize, random: u64) -> String {
    let steps = ((most - least) * 10f64.powi(digits as i32)).round() + 1.0;
    // 53 bits are all that a number holds.
    let part = (random >> 11) as f64 / (1u64 << 53) as f64;
    let value = least + (part * steps).floor() / 10f64.powi(digits as i32);
    format!("{value:.digits$}")
}

/// A UUID of random numbers (RFC 9562, version 4).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| format!("no random numbers: {error}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> String {
        text.parse::<Template>().unwrap().fill(7).unwrap()
    }

    #[test]
    fn places_are_filled() {
        assert_eq!(fill("a/{number}"), "a/7");
        assert_eq!(fill("{\"n\":{number},\"o\":{},\"s\":\"{ x\"}"), "{\"n\":7,\"o\":{},\"s\":\"{ x\"}");
        assert_eq!(fill("{{number}} { {"), "{7} { {");
        assert_eq!(fill(""), "");
        assert!(fill("{time}").parse::<Timestamp>().is_ok());
        assert!(fill("{unix_ms}").parse::<u64>().is_ok_and(|time| time > 1_700_000_000_000));
        assert_eq!(fill("{random:3..3} {random:-1.50..-1.5}"), "3 -1.50");
        let uuid = fill("{uuid}");
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"), "{uuid}");
        assert_ne!(uuid, fill("{uuid}"));
    }

    #[test]
    fn random_numbers_are_in_their_range() {
        assert_eq!(between(1.0, 6.0, 0, 0), "1");
        assert_eq!(between(1.0, 6.0, 0, u64::MAX), "6");
        assert_eq!(between(18.0, 25.0, 1, u64::MAX / 2), "21.5");
        for _ in 0..100 {
            let number: f64 = fill("{random:-2.0..2.0}").parse().unwrap();
            assert!((-2.0..=2.0).contains(&number));
        }
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for text in
            ["{nubmer}", "{random}", "{random:6..1}", "{random:a..b}", "{random:0..1e999}", "{number }"]
        {
            assert!(text.parse::<Template>().is_err(), "{text}");
        }
    }
}
