//! `ferry man`.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_mangen::Man;

use crate::arguments::{Arguments, ManualArguments};
use crate::output;

/// Prints the page of the program, or writes those of all commands.
pub(crate) fn manual(arguments: &ManualArguments) -> ExitCode {
    let written = match &arguments.directory {
        None => print_page(),
        Some(directory) => {
            write_pages(directory).map_err(|error| format!("{}: {error}", directory.display()))
        }
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => output::failure(&words),
    }
}

fn print_page() -> Result<(), String> {
    let mut page = Vec::new();
    Man::new(Arguments::command()).render(&mut page).map_err(|error| error.to_string())?;
    // Whoever closed the other end does not want it.
    let _ = io::stdout().write_all(&page);
    Ok(())
}

fn write_pages(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    clap_mangen::generate_to(Arguments::command(), directory)
}
