//! Who else on this machine may read or write the files that the broker trusts.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::problem::{Place, Problem};

/// What it would mean if somebody else had the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileUse {
    /// Whoever reads it can pretend to be somebody.
    Secret,
    /// Everybody may read it, but whoever writes it decides what the broker does.
    Trusted,
}

impl FileUse {
    /// A warning, if users of this machine may do more with the file than they should. One that cannot be looked at is
    /// the business of whoever reads it.
    pub(super) fn warning(self, path: &Path, option: &str) -> Option<Problem> {
        let metadata = std::fs::metadata(path).ok()?;
        let mode = metadata.mode() & 0o7777;
        let (what, remedy) = self.fault(&metadata)?;
        Some(Problem {
            place: Place::WholeFile(path.display().to_string()),
            option: option.to_owned(),
            message: format!("other users of this machine may {what} it (its mode is {mode:04o})"),
            remedy: format!("`chmod {remedy} {}`", path.display()),
        })
    }

    /// What others may do, and the mode that would keep them from it.
    fn fault(self, metadata: &Metadata) -> Option<(&'static str, &'static str)> {
        let mode = metadata.mode();
        // A key of root's that a group may read is how a broker reads it that is not root.
        let is_shared = metadata.uid() == 0 && mode & 0o040 != 0;
        match self {
            Self::Secret => {
                let readable = mode & if is_shared { 0o004 } else { 0o044 };
                let remedy = if is_shared && metadata.gid() != 0 { "640" } else { "600" };
                match (readable != 0, mode & 0o022 != 0) {
                    (true, true) => Some(("read and write", remedy)),
                    (true, false) => Some(("read", remedy)),
                    (false, true) => Some(("write", remedy)),
                    (false, false) => None,
                }
            }
            Self::Trusted => (mode & 0o022 != 0).then_some(("write", "go-w")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::path::PathBuf;

    use super::*;

    /// A file with that mode: what is said of it, and with which remedy.
    fn said(path: &PathBuf, file_use: FileUse, mode: u32) -> Option<(String, String)> {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
        file_use.warning(path, "a.b").map(|problem| (problem.message, problem.remedy))
    }

    #[test]
    fn each_mode_is_judged_by_what_others_may_do() {
        let path = std::env::temp_dir().join(format!("ferry-access-{}", std::process::id()));
        std::fs::write(&path, "").expect("written");
        let may = |what: &str, mode: u32, remedy: &str| {
            let message = format!("other users of this machine may {what} it (its mode is {mode:04o})");
            Some((message, format!("`chmod {remedy} {}`", path.display())))
        };
        for mode in [0o600, 0o400] {
            assert_eq!(said(&path, FileUse::Secret, mode), None);
        }
        for (mode, what) in [(0o644, "read"), (0o666, "read and write"), (0o602, "write"), (0o620, "write")] {
            assert_eq!(said(&path, FileUse::Secret, mode), may(what, mode, "600"));
        }
        for mode in [0o600, 0o644, 0o755] {
            assert_eq!(said(&path, FileUse::Trusted, mode), None);
        }
        for mode in [0o664, 0o646, 0o666] {
            assert_eq!(said(&path, FileUse::Trusted, mode), may("write", mode, "go-w"));
        }
        let is_root = rustix::process::geteuid().is_root();
        let readable_by_group = said(&path, FileUse::Secret, 0o640);
        assert_eq!(readable_by_group, if is_root { None } else { may("read", 0o640, "600") });
        if is_root {
            chown(&path, None, Some(65_534)).expect("ours");
            assert_eq!(said(&path, FileUse::Secret, 0o644), may("read", 0o644, "640"));
            chown(&path, Some(65_534), None).expect("ours");
            assert_eq!(said(&path, FileUse::Secret, 0o640), may("read", 0o640, "600"));
        }
        std::fs::remove_file(&path).expect("ours");
        assert_eq!(FileUse::Secret.warning(&path, "a.b"), None);
    }
}
