//! How large the smallest publisher is, as a file and in memory.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use ferry_tests::ferry::{Ferry, Transport};
use ferry_tests::measured_broker::ProcessFigures;

use crate::median;

/// With what the program is built, and the variable that says where it is.
const BUILDS: [(&str, &str); 2] =
    [("TCP only", "FERRY_BENCH_MINIMAL"), ("with TLS", "FERRY_BENCH_MINIMAL_TLS")];

/// Prints a table.
pub(crate) fn measure(runs: usize) -> Result<(), String> {
    println!("\n{:<28}{:>16}{:>16}", "minimal publisher", "file KiB", "resident KiB");
    for (name, variable) in BUILDS {
        let Some(program) = std::env::var_os(variable) else { continue };
        let program = Path::new(&program);
        let file_bytes = program.metadata().map_err(|error| format!("{}: {error}", program.display()))?.len();
        let resident: Result<Vec<u64>, String> = (0..runs).map(|_| resident_bytes(program)).collect();
        let resident = median(resident?.into_iter().map(|bytes| bytes as f64));
        println!("{name:<28}{:>16}{:>16.0}", file_bytes / 1024, resident / 1024.0);
    }
    Ok(())
}

/// Of a process that has connected and published.
fn resident_bytes(program: &Path) -> Result<u64, String> {
    let broker = Ferry::start("");
    let url = format!("mqtt://{}", broker.address(Transport::Tcp));
    let mut command = Command::new(program);
    command.arg(url).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
    let mut line = String::new();
    let stdout = child.stdout.take().ok_or("the publisher has no output")?;
    BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
    let resident = ProcessFigures::of(child.id()).resident_bytes();
    drop(child.stdin.take());
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { resident } else { Err(format!("{}: {status}", program.display())) }
}
