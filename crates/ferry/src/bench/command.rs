use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::BenchArguments;

/// Load any MQTT broker, verify every message, and say what it cost
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct BenchCommand {
    #[command(flatten)]
    pub(super) run: Option<BenchArguments>,

    #[command(subcommand)]
    pub(super) task: Option<BenchTask>,
}

#[derive(Debug, Subcommand)]
pub(super) enum BenchTask {
    Report(ReportArguments),
}

/// Show results that were written with --json, several side by side
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  ferry bench report ferry.json other.json --html comparison.html")]
pub(super) struct ReportArguments {
    /// Results of `ferry bench --json`
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,

    /// Write a page with charts: one file that needs nothing else [default: print a summary of each]
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
}
