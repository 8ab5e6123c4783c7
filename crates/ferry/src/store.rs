//! `ferry store`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use ferry_broker::store_tools::{self, DumpOptions, DumpReport, StoreToolError};

use crate::arguments::StoreCommand;
use crate::output;
use crate::progress::{Progress, percent};

/// Does what the command says.
pub(crate) fn store(command: &StoreCommand) -> ExitCode {
    match command {
        StoreCommand::Check { directory } => check(directory),
        StoreCommand::Dump { directory, output, without_users } => {
            dump(directory, DumpOptions { without_users: *without_users }, output.as_deref())
        }
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

fn dump(directory: &Path, options: DumpOptions, file: Option<&Path>) -> ExitCode {
    let written = match file {
        None => write_dump(directory, options, &mut BufWriter::new(io::stdout().lock())),
        Some(path) => match create(path) {
            Ok(file) => write_file(directory, options, path, &file),
            Err(error) => return output::failure(&error),
        },
    };
    match written {
        Ok(report) => tell_of_dump(directory, &report),
        Err(StoreToolError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => output::failure(&error),
    }
}

/// What is not a whole dump does not stay.
fn write_file(
    directory: &Path,
    options: DumpOptions,
    path: &Path,
    file: &File,
) -> Result<DumpReport, StoreToolError> {
    let written = write_dump(directory, options, &mut BufWriter::new(file))
        .and_then(|report| file.sync_all().map(|()| report).map_err(StoreToolError::Io));
    if written.is_err() {
        // Nothing can be done about one that stays; it would be refused.
        let _removed = std::fs::remove_file(path);
    }
    written
}

fn write_dump(
    directory: &Path,
    options: DumpOptions,
    out: &mut dyn Write,
) -> Result<DumpReport, StoreToolError> {
    let mut progress = Progress::new(false);
    let report = store_tools::dump(directory, options, out, &mut |done, total| {
        progress.tell(|| format!("writing {}", percent(done, total)));
    });
    progress.clear();
    report
}

fn tell_of_dump(directory: &Path, report: &DumpReport) -> ExitCode {
    for what in &report.unreadable {
        output::note(format_args!("warning: not in the dump, because it cannot be read: {what}"));
    }
    let secret = match report.users {
        0 => String::new(),
        users => format!(", with the hashes of the passwords of {users} users: keep them secret"),
    };
    output::note(format_args!("{} entries written{secret}", report.entries));
    if report.unreadable_count == 0 && !report.is_damaged {
        return ExitCode::SUCCESS;
    }
    let lost = format!(
        "the directory is damaged: the dump has all that can be read; `ferry store check {}` says more",
        directory.display()
    );
    output::failure(&lost)
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
