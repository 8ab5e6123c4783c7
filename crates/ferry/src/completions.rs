//! `ferry completions`.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Command, CommandFactory};

use crate::arguments::{Arguments, CompletionsArguments};

/// Prints the script for a shell, made of the options as they are defined.
pub(crate) fn completions(arguments: &CompletionsArguments) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut visible(&Arguments::command()), "ferry", &mut script);
    // Whoever closed the other end does not want it.
    let _ = io::stdout().write_all(&script);
    ExitCode::SUCCESS
}

/// The same without what is hidden, which the scripts would propose.
fn visible(command: &Command) -> Command {
    let named = Command::new(command.get_name().to_owned());
    let named = match command.get_version() {
        Some(version) => named.version(version.to_owned()),
        None => named,
    };
    named
        .about(command.get_about().cloned().unwrap_or_default())
        .disable_help_flag(command.is_disable_help_flag_set())
        .disable_version_flag(command.is_disable_version_flag_set())
        .disable_help_subcommand(true)
        .args(command.get_arguments().filter(|argument| !argument.is_hide_set()))
        .subcommands(command.get_subcommands().filter(|command| !command.is_hide_set()).map(visible))
}
