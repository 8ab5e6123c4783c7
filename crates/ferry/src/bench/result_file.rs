//! Results in files: JSON to be read again, pages to be looked at.

use std::path::Path;
use std::process::ExitCode;

use ferry_bench::html::{NamedReport, page};
use ferry_bench::report::{REPORT_FORMAT, Report};

use super::command::ReportArguments;
use crate::output;

/// Shows results that were written before.
pub(super) fn show(arguments: &ReportArguments) -> ExitCode {
    let shown = arguments.files.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>();
    let shown = shown.and_then(|runs| match &arguments.html {
        Some(file) => write(file, &page(&runs)),
        None => {
            runs.iter().for_each(print);
            Ok(())
        }
    });
    shown.map_or_else(|why| output::failure(&why), |()| ExitCode::SUCCESS)
}

/// Writes what was asked for of a run that has just ended.
pub(super) fn write_all(report: &Report, json: Option<&Path>, html: Option<&Path>) -> Result<(), String> {
    if let Some(file) = json {
        let text = serde_json::to_string_pretty(report).map_err(|error| error.to_string())?;
        write(file, &text)?;
    }
    if let Some(file) = html {
        let run = NamedReport { name: report.plan.name.clone(), report: report.clone() };
        write(file, &page(&[run]))?;
    }
    Ok(())
}

fn print(run: &NamedReport) {
    output::line(&format!("{}: {}\n", run.name, run.report.summary().trim_end()));
}

fn read(file: &Path) -> Result<NamedReport, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    let report: Report = serde_json::from_str(&text)
        .map_err(|error| wrong(&format!("this is not a result of ferry bench --json: {error}")))?;
    if report.format != REPORT_FORMAT {
        return Err(wrong(&format!("form {} of results; this is for form {REPORT_FORMAT}", report.format)));
    }
    let name = file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    Ok(NamedReport { name, report })
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}
