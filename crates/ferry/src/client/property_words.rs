//! The words of a command line before they are understood: `-D` has as many of them as its property needs, whatever they begin
//! with, and a word that is no UTF-8 is only for options that take bytes.

use std::any::TypeId;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use clap::{Arg, Command};

use super::options_file::find;

/// What the words of one property are joined with: no word of a command line can have it.
pub(super) const JOINT: &str = "\0";

/// The words of a client with those of each `-D` joined to one.
///
/// # Errors
/// The option whose value is not UTF-8, and should be.
pub(crate) fn with_joined_properties(
    words: Vec<OsString>,
    mut program: Command,
) -> Result<Vec<OsString>, String> {
    program.build();
    let name = words.get(1).and_then(|word| word.to_str());
    let Some(command) = name.and_then(|name| program.find_subcommand(name)) else { return Ok(words) };
    if find(command, "-D").is_none_or(|argument| argument.get_id() != "property") {
        return Ok(words);
    }
    let mut joined = words[..2].to_vec();
    let mut rest = words[2..].iter();
    while let Some(word) = rest.next() {
        joined.push(word.clone());
        let Some((argument, attached)) = option_in(command, word) else { continue };
        let is_apart = attached.is_empty();
        let mut value = if is_apart { rest.next().cloned() } else { Some(attached.to_owned()) };
        if argument.get_id() == "property" {
            value = value.map(|first| with_its_words(first, &mut rest));
        }
        let Some(value) = value else { continue };
        check_text(argument, &value)?;
        if is_apart {
            joined.push(value);
        } else if let Some(last) = joined.last_mut() {
            let front = word.len() - attached.len();
            *last = OsStr::from_bytes(&word.as_bytes()[..front]).to_owned();
            last.push(value);
        }
    }
    Ok(joined)
}

/// The option of a word that has a value, and what stands of the value in the word itself.
fn option_in<'a, 'b>(command: &'a Command, word: &'b OsStr) -> Option<(&'a Arg, &'b OsStr)> {
    let bytes = word.as_bytes();
    let takes_value = |argument: &&Arg| argument.get_action().takes_values();
    if bytes.starts_with(b"--") {
        let end = bytes.iter().position(|byte| *byte == b'=').unwrap_or(bytes.len());
        let argument = find(command, std::str::from_utf8(&bytes[..end]).ok()?).filter(takes_value)?;
        return Some((argument, OsStr::from_bytes(bytes.get(end + 1..).unwrap_or_default())));
    }
    // Several letters may stand together; the first with a value ends them.
    let letters = bytes.strip_prefix(b"-")?;
    let letter_of = |letter: &u8| find(command, &format!("-{}", char::from(*letter)));
    let (at, argument) = letters
        .iter()
        .enumerate()
        .map_while(|(at, letter)| Some((at, letter_of(letter)?)))
        .find(|(_, argument)| takes_value(argument))?;
    let attached = &letters[at + 1..];
    Some((argument, OsStr::from_bytes(attached.strip_prefix(b"=").unwrap_or(attached))))
}

/// A property: for what, its name, its value, and for user properties one more. Those that are missing are told where they are
/// understood.
fn with_its_words<'a>(first: OsString, rest: &mut impl Iterator<Item = &'a OsString>) -> OsString {
    let mut joined = first.into_vec();
    let name = rest.next();
    let values = if name.is_some_and(|name| name.eq_ignore_ascii_case("user-property")) { 2 } else { 1 };
    for word in name.into_iter().chain(rest.take(values)) {
        joined.extend_from_slice(JOINT.as_bytes());
        joined.extend_from_slice(word.as_bytes());
    }
    OsString::from_vec(joined)
}

fn check_text(argument: &Arg, value: &OsStr) -> Result<(), String> {
    let kind = argument.get_value_parser().type_id();
    let is_of_bytes = kind == TypeId::of::<OsString>() || kind == TypeId::of::<PathBuf>();
    if is_of_bytes || value.to_str().is_some() {
        return Ok(());
    }
    let letter = argument.get_short().map(|letter| format!("-{letter}"));
    let name = letter.or_else(|| Some(format!("--{}", argument.get_long()?))).unwrap_or_default();
    Err(format!("{name}: {:?} is not UTF-8", value.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::arguments::Arguments;

    fn joined(words: &[&[u8]]) -> Result<Vec<String>, String> {
        let words = words.iter().map(|word| OsString::from_vec(word.to_vec())).collect();
        let joined = with_joined_properties(words, Arguments::command())?;
        Ok(joined.into_iter().map(|word| word.to_string_lossy().replace('\0', "+")).collect())
    }

    fn joined_line(line: &str) -> String {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        joined(&words).unwrap().join(" ")
    }

    #[test]
    fn a_property_takes_the_words_that_it_needs() {
        for (line, expected) in [
            ("ferry pub -D publish user-property u -5 -t a", "ferry pub -D publish+user-property+u+-5 -t a"),
            ("ferry pub -D publish content-type -t -t a", "ferry pub -D publish+content-type+-t -t a"),
            ("ferry sub -D connect User-Property -D -D -v", "ferry sub -D connect+User-Property+-D+-D -v"),
            ("ferry sub -vdDconnect receive-maximum 5", "ferry sub -vdDconnect+receive-maximum+5"),
            ("ferry sub --property=connect a b c", "ferry sub --property=connect+a+b c"),
            ("ferry pub -m -D publish -t a", "ferry pub -m -D publish -t a"),
            ("ferry pub -i=-D -t a", "ferry pub -i=-D -t a"),
            ("ferry pub -D publish", "ferry pub -D publish"),
            ("ferry serve -D a b c", "ferry serve -D a b c"),
            ("ferry", "ferry"),
        ] {
            assert_eq!(joined_line(line), expected);
        }
    }

    #[test]
    fn bytes_are_for_options_that_take_them() {
        assert!(joined(&[b"ferry", b"pub", b"-m", b"\xFF", b"-P\xFF", b"--will-payload=\xFF"]).is_ok());
        for (option, name) in [(b"-t".as_slice(), "-t"), (b"--topic", "-t"), (b"--ws-path", "--ws-path")] {
            let error = joined(&[b"ferry", b"pub", option, b"\xFF"]).unwrap_err();
            assert_eq!(error, format!("{name}: \"\u{FFFD}\" is not UTF-8"));
        }
    }
}
