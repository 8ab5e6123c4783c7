//! `[authorization]`: what clients may do.

use std::path::{Path, PathBuf};

use ferry_auth::AclFile;

use super::option::section;
use super::problem::{Place, Problem};
use super::value::Kind;

const OPTION: &str = "authorization.acl_file";

section! {
    /// What clients may do. Without any of this whoever is let in may publish to everything but `$SYS`, and subscribe to
    /// everything.
    pub struct Authorization = "authorization" {
        /// Rules for users, topics and patterns, a file in the form of Mosquitto's `acl_file`. What it does not allow is
        /// denied. A change of the file takes effect at once, for clients that are connected too.
        acl_file: Option<PathBuf> = None, Kind::Path, Live;
    }
}

/// Reads and checks an ACL file; what is doubtful goes to `warnings`.
pub(crate) fn read_acl_file(path: &Path, warnings: &mut Vec<Problem>) -> Result<AclFile, Vec<Problem>> {
    let name = path.display().to_string();
    let whole = |message: String, remedy: &str| Problem {
        place: Place::WholeFile(name.clone()),
        option: OPTION.to_owned(),
        message,
        remedy: remedy.to_owned(),
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        vec![whole(format!("the ACL file cannot be read: {error}"), "check the path and its permissions")]
    })?;
    let (file, problems) = AclFile::parse(&text);
    if !problems.is_empty() {
        let problems = problems.into_iter().map(|problem| Problem {
            place: Place::File { name: name.clone(), line: problem.line, column: 1 },
            option: OPTION.to_owned(),
            message: problem.message.into(),
            remedy:
                "write user NAME, topic [read|write|readwrite|deny] FILTER, or pattern ... with %c and %u"
                    .to_owned(),
        });
        return Err(problems.collect());
    }
    if file.rules() == 0 {
        warnings.push(whole(
            "there is no rule in it, so nobody may do anything".to_owned(),
            "add rules, or do not name it",
        ));
    }
    Ok(file)
}
