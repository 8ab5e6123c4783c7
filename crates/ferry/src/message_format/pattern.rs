use std::iter::Peekable;
use std::str::{Chars, FromStr};

/// The words of `-F`, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(pub(super) Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    /// `%` and what may stand between it and the letter.
    Field(Field, Width),
    /// `@`: a letter of strftime.
    Time(char),
    /// `@N`
    Nanoseconds,
}

/// What a letter after `%` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    TopicAlias,
    ContentType,
    CorrelationData,
    MessageExpiryInterval,
    PayloadFormatIndicator,
    IsoTime,
    Json,
    JsonPayload,
    PayloadLength,
    PacketId,
    UserProperties,
    Payload,
    Qos,
    ResponseTopic,
    Retain,
    SubscriptionId,
    Topic,
    UnixTime,
    HexLower,
    HexUpper,
}

/// How wide a field is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Width {
    pub(super) left: bool,
    pub(super) zeros: bool,
    pub(super) minimum: usize,
    pub(super) maximum: Option<usize>,
}

/// Wider than any screen, narrower than any memory.
const WIDTH_MAX: usize = 10_000;

impl FromStr for Pattern {
    type Err = String;

    /// # Errors
    /// Which sequence is wrong, and what to do.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            let piece = match character {
                '%' if rest.next_if_eq(&'%').is_some() => Err('%'),
                '%' => Ok(field(&mut rest)?),
                '@' => match rest.next() {
                    None => return Err("@ needs a letter of strftime after it; @@ is a single @".to_owned()),
                    Some('@') => Err('@'),
                    Some('N') => Ok(Piece::Nanoseconds),
                    Some(letter) => Ok(Piece::Time(letter)),
                },
                '\\' => Err(escaped(rest.next())?),
                other => Err(other),
            };
            match piece {
                Err(character) => literal.push(character),
                Ok(piece) => {
                    if !literal.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut literal)));
                    }
                    pieces.push(piece);
                }
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self(pieces))
    }
}

fn field(rest: &mut Peekable<Chars<'_>>) -> Result<Piece, String> {
    let mut width = Width { left: rest.next_if_eq(&'-').is_some(), ..Width::default() };
    width.zeros = rest.next_if_eq(&'0').is_some();
    width.minimum = number(rest)?;
    if rest.next_if_eq(&'.').is_some() {
        width.maximum = Some(number(rest)?);
    }
    let Some(letter) = rest.next() else {
        return Err("% needs a letter after it, such as %t or %p; %% is a single %".to_owned());
    };
    let field = match letter {
        'A' => Field::TopicAlias,
        'C' => Field::ContentType,
        'D' => Field::CorrelationData,
        'E' => Field::MessageExpiryInterval,
        'F' => Field::PayloadFormatIndicator,
        'I' => Field::IsoTime,
        'j' => Field::Json,
        'J' => Field::JsonPayload,
        'l' => Field::PayloadLength,
        'm' => Field::PacketId,
        'P' => Field::UserProperties,
        'p' => Field::Payload,
        'q' => Field::Qos,
        'R' => Field::ResponseTopic,
        'r' => Field::Retain,
        'S' => Field::SubscriptionId,
        't' => Field::Topic,
        'U' => Field::UnixTime,
        'x' => Field::HexLower,
        'X' => Field::HexUpper,
        other => {
            return Err(format!("%{other} means nothing: one of %A C D E F I j J l m P p q R r S t U x X"));
        }
    };
    Ok(Piece::Field(field, width))
}

fn number(rest: &mut Peekable<Chars<'_>>) -> Result<usize, String> {
    let mut number = 0;
    while let Some(digit) = rest.peek().and_then(|character| character.to_digit(10)) {
        rest.next();
        number = number * 10 + digit as usize;
        if number > WIDTH_MAX {
            return Err(format!("a field can be {WIDTH_MAX} wide, not more"));
        }
    }
    Ok(number)
}

fn escaped(letter: Option<char>) -> Result<char, String> {
    Ok(match letter {
        Some('\\') => '\\',
        Some('0') => '\0',
        Some('a') => '\x07',
        Some('e') => '\x1b',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('v') => '\x0b',
        Some(other) => {
            return Err(format!("\\{other} means nothing: one of \\\\ \\0 \\a \\e \\n \\r \\t \\v"));
        }
        None => return Err("\\ needs a letter after it; \\\\ is a single \\".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_read() {
        let pattern: Pattern = "a%%%-010.5t\\n@@@Y@N%x".parse().unwrap();
        let width = Width { left: true, zeros: true, minimum: 10, maximum: Some(5) };
        assert_eq!(
            pattern.0,
            [
                Piece::Text("a%".to_owned()),
                Piece::Field(Field::Topic, width),
                Piece::Text("\n@".to_owned()),
                Piece::Time('Y'),
                Piece::Nanoseconds,
                Piece::Field(Field::HexLower, Width::default()),
            ]
        );
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for text in ["%", "%10", "%z", "@", "\\", "\\q", "%99999t", "%d"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }
}
