//! `cargo xtask dependencies`: licences, advisories, known bad, yanked and duplicate dependencies.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::Outcome;
use crate::licence::is_permissive;
use crate::progress::{run as run_command, run_quietly};
use crate::workspace::{metadata, path_with_tools, root, tools};

const ADVISORY_DATABASE: &str = "https://github.com/RustSec/advisory-db";

/// Crates that must not come in, and why; the advisory database, where it can be reached, knows more.
const KNOWN_BAD: &[(&str, &str)] = &[
    ("native-tls", "we use rustls; a second TLS library doubles what must be patched"),
    ("ansi_term", "unmaintained (RUSTSEC-2021-0139)"),
    ("atty", "unsound and unmaintained (RUSTSEC-2021-0145)"),
    ("dotenv", "unmaintained (RUSTSEC-2021-0141)"),
    ("failure", "unsound and unmaintained (RUSTSEC-2020-0036)"),
    ("instant", "unmaintained (RUSTSEC-2024-0384)"),
    ("net2", "unmaintained (RUSTSEC-2020-0016)"),
    ("paste", "unmaintained (RUSTSEC-2024-0436)"),
    ("proc-macro-error", "unmaintained (RUSTSEC-2024-0370)"),
    ("serde_yaml", "unmaintained"),
    ("term_size", "unmaintained (RUSTSEC-2020-0163)"),
    ("yaml-rust", "unmaintained (RUSTSEC-2024-0320)"),
];

/// Crates that must not come in unless somebody asks for the feature that needs them, and why.
const NOT_BY_DEFAULT: &[(&str, &str)] = &[
    (
        "openssl-sys",
        "only the feature `psk` may need OpenSSL: a second TLS library doubles what must be patched, and the default build \
         needs no C library",
    ),
    (
        "libgssapi-sys",
        "only the feature `kerberos` may need the system's Kerberos: the default build needs no C library",
    ),
];

struct Package {
    name: String,
    version: String,
    licence: String,
    from_registry: bool,
}

/// # Errors
/// One line per dependency that must not be there.
pub(crate) fn run() -> Outcome {
    let by_default = packages(&metadata(&[])?)?;
    let packages = packages(&metadata(&["--all-features"])?)?;
    let mut problems = Vec::new();
    for package in &by_default {
        if let Some((_, why)) = NOT_BY_DEFAULT.iter().find(|(name, _)| *name == package.name) {
            problems.push(format!("{} {}, by default: {why}", package.name, package.version));
        }
    }
    for package in packages.iter().filter(|package| package.from_registry) {
        if !is_permissive(&package.licence) {
            problems.push(format!("{} {}: licence \"{}\"", package.name, package.version, package.licence));
        }
        if let Some((_, why)) = KNOWN_BAD.iter().find(|(name, _)| *name == package.name) {
            problems.push(format!("{} {}: {why}", package.name, package.version));
        }
    }
    report_duplicates(&packages);
    problems.extend(yanked(&packages));
    if problems.is_empty() {
        println!("{} dependencies: licences permissive, none known as bad", packages.len());
    } else {
        return Err(problems.join("\n"));
    }
    advisories()
}

fn packages(metadata: &Value) -> Result<Vec<Package>, String> {
    let list = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(list
        .iter()
        .map(|package| Package {
            name: text(&package["name"]),
            version: text(&package["version"]),
            licence: text(&package["license"]),
            from_registry: !package["source"].is_null(),
        })
        .collect())
}

/// Two versions of one crate cost build time and size, but are not ours to forbid: upstreams move at their own pace.
fn report_duplicates(packages: &[Package]) {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        println!("note: {name} is there in {} versions: {}", versions.len(), versions.join(", "));
    }
}

/// Versions that their authors have withdrawn, as far as cargo's copy of the registry index knows them.
fn yanked(packages: &[Package]) -> Vec<String> {
    let caches = index_caches();
    if caches.is_empty() {
        println!("note: no copy of the registry index here, so withdrawn versions are not looked for");
    }
    let is_yanked = |package: &Package| {
        caches.iter().any(|cache| {
            let text = std::fs::read(cache.join(index_path(&package.name))).unwrap_or_default();
            says_yanked(&String::from_utf8_lossy(&text), &package.version)
        })
    };
    let registry = packages.iter().filter(|package| package.from_registry);
    registry
        .filter(|package| is_yanked(package))
        .map(|package| format!("{} {}: yanked by its authors", package.name, package.version))
        .collect()
}

fn says_yanked(index_entry: &str, version: &str) -> bool {
    let wanted = format!("\"vers\":\"{version}\"");
    index_entry.split('\0').any(|record| record.contains(&wanted) && record.contains("\"yanked\":true"))
}

fn index_caches() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let Some(index) = home.map(|home| home.join("registry/index")) else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(index) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path().join(".cache")).filter(|cache| cache.is_dir()).collect()
}

/// Where the index keeps a crate: `1/a`, `2/ab`, `3/a/abc`, `ab/cd/abcdef`.
fn index_path(name: &str) -> PathBuf {
    let name = name.to_ascii_lowercase();
    let part = |from: usize, to: usize| name.get(from..to).unwrap_or_default().to_owned();
    match name.len() {
        1 | 2 => PathBuf::from(name.len().to_string()).join(&name),
        3 => PathBuf::from("3").join(part(0, 1)).join(&name),
        _ => PathBuf::from(part(0, 2)).join(part(2, 4)).join(&name),
    }
}

/// Compares the lock file with the RustSec advisory database. The database is fetched, and cargo-audit installed below
/// `target/` if neither it nor cargo-deny is there; without a way to the database this says that nothing was checked.
fn advisories() -> Outcome {
    let probe = ["--silent", "--head", "--fail", "--location", "--output", "/dev/null", "--max-time", "20"];
    if run_quietly(Command::new("curl").args(probe).arg(ADVISORY_DATABASE)).is_err() {
        println!("note: {ADVISORY_DATABASE} cannot be reached: advisories are NOT checked");
        return Ok(());
    }
    if run_quietly(Command::new("cargo").args(["deny", "--version"])).is_ok() {
        return run_command(Command::new("cargo").current_dir(root()).args(["deny", "check", "advisories"]));
    }
    if run_quietly(cargo_audit().arg("--version")).is_err() {
        println!("installing cargo-audit below target/tools");
        let mut install = Command::new("cargo");
        install.current_dir(root()).args(["install", "cargo-audit", "--locked", "--quiet", "--root"]);
        run_command(install.arg(tools()))?;
    }
    run_command(&mut cargo_audit())
}

fn cargo_audit() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root()).env("PATH", path_with_tools()).arg("audit");
    command
}

#[cfg(test)]
mod tests {
    use super::{index_path, says_yanked};

    #[test]
    fn the_index_has_four_shapes_of_path() {
        for (name, path) in [("a", "1/a"), ("ab", "2/ab"), ("abc", "3/a/abc"), ("Serde", "se/rd/serde")] {
            assert_eq!(index_path(name).to_string_lossy(), path);
        }
    }

    #[test]
    fn yanked_is_a_property_of_one_version() {
        let entry = "1.0\0{\"vers\":\"1.0\",\"yanked\":true}\0{\"vers\":\"1.1\",\"yanked\":false}\0";
        assert!(says_yanked(entry, "1.0"));
        assert!(!says_yanked(entry, "1.1"));
    }
}
