//! Reading the password file.

use std::path::Path;

use ferry_auth::{PasswordFile, PasswordFileFault};

use super::file_access::FileUse;
use super::problem::{Place, Problem};

const OPTION: &str = "authentication.password_file";

/// Reads and checks a password file; what is doubtful goes to `warnings`.
pub(crate) fn read_password_file(
    path: &Path,
    warnings: &mut Vec<Problem>,
) -> Result<PasswordFile, Vec<Problem>> {
    let name = path.display().to_string();
    let whole = |message: String, remedy: &str| Problem {
        place: Place::WholeFile(name.clone()),
        option: OPTION.to_owned(),
        message,
        remedy: remedy.to_owned(),
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound => "make it with `ferry passwd -c FILE USER`",
            _ => "check the path and its permissions",
        };
        vec![whole(format!("the password file cannot be read: {error}"), remedy)]
    })?;
    let (file, problems) = PasswordFile::parse(&text);
    if !problems.is_empty() {
        let problems = problems.into_iter().map(|problem| Problem {
            place: Place::File { name: name.clone(), line: problem.line, column: 1 },
            option: OPTION.to_owned(),
            message: problem.to_string(),
            remedy: remedy(problem.fault).to_owned(),
        });
        return Err(problems.collect());
    }
    warnings.extend(FileUse::Secret.warning(path, OPTION));
    if file.is_empty() {
        warnings.push(whole("there is no user in it".to_owned(), "add one with `ferry passwd FILE USER`"));
    }
    if file.weak_hashes() > 0 {
        let message = format!(
            "whoever gets the file can try passwords quickly: {} of {} users have a weak hash",
            file.weak_hashes(),
            file.len()
        );
        warnings.push(whole(message, "set these passwords anew with `ferry passwd FILE USER`"));
    }
    Ok(file)
}

fn remedy(fault: PasswordFileFault) -> &'static str {
    match fault {
        PasswordFileFault::NoColon | PasswordFileFault::UserName => "write name:hash, or # before a comment",
        PasswordFileFault::Twice => "remove one of the lines",
        PasswordFileFault::Hash(_) => {
            "set the password anew with `ferry passwd FILE USER`, or hash all plain ones with `ferry passwd -U FILE`"
        }
    }
}
