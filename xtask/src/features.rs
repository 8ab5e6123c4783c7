//! `cargo xtask features`: what only a program with an optional feature has.

use std::process::Command;

use crate::Outcome;
use crate::progress::{run as run_command, run_quietly};
use crate::workspace::cargo;

/// A feature of the program that is not there by default.
struct Feature {
    /// Its name in the crate `ferry`.
    name: &'static str,
    /// What pkg-config must find to build it.
    needs: &'static [&'static str],
    /// The packages of Debian that bring it.
    debian: &'static str,
    /// Whether those must be there besides: programs of them are needed, or pkg-config knows not all.
    needs_packages: bool,
    /// Parts of the names of the tests that see something of it; the others have run without it.
    tests: &'static [&'static str],
}

const FEATURES: &[Feature] = &[
    Feature {
        name: "kerberos",
        needs: &["mit-krb5-gssapi"],
        debian: KERBEROS,
        needs_packages: true,
        tests: &["kerberos", "keytab", "bash_completes"],
    },
    Feature {
        name: "psk",
        needs: &["openssl"],
        debian: "libssl-dev pkg-config",
        needs_packages: false,
        tests: &["psk", "pre_shared", "keys_are_written", "bash_completes"],
    },
    Feature { name: "postgresql", needs: &[], debian: "postgresql", needs_packages: false, tests: &["sql"] },
    Feature { name: "sqlite", needs: &[], debian: "gcc", needs_packages: false, tests: &["sql"] },
];

/// Bindings are made with the second, and tested with those behind it.
const KERBEROS: &str =
    "libkrb5-dev libclang-dev krb5-kdc krb5-admin-server krb5-user python3-gssapi pkg-config";

/// Where Debian has the programs of PostgreSQL's servers.
const POSTGRESQL: &str = "/usr/lib/postgresql";

impl Feature {
    fn is_possible(&self) -> bool {
        let is_found =
            |library: &&str| run_quietly(Command::new("pkg-config").args(["--exists", library])).is_ok();
        self.needs.iter().all(is_found) && (!self.needs_packages || self.debian.split(' ').all(is_installed))
    }
}

/// Whether a package of Debian is there; elsewhere none is.
fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    let output = query.args(["--show", "--showformat=${db:Status-Status}", package]).output();
    output.is_ok_and(|output| output.status.success() && output.stdout == b"installed")
}

/// The crates that have such features.
const PACKAGES: [&str; 10] =
    ["-p", "ferry-auth", "-p", "ferry-net", "-p", "ferry-client", "-p", "ferry-broker", "-p", "ferry"];

/// Builds the features together, as they would be for somebody who asks for all of them: one build instead of one for each.
///
/// # Errors
/// Clippy finds something, or a test fails. What cannot be built for want of a library is named, and not checked.
pub(crate) fn run() -> Outcome {
    let (here, missing): (Vec<&Feature>, Vec<&Feature>) =
        FEATURES.iter().partition(|feature| feature.is_possible());
    for feature in missing {
        println!(
            "note: the feature `{}` is NOT checked: it needs {} of Debian",
            feature.name, feature.debian
        );
    }
    if !std::path::Path::new(POSTGRESQL).is_dir() {
        println!(
            "note: the feature `postgresql` is NOT checked against a server: it needs postgresql of Debian"
        );
    }
    let names: Vec<String> = here.iter().map(|feature| format!("ferry/{}", feature.name)).collect();
    let features = ["--locked".to_owned(), "--features".to_owned(), names.join(",")];
    let mut clippy = cargo();
    clippy.args(["clippy", "--quiet", "--all-targets"]).args(PACKAGES).args(&features);
    run_command(clippy.args(["--", "-D", "warnings"]))?;
    let mut test = cargo();
    test.args(["test", "--quiet", "--lib", "--test", "broker", "--test", "loopback", "--test", "tools"])
        .args(PACKAGES);
    test.args(&features).arg("--");
    run_command(test.args(here.iter().flat_map(|feature| feature.tests)))
}
