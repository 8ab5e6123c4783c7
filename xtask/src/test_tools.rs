//! What the tests need that cargo does not bring: real clients that others wrote.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::progress::run_quietly;
use crate::workspace::target_directory;

/// A client, what computes SCRAM and tokens for others, and what a collector of traces is told.
const PYTHON: &[&str] =
    &["paho-mqtt==2.1.0", "scramp==1.5.0", "PyJWT[crypto]==2.15.1", "opentelemetry-proto==1.45.2"];
/// What tries the admin API by its OpenAPI document. It brings some forty packages with it.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// A collector of traces: a program, which there is for some machines.
const ROTEL: &str = "rotel==0.0.1a15";
const MQTT_JS: &str = "mqtt@5.16.0";

/// System packages, each with a file or program that shows it is there.
const SYSTEM: &[(&str, &str)] = &[
    ("mosquitto-clients", "mosquitto_pub"),
    ("fish", "fish"),
    ("zsh", "zsh"),
    ("gcc", "cc"),
    ("libpaho-mqtt-dev", "/usr/include/MQTTAsync.h"),
    ("nodejs", "node"),
    ("npm", "npm"),
    ("python3-venv", "python3"),
    ("prometheus", "promtool"),
];

/// Where the tools are; the tests read the same names from the environment.
pub(crate) struct TestTools {
    pub(crate) python: PathBuf,
    pub(crate) node_modules: PathBuf,
}

/// Gets what is missing: a Python environment and node modules under the target directory, and system packages by
/// apt-get when run as root.
///
/// # Errors
/// What is missing, with the exact command that installs it.
pub(crate) fn prepare() -> Result<TestTools, String> {
    system_packages()?;
    let directory = target_directory().join("test-tools");
    std::fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    optional(&directory.join("schemathesis"), SCHEMATHESIS);
    optional(&directory.join("rotel"), ROTEL);
    Ok(TestTools { python: python(&directory)?, node_modules: node_modules(&directory)? })
}

fn system_packages() -> Outcome {
    let missing: Vec<&str> =
        SYSTEM.iter().filter(|(_, witness)| !is_there(witness)).map(|(package, _)| *package).collect();
    if missing.is_empty() {
        println!("system packages: all there");
        return Ok(());
    }
    let command = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    if !is_root() {
        return Err(format!("the tests need system packages; run: sudo {command}"));
    }
    println!("system packages: {command}");
    run_quietly(Command::new("apt-get").args(["update", "-q"]))?;
    run_quietly(Command::new("apt-get").args(["install", "-qy", "--no-install-recommends"]).args(missing))
}

fn is_there(witness: &str) -> bool {
    if witness.starts_with('/') {
        return Path::new(witness).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(witness).is_file())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn python(directory: &Path) -> Result<PathBuf, String> {
    python_environment(&directory.join("python"), PYTHON)
}

/// A package with an environment of its own; where it cannot be had its tests are left out.
fn optional(environment: &Path, package: &str) {
    if let Err(error) = python_environment(environment, &[package]) {
        println!("python: {package} cannot be installed, so its tests are left out: {error}");
        // The tests look for its program; what cannot be removed is not there.
        let _ = std::fs::remove_dir_all(environment);
    }
}

/// Its `python`.
fn python_environment(environment: &Path, packages: &[&str]) -> Result<PathBuf, String> {
    let python = environment.join("bin/python");
    let all = packages.join(" ");
    if done(environment, &all) {
        println!("python: {all} is there");
        return Ok(python);
    }
    println!("python: installing {all}");
    run_quietly(Command::new("python3").args(["-m", "venv"]).arg(environment))?;
    run_quietly(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    mark_done(environment, &all)?;
    Ok(python)
}

fn node_modules(directory: &Path) -> Result<PathBuf, String> {
    let environment = directory.join("node");
    let modules = environment.join("node_modules");
    if done(&environment, MQTT_JS) {
        println!("node: {MQTT_JS} is there");
        return Ok(modules);
    }
    println!("node: installing {MQTT_JS}");
    std::fs::create_dir_all(&environment).map_err(|error| error.to_string())?;
    let arguments = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
    run_quietly(Command::new("npm").args(arguments).arg(&environment).arg(MQTT_JS))?;
    mark_done(&environment, MQTT_JS)?;
    Ok(modules)
}

/// An interrupted installation leaves no mark, so that it is made again.
fn done(environment: &Path, what: &str) -> bool {
    std::fs::read_to_string(environment.join("installed")).is_ok_and(|mark| mark == what)
}

fn mark_done(environment: &Path, what: &str) -> Outcome {
    std::fs::write(environment.join("installed"), what).map_err(|error| error.to_string())
}
