//! Results in files: JSON to be read again, pages to be looked at.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ferry_bench::html::{NamedReport, page};
use ferry_bench::report::{REPORT_FORMAT, Report};

use super::command::ReportArguments;
use crate::output;

/// Where the result of a run goes.
pub(super) struct ResultFiles {
    pub(super) json: Option<PathBuf>,
    pub(super) html: Option<PathBuf>,
}

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

impl ResultFiles {
    /// Whether they can be written: it would be a pity to learn that after an hour of measuring.
    ///
    /// # Errors
    /// Which one cannot.
    pub(super) fn check(&self) -> Result<(), String> {
        for file in [&self.json, &self.html].into_iter().flatten() {
            let wrong = |error: std::io::Error| format!("{}: {error}", file.display());
            match std::fs::metadata(file) {
                Ok(data) if data.is_file() => {
                    let _writable = OpenOptions::new().append(true).open(file).map_err(wrong)?;
                }
                Ok(data) if data.is_dir() => return Err(wrong(ErrorKind::IsADirectory.into())),
                // To open a pipe would tell its reader something.
                Ok(_) => {}
                Err(_) => {
                    OpenOptions::new().write(true).create_new(true).open(file).map_err(wrong)?;
                    std::fs::remove_file(file).map_err(wrong)?;
                }
            }
        }
        Ok(())
    }

    /// Writes what was asked for of a run that has just ended.
    ///
    /// # Errors
    /// What could not be written. The other file is there nevertheless.
    pub(super) fn write(&self, report: &Report) -> Result<(), String> {
        let json = self.json.as_deref().map_or(Ok(()), |file| {
            let text = serde_json::to_string_pretty(report).map_err(|error| error.to_string())?;
            write(file, &text)
        });
        let html = self.html.as_deref().map_or(Ok(()), |file| {
            let run = NamedReport { name: report.plan.name.clone(), report: report.clone() };
            write(file, &page(&[run]))
        });
        json.and(html)
    }
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
