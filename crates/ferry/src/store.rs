//! `ferry store`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use ferry_broker::store_tools::{self, StoreToolError};

use crate::arguments::StoreCommand;
use crate::output;
use crate::progress::{Progress, percent};

/// Does what the command says.
pub(crate) fn store(command: &StoreCommand) -> ExitCode {
    match command {
        StoreCommand::Check { directory } => check(directory),
        StoreCommand::Dump { directory, output } => dump(directory, output.as_deref()),
        StoreCommand::Load { directory, input } => load(directory, input.as_deref()),
    }
}

fn check(directory: &Path) -> ExitCode {
    let mut progress = Progress::new(false);
    let report = store_tools::check(directory, &mut |done, total| {
        progress.tell(|| format!("reading {}", percent(done, total)));
    });
    progress.clear();
    match report {
        Ok(report) => {
            let verdict = if report.is_damaged() { "DAMAGED" } else { "OK" };
            output::line(&format!("{}: {verdict}\n{report}", directory.display()));
            if report.is_damaged() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(error) => output::failure(&error),
    }
}

fn dump(directory: &Path, file: Option<&Path>) -> ExitCode {
    let mut out: Box<dyn Write> = match file.map(create) {
        None => Box::new(BufWriter::new(io::stdout().lock())),
        Some(Ok(file)) => Box::new(BufWriter::new(file)),
        Some(Err(error)) => return output::failure(&error),
    };
    let mut progress = Progress::new(false);
    let report = store_tools::dump(directory, &mut out, &mut |done, total| {
        progress.tell(|| format!("writing {}", percent(done, total)));
    });
    progress.clear();
    match report {
        Ok(report) => {
            for key in &report.unreadable {
                output::note(format_args!("warning: {key} cannot be read and is not in the dump"));
            }
            output::note(format_args!("{} entries written", report.entries));
            if report.unreadable_count == 0 && !report.is_damaged {
                return ExitCode::SUCCESS;
            }
            let lost = format!(
                "the directory is damaged: the dump has all that can be read; `ferry store check {}` says more",
                directory.display()
            );
            output::failure(&lost)
        }
        Err(StoreToolError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => output::failure(&error),
    }
}

fn load(directory: &Path, file: Option<&Path>) -> ExitCode {
    let mut input: Box<dyn BufRead> = match file.map(open) {
        None => Box::new(BufReader::new(io::stdin().lock())),
        Some(Ok(file)) => Box::new(BufReader::new(file)),
        Some(Err(error)) => return output::failure(&error),
    };
    let mut progress = Progress::new(false);
    let loaded = store_tools::load(directory, &mut input, &mut |lines| {
        progress.tell(|| format!("lines read: {lines}"));
    });
    progress.clear();
    match loaded {
        Ok(entries) => {
            output::note(format_args!("{entries} entries loaded into {}", directory.display()));
            ExitCode::SUCCESS
        }
        Err(error) => output::failure(&error),
    }
}

/// A new file, for its owner's eyes only: there are messages in it.
fn create(path: &Path) -> Result<File, String> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.map_err(|error| format!("{}: {error}", path.display()))
}

fn open(path: &Path) -> Result<File, String> {
    File::open(path).map_err(|error| format!("{}: {error}", path.display()))
}
