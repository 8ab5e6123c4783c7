//! Which crate may depend on which: the arrows of the architecture.

use crate::workspace::{relative, root};

/// Each crate with the crates of ours that it may name. A crate that is not listed may not exist.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("ferry-codec", &[]),
    ("ferry-session", &["ferry-codec"]),
    ("ferry-router", &["ferry-codec"]),
    ("ferry-core", &["ferry-codec", "ferry-session", "ferry-router"]),
    ("ferry-store", &[]),
    ("ferry-scram", &[]),
    ("ferry-kerberos", &[]),
    ("ferry-auth", &["ferry-kerberos", "ferry-scram"]),
    ("ferry-net", &[]),
    ("ferry-resident", &[]),
    (
        "ferry-broker",
        &[
            "ferry-codec",
            "ferry-session",
            "ferry-router",
            "ferry-core",
            "ferry-store",
            "ferry-auth",
            "ferry-net",
            "ferry-resident",
        ],
    ),
    ("ferry-client", &["ferry-codec", "ferry-kerberos", "ferry-scram", "ferry-session", "ferry-store"]),
    ("ferry-test-broker", &["ferry-codec", "ferry-core", "ferry-client"]),
    ("ferry-bench", &["ferry-codec"]),
    ("ferry", &["ferry-auth", "ferry-bench", "ferry-broker", "ferry-client", "ferry-codec"]),
    ("ferry-sim", &["ferry-codec", "ferry-session", "ferry-router", "ferry-core", "ferry-store"]),
];

/// Crates whose code does no input or output, keeps no clock and draws no random numbers.
pub(crate) const PURE: &[&str] =
    &["ferry-codec", "ferry-session", "ferry-router", "ferry-core", "ferry-scram"];

/// What a pure crate may not even have as a dependency.
const IMPURE_CRATES: &[&str] = &[
    "tokio",
    "rand",
    "getrandom",
    "mio",
    "socket2",
    "async-std",
    "smol",
    "chrono",
    "time",
    "libc",
    "tracing",
];

pub(crate) fn check() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(root().join("crates")) else {
        return vec!["crates: cannot be read".to_owned()];
    };
    let mut problems = Vec::new();
    for entry in entries.flatten() {
        let manifest = entry.path().join("Cargo.toml");
        let directory = entry.file_name().to_string_lossy().into_owned();
        match std::fs::read_to_string(&manifest) {
            Ok(text) => problems.extend(check_manifest(&directory, &text)),
            Err(error) => problems.push(format!("{}: {error}", relative(&manifest))),
        }
    }
    problems.sort();
    problems
}

fn check_manifest(directory: &str, manifest: &str) -> Vec<String> {
    let table: toml::Table = match manifest.parse() {
        Ok(table) => table,
        Err(error) => return vec![format!("crates/{directory}/Cargo.toml: {error}")],
    };
    let mut problems = Vec::new();
    let name = table.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    if name != Some(directory) {
        problems.push(format!("crates/{directory}: the crate's name is not its directory's"));
    }
    let Some((_, allowed)) = MAY_DEPEND_ON.iter().find(|(name, _)| *name == directory) else {
        problems
            .push(format!("crates/{directory}: not in the list of crates (xtask/src/tidy/crate_rules.rs)"));
        return problems;
    };
    for dependency in dependencies(&table) {
        if dependency.starts_with("ferry") && !allowed.contains(&dependency.as_str()) {
            problems.push(format!("crates/{directory}: may not depend on {dependency}"));
        }
        if PURE.contains(&directory) && IMPURE_CRATES.contains(&dependency.as_str()) {
            problems.push(format!("crates/{directory}: is pure and may not depend on {dependency}"));
        }
    }
    problems
}

/// Dependencies of the code itself; tests may use what they need.
fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let mut tables = vec![manifest];
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().filter_map(toml::Value::as_table));
    }
    let sections = tables.iter().flat_map(|table| {
        ["dependencies", "build-dependencies"]
            .map(|section| table.get(section).and_then(toml::Value::as_table))
    });
    sections.flatten().flat_map(toml::Table::keys).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::check_manifest;

    fn problems(directory: &str, dependencies: &str) -> Vec<String> {
        check_manifest(
            directory,
            &format!("[package]\nname = \"{directory}\"\n[dependencies]\n{dependencies}"),
        )
    }

    #[test]
    fn arrows_go_one_way() {
        assert!(problems("ferry-core", "ferry-session.workspace = true").is_empty());
        assert_eq!(problems("ferry-session", "ferry-core.workspace = true").len(), 1);
        assert_eq!(problems("ferry-net", "ferry-codec.workspace = true").len(), 1);
    }

    #[test]
    fn pure_crates_have_no_runtime() {
        assert_eq!(problems("ferry-codec", "tokio.workspace = true").len(), 1);
        assert!(problems("ferry-net", "tokio.workspace = true").is_empty());
    }

    #[test]
    fn target_sections_count_and_tests_do_not() {
        let manifest = "[package]\nname = \"ferry-core\"\n[dev-dependencies]\ntokio = \"1\"\n\
                        [target.'cfg(unix)'.dependencies]\nlibc = \"1\"";
        assert_eq!(
            check_manifest("ferry-core", manifest),
            ["crates/ferry-core: is pure and may not depend on libc"]
        );
    }

    #[test]
    fn an_unknown_crate_is_a_problem() {
        assert_eq!(problems("ferry-magic", "").len(), 1);
    }
}
