//! Where a new password comes from.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::output;

/// Bytes of a password: what MQTT has room for (section 1.5.6).
const PASSWORD_BYTES_MAX: usize = 65_535;

/// What Ctrl-C sends.
const CTRL_C: u8 = 3;

/// Why there is no password.
#[derive(Debug)]
pub(crate) enum NewPasswordError {
    /// Ctrl-C.
    Interrupted,
    /// Anything else.
    Words(String),
}

impl NewPasswordError {
    fn words(words: &str) -> Self {
        Self::Words(words.to_owned())
    }
}

/// A password that may be one.
pub(super) fn checked(password: Vec<u8>) -> Result<Vec<u8>, NewPasswordError> {
    match password.len() {
        0 => Err(NewPasswordError::words("the password is empty")),
        1..=PASSWORD_BYTES_MAX => Ok(password),
        _ => Err(NewPasswordError::words("a password has at most 65,535 bytes")),
    }
}

/// The first line of a file; `-` is standard input.
pub(crate) fn from_file(path: &Path) -> Result<Vec<u8>, NewPasswordError> {
    if path == Path::new("-") {
        return first_line(io::stdin().lock());
    }
    let file = File::open(path);
    let file = file.map_err(|error| NewPasswordError::Words(format!("{}: {error}", path.display())))?;
    first_line(BufReader::new(file))
}

/// Asks twice on a terminal; elsewhere the first line of standard input.
pub(crate) fn ask(user: &str) -> Result<Vec<u8>, NewPasswordError> {
    if !io::stdin().is_terminal() {
        return first_line(io::stdin().lock());
    }
    let password = checked(prompt(&format!("Password of {user}: "))?)?;
    if prompt("Again: ")? != password {
        return Err(NewPasswordError::words("these were two passwords"));
    }
    Ok(password)
}

fn first_line(mut input: impl BufRead) -> Result<Vec<u8>, NewPasswordError> {
    let mut line = Vec::new();
    let failed = |error: io::Error| NewPasswordError::Words(format!("the password cannot be read: {error}"));
    input.read_until(b'\n', &mut line).map_err(failed)?;
    if line.ends_with(b"\n") {
        line.pop();
        if line.ends_with(b"\r") {
            line.pop();
        }
    }
    checked(line)
}

fn prompt(words: &str) -> Result<Vec<u8>, NewPasswordError> {
    let failed = |error: io::Error| NewPasswordError::Words(format!("the terminal cannot be read: {error}"));
    let silence = Silence::begin().map_err(failed)?;
    output::part(words);
    let mut line = Vec::new();
    let mut terminal = io::stdin().lock();
    // A line ends with the key that ends lines, with Ctrl-C or with Ctrl-D.
    let read = loop {
        let buffer = terminal.fill_buf();
        let Ok(bytes) = buffer else { break buffer.map(|_| ()) };
        let end = bytes.iter().position(|byte| matches!(*byte, b'\n' | CTRL_C));
        line.extend_from_slice(&bytes[..end.map_or(bytes.len(), |end| end + 1)]);
        let (taken, ended) = (end.map_or(bytes.len(), |end| end + 1), end.is_some() || bytes.is_empty());
        terminal.consume(taken);
        if ended {
            break Ok(());
        }
    };
    drop(silence);
    let _ = writeln!(io::stderr());
    read.map_err(failed)?;
    match line.pop() {
        Some(b'\n') => Ok(line),
        _ => Err(NewPasswordError::Interrupted),
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silence(Termios);

impl Silence {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        // A signal would leave the terminal silent. So Ctrl-C is a character here, and one that ends the line.
        silent.local_modes.remove(LocalModes::ISIG);
        silent.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // Nothing can be done if the terminal is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
