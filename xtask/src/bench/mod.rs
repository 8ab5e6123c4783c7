//! `cargo xtask bench`: Ferry and its peers, one after the other, scenario by scenario, as a table.

mod broker_process;
mod descendants;
mod document;
mod figures;
pub(crate) mod guard;
mod install;
mod measurement;
mod options;
mod peer;
mod scenario;
mod small_processors;
mod suite;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::Outcome;
use crate::progress::run as run_command;
use crate::workspace::{cargo, root, target_directory};
use options::Options;
use peer::Peer;
use suite::Suite;

/// # Errors
/// When Ferry cannot be built or started, the arguments are wrong, or the table cannot be written.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let options = Options::parse(arguments)?;
    if options.install_peers {
        install::install_peers()?;
    }
    let ferry = match &options.ferry {
        // Brokers start in directories of their own.
        Some(file) => std::fs::canonicalize(file).map_err(|error| format!("--ferry {file}: {error}"))?,
        None => built()?,
    };
    let suite = Suite::new(&options, Peer::all()?, ferry)?;
    let results = suite.run()?;
    let text = document::document(&results, &options.shown());
    println!("\n{text}");
    let Some(file) = options.document() else {
        println!("only a complete run is written to {}; --output FILE writes any", options::DOCUMENT);
        return Ok(());
    };
    let path = root().join(&file);
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("written to {file}");
    Ok(())
}

/// Builds Ferry as users have it.
fn built() -> Result<PathBuf, String> {
    println!("building ferry");
    run_command(cargo().args(["build", "--quiet", "--locked", "--release", "--package", "ferry"]))?;
    Ok(target_directory().join("release/ferry"))
}
