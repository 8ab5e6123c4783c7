//! `ferry passwd`.

pub(crate) mod new_password;
mod replaced_file;

use std::path::Path;
use std::process::ExitCode;

use ferry_auth::{HashCost, PasswordFile, PasswordFileText, PasswordHash, ScramHash};

use crate::arguments::PasswdArguments;
use crate::output;
use new_password::NewPasswordError;
use replaced_file::ReplacedFile;

/// Exit code of a program that Ctrl-C has stopped.
const INTERRUPTED: u8 = 130;

/// Changes a password file.
pub(crate) fn passwd(arguments: PasswdArguments) -> ExitCode {
    let file = arguments.file.clone();
    match change(arguments) {
        Ok(done) => {
            output::line(&format!("{}: {done}", file.display()));
            ExitCode::SUCCESS
        }
        Err(Failure::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(Failure::Words(words)) => output::failure(&words),
    }
}

enum Failure {
    Interrupted,
    Words(String),
}

impl From<String> for Failure {
    fn from(words: String) -> Self {
        Self::Words(words)
    }
}

impl From<NewPasswordError> for Failure {
    fn from(error: NewPasswordError) -> Self {
        match error {
            NewPasswordError::Interrupted => Self::Interrupted,
            NewPasswordError::Words(words) => Self::Words(words),
        }
    }
}

/// Does it, and says what it was.
fn change(arguments: PasswdArguments) -> Result<String, Failure> {
    let path = &arguments.file;
    let cost = cost(&arguments)?;
    let Some(user) = arguments.user.as_deref() else {
        let mut file = open(path)?;
        return upgrade(&mut file, path, cost).map_err(Failure::Words);
    };
    if arguments.delete {
        let mut file = open(path)?;
        let mut text = PasswordFileText::new(&file.text);
        if !text.remove(user) {
            return Err(Failure::Words(format!("{}: there is no user {user:?}", path.display())));
        }
        save(&mut file, path, &text)?;
        return Ok(format!("user {user:?} deleted"));
    }
    // Before anybody types a password in vain.
    let probe = if arguments.create { ReplacedFile::create(path) } else { ReplacedFile::open(path) };
    drop(probe.map_err(|error| cannot_open(path, &error))?);
    let password = match (arguments.password, &arguments.password_file) {
        (Some(password), _) => new_password::checked(password.into_bytes())?,
        (None, Some(file)) => new_password::from_file(file)?,
        (None, None) => new_password::ask(user)?,
    };
    let hash = PasswordHash::create(&password, cost).map_err(|error| error.to_string())?;
    // Only now, so that nobody waits for the lock while somebody thinks about a password.
    let mut file = if arguments.create {
        ReplacedFile::create(path).map_err(|error| cannot_open(path, &error))?
    } else {
        open(path)?
    };
    let mut text = if arguments.create {
        let users = PasswordFileText::new(&file.text).users();
        if users > 0 {
            output::note(format_args!(
                "warning: {}: the users that were there are gone: {users}",
                path.display()
            ));
        }
        PasswordFileText::default()
    } else {
        PasswordFileText::new(&file.text)
    };
    let is_new = text.set(user, &hash).map_err(|error| error.to_string())?;
    if matches!(cost, HashCost::Scram { .. }) {
        text.ensure_decoy_secret();
    }
    save(&mut file, path, &text)?;
    Ok(if is_new { format!("user {user:?} added") } else { format!("password of user {user:?} changed") })
}

fn upgrade(file: &mut ReplacedFile, path: &Path, cost: HashCost) -> Result<String, String> {
    let mut text = PasswordFileText::new(&file.text);
    let plain = text.plain();
    for (user, password) in &plain {
        let hash = PasswordHash::create(password.as_bytes(), cost).map_err(|error| error.to_string())?;
        text.set(user, &hash).map_err(|error| format!("user {user:?}: {error}"))?;
    }
    if plain.is_empty() {
        warn_about(path, &text);
        return Ok("no password is in plain text".to_owned());
    }
    if matches!(cost, HashCost::Scram { .. }) {
        text.ensure_decoy_secret();
    }
    save(file, path, &text)?;
    Ok(format!("passwords hashed: {}", plain.len()))
}

fn cost(arguments: &PasswdArguments) -> Result<HashCost, String> {
    let scram = ScramHash::of_method(&arguments.hash.to_ascii_uppercase());
    let usual = match (arguments.hash.as_str(), scram) {
        (_, Some(hash)) => HashCost::scram(hash),
        ("sha512-pbkdf2", None) => HashCost::PBKDF2_SHA512,
        _ => HashCost::ARGON2ID,
    };
    let is_argon2id = matches!(usual, HashCost::Argon2id { .. });
    if !is_argon2id && (arguments.memory_kib.is_some() || arguments.parallelism.is_some()) {
        return Err("--memory-kib and --parallelism are for argon2id".to_owned());
    }
    let cost = match usual {
        HashCost::Pbkdf2Sha512 { iterations } => {
            HashCost::Pbkdf2Sha512 { iterations: arguments.iterations.unwrap_or(iterations) }
        }
        HashCost::Scram { hash, iterations } => {
            HashCost::Scram { hash, iterations: arguments.iterations.unwrap_or(iterations) }
        }
        HashCost::Argon2id { memory_kib, iterations, parallelism } => HashCost::Argon2id {
            memory_kib: arguments.memory_kib.unwrap_or(memory_kib),
            iterations: arguments.iterations.unwrap_or(iterations),
            parallelism: arguments.parallelism.unwrap_or(parallelism),
        },
    };
    Ok(cost)
}

fn open(path: &Path) -> Result<ReplacedFile, String> {
    ReplacedFile::open(path).map_err(|error| cannot_open(path, &error))
}

fn cannot_open(path: &Path, error: &std::io::Error) -> String {
    let remedy = if error.kind() == std::io::ErrorKind::NotFound { "; -c makes the file" } else { "" };
    format!("{}: {error}{remedy}", path.display())
}

fn save(file: &mut ReplacedFile, path: &Path, text: &PasswordFileText) -> Result<(), String> {
    file.replace(&text.to_string()).map_err(|error| format!("{}: {error}", path.display()))?;
    warn_about(path, text);
    Ok(())
}

/// Lines that the broker could not use are left alone, but not without a word.
fn warn_about(path: &Path, text: &PasswordFileText) {
    let (_, problems) = PasswordFile::parse(&text.to_string());
    for problem in problems {
        output::note(format_args!("warning: {}:{}: {problem}", path.display(), problem.line));
    }
}
