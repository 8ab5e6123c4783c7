//! `cargo xtask instructions`: instructions of the hot paths, counted by callgrind, which may not grow unnoticed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::Outcome;
use crate::workspace::{cargo, root};

/// The figures that are checked in, relative to the root.
const FIGURES: &str = "crates/ferry-core/benches/instructions/figures.toml";

/// The packages that have scenarios.
const PACKAGES: [&str; 2] = ["ferry-core", "ferry-auth"];

/// How much more than the figures is accepted, in percent.
const MORE_PERCENT_MAX: f64 = 5.0;

/// From this much less on it is worth saying, and keeping.
const LESS_PERCENT: f64 = 5.0;

/// Each scenario is run with both numbers of operations, and the difference divided by that of the numbers: what it
/// takes to start and to prepare is in both. The scenarios are written for no more than these.
const OPERATIONS: [u64; 2] = [20, 120];

/// The C library chooses among its functions by what the processor can do: this leaves it no choice, under the names
/// that its versions have for the same things.
const LIBRARY_TUNABLES: &str = "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-AVX_Fast_Unaligned_Load,-AVX512F,-AVX512VL,\
    -AVX512BW,-ERMS,-FSRM,-BMI2";

/// Counts by scenario, and what they were counted with.
#[derive(Debug, PartialEq)]
struct Figures {
    environment: BTreeMap<String, String>,
    /// Of one operation.
    instructions: BTreeMap<String, f64>,
}

/// # Errors
/// A hot path takes more instructions than the figures say, or they do not name the same paths.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let update = arguments.iter().any(|argument| argument == "--update");
    if let Some(unknown) = arguments.iter().find(|argument| *argument != "--update") {
        return Err(format!("unknown option {unknown}"));
    }
    let Some(valgrind) = version(Command::new("valgrind").arg("--version")) else {
        let words =
            "valgrind is not installed: instructions are NOT counted (Debian: apt-get install valgrind)";
        println!("{words}");
        return if update { Err(words.to_owned()) } else { Ok(()) };
    };
    let now = count(environment(valgrind)?)?;
    if update {
        let path = root().join(FIGURES);
        std::fs::write(&path, write(&now)).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("{} figures are in {FIGURES}", now.instructions.len());
        return Ok(());
    }
    let text =
        std::fs::read_to_string(root().join(FIGURES)).map_err(|error| format!("{FIGURES}: {error}"))?;
    compare(&read(&text)?, &now)
}

/// What makes the counts differ although the code does not.
fn environment(valgrind: String) -> Result<BTreeMap<String, String>, String> {
    let rustc = version(Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-V"));
    let library = version(Command::new("getconf").arg("GNU_LIBC_VERSION")).unwrap_or_default();
    Ok(BTreeMap::from([
        ("rustc".to_owned(), rustc.ok_or("rustc does not say its version")?),
        ("library".to_owned(), library),
        ("valgrind".to_owned(), valgrind),
        ("architecture".to_owned(), std::env::consts::ARCH.to_owned()),
    ]))
}

/// The first line of what a command prints; `None` if it cannot be run.
fn version(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

fn count(environment: BTreeMap<String, String>) -> Result<Figures, String> {
    let mut instructions = BTreeMap::new();
    for package in PACKAGES {
        let before = instructions.len();
        count_all(&build(package)?, &mut instructions)?;
        if instructions.len() == before {
            return Err(format!("{package}: there is nothing to count"));
        }
    }
    Ok(Figures { environment, instructions })
}

/// Counts what a program has.
fn count_all(program: &PathBuf, instructions: &mut BTreeMap<String, f64>) -> Outcome {
    let list = Command::new(program).output().map_err(|error| format!("{}: {error}", program.display()))?;
    for name in String::from_utf8_lossy(&list.stdout).lines() {
        let (few, many) = std::thread::scope(|scope| {
            let few = scope.spawn(|| count_one(program, name, OPERATIONS[0]));
            let many = count_one(program, name, OPERATIONS[1]);
            (few.join().unwrap_or_else(|_| Err("counting failed".to_owned())), many)
        });
        let difference = many?.saturating_sub(few?) as f64;
        instructions.insert(name.to_owned(), difference / (OPERATIONS[1] - OPERATIONS[0]) as f64);
    }
    Ok(())
}

/// Builds the scenarios of a package as the broker is built for users.
fn build(package: &str) -> Result<PathBuf, String> {
    let mut command = cargo();
    command.args(["build", "--release", "--quiet", "--locked", "--package", package]);
    command.args(["--bench", "instructions", "--message-format", "json-render-diagnostics"]);
    // Other instructions than those of every processor would make other counts.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let output = command.stderr(std::process::Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cargo build: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo build: {}", output.status));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut built = messages.filter(|message| message["target"]["name"] == "instructions");
    let program = built.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    program.ok_or_else(|| "cargo build does not say what it built".to_owned())
}

fn count_one(program: &PathBuf, name: &str, operations: u64) -> Result<u64, String> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    command.arg(name).arg(operations.to_string()).env("GLIBC_TUNABLES", LIBRARY_TUNABLES);
    let output = command.output().map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{name}: {}\n{said}", output.status));
    }
    collected(&said).ok_or_else(|| format!("{name}: valgrind does not say how much it collected\n{said}"))
}

/// The number in callgrind's line `==4711== Collected : 123456`.
fn collected(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("Collected :"))?;
    line.split_whitespace().last()?.parse().ok()
}

fn compare(known: &Figures, now: &Figures) -> Outcome {
    let mut worse = Vec::new();
    let mut better = false;
    println!("{:<48}{:>14}{:>14}{:>9}", "instructions", "figure", "now", "");
    for (name, count) in &now.instructions {
        let Some(figure) = known.instructions.get(name) else {
            worse.push(format!("{name}: there is no figure of it"));
            continue;
        };
        let percent = (count / figure - 1.0) * 100.0;
        println!("{name:<48}{figure:>14.1}{count:>14.1}{percent:>+8.1}%");
        better |= percent < -LESS_PERCENT;
        if percent > MORE_PERCENT_MAX {
            worse.push(format!("{name}: {percent:+.1} % instructions"));
        }
    }
    let gone = known.instructions.keys().filter(|name| !now.instructions.contains_key(*name));
    worse.extend(gone.map(|name| format!("{name}: is not counted any more")));
    if known.environment != now.environment {
        println!("not judged: the figures are from {:?}, this is {:?}", known.environment, now.environment);
        return Ok(());
    }
    if better {
        println!("some are better: keep that by cargo xtask instructions --update");
    }
    if worse.is_empty() {
        return Ok(());
    }
    worse.push("with a reason, in the commit: cargo xtask instructions --update".to_owned());
    Err(worse.join("\n"))
}

fn write(figures: &Figures) -> String {
    let mut text = String::from(
        "# Instructions of one operation of the hot paths, by callgrind. Written by `cargo xtask instructions --update`.\n\
         # `cargo xtask ci` fails where one takes 5 % more, if it is counted with the same versions.\n\n[environment]\n",
    );
    for (name, value) in &figures.environment {
        let _ = writeln!(text, "{name} = {value:?}");
    }
    text.push_str("\n[instructions]\n");
    for (name, count) in &figures.instructions {
        let _ = writeln!(text, "{name:?} = {count:.1}");
    }
    text
}

fn read(text: &str) -> Result<Figures, String> {
    let table: toml::Table = text.parse().map_err(|error| format!("{FIGURES}: {error}"))?;
    let section = |name: &str| {
        let section = table.get(name).and_then(toml::Value::as_table).cloned();
        section.ok_or_else(|| format!("{FIGURES}: there is no [{name}]"))
    };
    let environment = section("environment")?.into_iter();
    let environment =
        environment.map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned())).collect();
    let instructions = section("instructions")?.into_iter();
    let instructions =
        instructions.map(|(name, value)| (name, value.as_float().unwrap_or_default())).collect();
    Ok(Figures { environment, instructions })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(count: f64) -> Figures {
        Figures {
            environment: BTreeMap::from([("rustc".to_owned(), "rustc 1".to_owned())]),
            instructions: BTreeMap::from([("decode, 1".to_owned(), count)]),
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        assert_eq!(read(&write(&figures(1234.5))), Ok(figures(1234.5)));
    }

    #[test]
    fn more_than_five_percent_more_is_an_error() {
        assert_eq!(compare(&figures(100.0), &figures(104.9)), Ok(()));
        assert_eq!(compare(&figures(100.0), &figures(50.0)), Ok(()));
        assert!(compare(&figures(100.0), &figures(105.1)).is_err());
    }

    #[test]
    fn other_scenarios_are_an_error() {
        let none = Figures { instructions: BTreeMap::new(), ..figures(0.0) };
        assert!(compare(&none, &figures(1.0)).is_err());
        assert!(compare(&figures(1.0), &none).is_err());
    }

    #[test]
    fn counts_of_another_compiler_are_not_judged() {
        let environment = BTreeMap::from([("rustc".to_owned(), "rustc 2".to_owned())]);
        assert_eq!(compare(&figures(100.0), &Figures { environment, ..figures(200.0) }), Ok(()));
    }

    #[test]
    fn what_callgrind_collected_is_found() {
        assert_eq!(collected("==7== Events    : Ir\n==7== Collected : 211334\n==7==\n"), Some(211_334));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
    }
}
