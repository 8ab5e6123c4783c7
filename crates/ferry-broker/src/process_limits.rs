use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors this process may have open at once; each connection takes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenFiles {
    /// What the process had been given.
    pub(crate) before: Option<u64>,
    /// What it has now; `None` is no limit.
    pub(crate) now: Option<u64>,
}

/// Raises the soft limit of open files to the hard one. A refusal is no reason not to start: what is in force
/// is reported in the start block either way.
pub(crate) fn raise_open_files() -> OpenFiles {
    let limits = getrlimit(Resource::Nofile);
    let before = limits.current;
    if limits.current == limits.maximum {
        return OpenFiles { before, now: before };
    }
    let raised = Rlimit { current: limits.maximum, maximum: limits.maximum };
    let now = if setrlimit(Resource::Nofile, raised).is_ok() { limits.maximum } else { before };
    OpenFiles { before, now }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raising_twice_changes_nothing_more() {
        let first = raise_open_files();
        let second = raise_open_files();
        assert_eq!(second, OpenFiles { before: first.now, now: first.now });
    }
}
