//! All scripts under `tests/scripts`.

use std::path::{Path, PathBuf};

use super::{Script, parse};

/// Reads all scripts, sorted by name.
///
/// # Errors
/// Each script that cannot be read.
pub fn all_scripts() -> Result<Vec<Script>, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut paths = Vec::new();
    collect(&directory, &mut paths);
    paths.sort();
    let mut scripts = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        let name = path.strip_prefix(&directory).unwrap_or(&path).with_extension("");
        let name = name.to_string_lossy().replace('\\', "/");
        match std::fs::read_to_string(&path) {
            Ok(text) => match parse(&name, &text) {
                Ok(script) => scripts.push(script),
                Err(problem) => problems.push(problem),
            },
            Err(error) => problems.push(format!("{}: {error}", path.display())),
        }
    }
    if problems.is_empty() { Ok(scripts) } else { Err(problems.join("\n")) }
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "script") {
            paths.push(path);
        }
    }
}
