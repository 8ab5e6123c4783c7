//! Options that need not be given each time: `~/.config/ferry/client` for all clients, `~/.config/ferry/pub` and so on for one.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::property_words::JOINT;

/// The commands that read these files.
const CLIENTS: [&str; 6] = ["pub", "sub", "rr", "record", "replay", "top"];

/// The file with options for all of them.
const SHARED: &str = "client";

/// Says on the command line that no file is to be read.
const NO_FILE: &str = "--no-options-file";

/// The words of the command line, with those of the options files before what the user has said, which therefore counts.
///
/// # Errors
/// A file cannot be read, or has a line that is no option: file, number of the line, and what to do.
pub(crate) fn with_options_files(
    words: Vec<OsString>,
    mut program: Command,
    directory: Option<&Path>,
) -> Result<Vec<OsString>, String> {
    let name = words.get(1).and_then(|word| word.to_str());
    let Some(name) = name.filter(|name| CLIENTS.contains(name)) else { return Ok(words) };
    let Some(directory) = directory.filter(|_| words.iter().all(|word| word != NO_FILE)) else {
        return Ok(words);
    };
    program.build();
    let Some(command) = program.find_subcommand(name) else { return Ok(words) };
    let user = command.clone().ignore_errors(true).try_get_matches_from(&words[1..]);
    // Such as --help.
    let Ok(user) = user else { return Ok(words) };
    let mut all = words[..2].to_vec();
    for file in [SHARED, name] {
        let path = directory.join(file);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        for (index, line) in text.lines().enumerate() {
            let words = words_of(line, command, &user).and_then(|words| {
                let is_strange =
                    file == SHARED && words.first().is_some_and(|word| !is_shared(&program, word));
                if is_strange {
                    Err(format!("not an option of all clients; the file {name} is for those of ferry {name}"))
                } else {
                    Ok(words)
                }
            });
            match words {
                Ok(words) => all.extend(words.into_iter().map(OsString::from)),
                Err(wrong) => return Err(format!("{}:{}: {line:?}: {wrong}", path.display(), index + 1)),
            }
        }
    }
    all.extend_from_slice(&words[2..]);
    Ok(all)
}

/// Where the files are: `$XDG_CONFIG_HOME/ferry`, else `~/.config/ferry`.
pub(crate) fn options_directory() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let configuration = named("XDG_CONFIG_HOME").or_else(|| Some(named("HOME")?.join(".config")));
    Some(configuration?.join("ferry"))
}

/// The words that a line stands for: an option and, behind a blank, its value, which is the rest of the line.
fn words_of(line: &str, command: &Command, user: &ArgMatches) -> Result<Vec<String>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(Vec::new());
    }
    let (option, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let value = value.trim_start();
    if !option.starts_with('-') {
        return Err("an option begins with -".to_owned());
    }
    let name = command.get_name();
    let Some(argument) = find(command, option) else {
        return Err(format!("ferry {name} has no such option"));
    };
    if matches!(argument.get_id().as_str(), "username" | "password") && has_credentials(user) {
        return Ok(Vec::new());
    }
    if said(command, user)
        .any(|other| excludes(command, argument, other) || excludes(command, other, argument))
    {
        return Ok(Vec::new());
    }
    let values_max = argument.get_num_args().map_or(1, |range| range.max_values());
    if argument.get_id() == "property" && !value.is_empty() {
        let words: Vec<&str> = value.split_whitespace().collect();
        return Ok(vec![option.to_owned(), words.join(JOINT)]);
    }
    match (value, values_max) {
        ("", 0) => Ok(vec![option.to_owned()]),
        ("", _) => Err("its value is missing: write both on one line".to_owned()),
        (_, 0) => Err("this option has no value".to_owned()),
        (_, 1) if option.starts_with("--") => Ok(vec![format!("{option}={value}")]),
        (_, 1) => Ok(vec![format!("{option}{value}")]),
        _ => Ok([option].into_iter().chain(value.split_whitespace()).map(str::to_owned).collect()),
    }
}

/// What the user has said on the command line.
fn said<'a>(command: &'a Command, user: &'a ArgMatches) -> impl Iterator<Item = &'a Arg> {
    let is_said = |argument: &&Arg| {
        let id = argument.get_id().as_str();
        // Help and the like have no value.
        user.try_contains_id(id).is_ok() && user.value_source(id) == Some(ValueSource::CommandLine)
    };
    command.get_arguments().filter(is_said)
}

/// Whether the user has said a URL that says who it is.
fn has_credentials(user: &ArgMatches) -> bool {
    let url = user.try_get_one::<String>("url").ok().flatten();
    let behind_scheme = url.and_then(|url| url.split_once("://")).map_or("", |(_, rest)| rest);
    behind_scheme.split('/').next().is_some_and(|authority| authority.contains('@'))
}

fn excludes(command: &Command, one: &Arg, other: &Arg) -> bool {
    command.get_arg_conflicts_with(one).iter().any(|argument| argument.get_id() == other.get_id())
}

/// Whether all clients have the option that a word begins with.
fn is_shared(program: &Command, word: &str) -> bool {
    let option = if word.starts_with("--") {
        word.split('=').next().unwrap_or_default().to_owned()
    } else {
        word.chars().take(2).collect()
    };
    let mut commands = CLIENTS.iter().filter_map(|name| program.find_subcommand(name));
    commands.all(|command| find(command, &option).is_some_and(|argument| argument.get_id() != "topic"))
}

/// The option of a command under one of its names.
pub(super) fn find<'a>(command: &'a Command, option: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|argument| match option.strip_prefix("--") {
        Some(long) => argument.get_long() == Some(long),
        None => {
            let mut letters = option.chars().skip(1);
            argument.get_short().is_some()
                && argument.get_short() == letters.next()
                && letters.next().is_none()
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::arguments::Arguments;

    /// The words of a command line, with these files.
    fn words(line: &str, files: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let directory = std::env::temp_dir().join(format!("ferry-options-{:?}", std::thread::current().id()));
        std::fs::create_dir_all(&directory).unwrap();
        for (name, text) in files {
            std::fs::write(directory.join(name), text).unwrap();
        }
        let line = line.split_whitespace().map(OsString::from).collect();
        let words = with_options_files(line, Arguments::command(), Some(&directory));
        std::fs::remove_dir_all(&directory).unwrap();
        let words = words?;
        Arguments::try_parse_from(&words).map_err(|error| error.to_string())?;
        Ok(words.into_iter().map(|word| word.into_string().unwrap().replace(JOINT, "+")).collect())
    }

    #[test]
    fn files_come_before_the_command_line() {
        let shared = (
            "client",
            "# all\n-h broker.example\n\n--pw  se cret \n-D connect user-property a b\n--tls-use-os-certs\n",
        );
        let of_sub = ("sub", "-v\n-u ada\n");
        let expected = "ferry sub -hbroker.example --pw=se cret -D connect+user-property+a+b --tls-use-os-certs -v -uada -t a -u ben";
        assert_eq!(
            words("ferry sub -t a -u ben", &[shared, of_sub]).map(|words| words.join(" ")),
            Ok(expected.to_owned())
        );
        for line in ["ferry sub -t a --no-options-file", "ferry check a"] {
            assert_eq!(words(line, &[shared, of_sub]).map(|words| words.join(" ")), Ok(line.to_owned()));
        }
        // What does not go together with the command line is left out.
        let line = "ferry pub -L mqtt://other/t -m x --pw=x";
        let expected = "ferry pub --pw=x -L mqtt://other/t -m x --pw=x";
        let files = [("client", "-h broker.example\n--pw x\n")];
        assert_eq!(words(line, &files).map(|words| words.join(" ")), Ok(expected.to_owned()));
        let line = "ferry sub -L mqtt://ben:y@other/t";
        let files = [("client", "-u ada\n--pw x\n")];
        assert_eq!(words(line, &files).map(|words| words.join(" ")), Ok(line.to_owned()));
    }

    #[test]
    fn lines_that_are_wrong_are_named() {
        for (file, text, expected) in [
            ("sub", "-v\nhost x", "sub:2: \"host x\": an option begins with -"),
            ("sub", "--nonsense x", "sub:1: \"--nonsense x\": ferry sub has no such option"),
            ("sub", "-h", "sub:1: \"-h\": its value is missing"),
            ("sub", "-v x", "sub:1: \"-v x\": this option has no value"),
            ("client", "-t x", "client:1: \"-t x\": not an option of all clients; the file sub is for"),
            ("client", "-v", "client:1: \"-v\": not an option of all clients"),
        ] {
            let error = words("ferry sub -t a", &[(file, text)]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
