//! `[authorization]`: what clients may do.

use std::path::{Path, PathBuf};

use ferry_auth::{AclFile, RuleProblem, RulesFile};

use super::file_access::FileUse;
use super::option::section;
use super::problem::{Place, Problem};
use super::value::Kind;

const OPTION: &str = "authorization.acl_file";
const RULES_OPTION: &str = "authorization.rules_file";

section! {
    /// What clients may do. Without any of this whoever is let in may publish to everything but `$SYS`, and subscribe to
    /// everything.
    pub struct Authorization = "authorization" {
        /// Rules for users, topics and patterns, a file in the form of Mosquitto's `acl_file`. What it does not allow is
        /// denied. A change of the file takes effect at once, for clients that are connected too.
        acl_file: Option<PathBuf> = None, Kind::Path, Live;

        /// Rules by user, role, client identifier, address and certificate, a file of `[[rule]]` blocks; see the chapter on
        /// access rights. The first that matches decides, and what none matches is denied. A change of the file takes effect
        /// at once, for clients that are connected too. Not together with `acl_file`.
        rules_file: Option<PathBuf> = None, Kind::Path, Live;

        /// Whether there are roles that are managed while the broker runs, with `ferry ctl roles` or the admin API, and kept in
        /// the data directory. They are asked where the file says nothing, and what they do not allow is denied then. A change
        /// takes effect at once, for clients that are connected too.
        roles: bool = false, Kind::Flag, Live;
    }
}

impl Authorization {
    /// Whether there are rules at all.
    pub(crate) fn restricts(&self) -> bool {
        self.acl_file.is_some() || self.rules_file.is_some() || self.roles
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
    warnings.extend(FileUse::Trusted.warning(path, OPTION));
    if file.rules() == 0 {
        warnings.push(whole(
            "there is no rule in it, so nobody may do anything".to_owned(),
            "add rules, or do not name it",
        ));
    }
    Ok(file)
}

/// Reads and checks a rules file; what is doubtful goes to `warnings`.
pub(crate) fn read_rules_file(path: &Path, warnings: &mut Vec<Problem>) -> Result<RulesFile, Vec<Problem>> {
    let name = path.display().to_string();
    let whole = |message: String, remedy: &str| Problem {
        place: Place::WholeFile(name.clone()),
        option: RULES_OPTION.to_owned(),
        message,
        remedy: remedy.to_owned(),
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        vec![whole(format!("the rules file cannot be read: {error}"), "check the path and its permissions")]
    })?;
    let placed = |problem: RuleProblem| Problem {
        place: Place::File { name: name.clone(), line: problem.line, column: problem.column },
        option: RULES_OPTION.to_owned(),
        message: problem.message.into(),
        remedy: problem.remedy.into(),
    };
    let (file, problems) = RulesFile::parse(&text);
    if !problems.is_empty() {
        return Err(problems.into_iter().map(placed).collect());
    }
    warnings.extend(file.warnings().into_iter().map(placed));
    warnings.extend(FileUse::Trusted.warning(path, RULES_OPTION));
    if file.rules() == 0 {
        warnings.push(whole(
            "there is no rule in it, so nobody may do anything".to_owned(),
            "add a [[rule]], or do not name it",
        ));
    }
    Ok(file)
}
