//! Where things are: the root, the target directory, the packages.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a directory of the workspace")
}

/// A cargo command in the root of the repository.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // Cargo tells a program that it runs about the program's package. Build scripts that look at this would run again
    // each time that somebody builds without xtask, and all that depends on them.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            command.env_remove(name);
        }
    }
    command
}

/// What `cargo metadata` says, with these options besides.
///
/// # Errors
/// When cargo fails or prints something else than JSON.
pub(crate) fn metadata(options: &[&str]) -> Result<Value, String> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(options)
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

/// The directory that cargo builds into.
pub(crate) fn target_directory() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root().join(directory),
        None => root().join("target"),
    }
}

/// Where tools go that this repository installs for itself.
pub(crate) fn tools() -> PathBuf {
    root().join("target/tools")
}

/// The search path for programs, with the [`tools`] first.
pub(crate) fn path_with_tools() -> OsString {
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(tools().join("bin")).chain(std::env::split_paths(&inherited));
    std::env::join_paths(paths).unwrap_or(inherited)
}

/// All files under `directory` (relative to the root), sorted, without those that git ignores by our rules.
pub(crate) fn files_under(directory: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(&root().join(directory), &mut files);
    files.sort();
    files
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let ignored =
            ["target", "node_modules", "corpus", "artifacts", ".git"].iter().any(|skip| name == *skip);
        if path.is_dir() && !ignored {
            collect(&path, files);
        } else if path.is_file() {
            files.push(path);
        }
    }
}

/// The path relative to the root, with forward slashes.
pub(crate) fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}
