use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files of this process, and of brokers that it starts, to the most that it may have. Each
/// connection is an open file, here and there.
///
/// # Errors
/// That is less than `needed`.
pub fn raise_open_files(needed: u64) -> Result<(), String> {
    let limits = getrlimit(Resource::Nofile);
    if limits.maximum.is_some_and(|maximum| maximum < needed) {
        let maximum = limits.maximum.unwrap_or_default();
        return Err(format!(
            "{needed} open files are needed and {maximum} allowed: raise it with `ulimit -Hn`"
        ));
    }
    let raised = Rlimit { current: limits.maximum, maximum: limits.maximum };
    setrlimit(Resource::Nofile, raised).map_err(|error| format!("the limit of open files: {error}"))
}
