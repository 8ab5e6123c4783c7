//! Ferry: an MQTT broker, and the tools around it.

mod arguments;
mod bench;
mod check;
mod client;
mod completions;
mod ctl;
#[cfg(test)]
mod documents;
mod json_line;
mod json_text;
mod manual;
mod message_format;
mod output;
mod passwd;
mod payload_format;
mod progress;
mod publish;
mod record;
mod replay;
mod request;
mod serve;
mod store;
mod subscribe;
mod top;
mod why;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use arguments::{Arguments, Command, ServeCommand, ServeLine};

fn main() -> ExitCode {
    // The broker stays for months: what the command lines of all other tools need never comes into its memory.
    if std::env::args_os().nth(1).is_some_and(|word| word == "serve")
        && let Ok(ServeLine { command: ServeCommand::Serve(serve) }) = ServeLine::try_parse()
    {
        return serve::serve(&serve.into_sources());
    }
    let directory = client::options_directory();
    let words = match client::with_joined_properties(std::env::args_os().collect(), Arguments::command()) {
        Ok(words) => words,
        Err(wrong) => return output::wrong_command_line(&wrong),
    };
    match client::with_options_files(words, Arguments::command(), directory.as_deref()) {
        Ok(words) => execute(Arguments::parse_from(words)),
        Err(wrong) => output::wrong_command_line(&wrong),
    }
}

fn execute(arguments: Arguments) -> ExitCode {
    match arguments.command {
        Some(Command::Serve(serve)) => serve::serve(&serve.into_sources()),
        Some(Command::Check(check)) => check::check(&check.into_sources()),
        Some(Command::Pub(arguments)) => publish::publish(&arguments),
        Some(Command::Sub(arguments)) => subscribe::subscribe(&arguments),
        Some(Command::Rr(arguments)) => request::request(&arguments),
        Some(Command::Record(arguments)) => record::record(&arguments),
        Some(Command::Replay(arguments)) => replay::replay(&arguments),
        Some(Command::Top(arguments)) => top::top(&arguments),
        Some(Command::Passwd(arguments)) => passwd::passwd(arguments),
        Some(Command::Ctl(arguments)) => ctl::ctl(&arguments),
        Some(Command::Store(arguments)) => store::store(&arguments.command),
        Some(Command::Bench(arguments)) => bench::bench(*arguments),
        Some(Command::BenchAgent) => bench::agent(),
        Some(Command::Why(why)) => why::why(&why),
        Some(Command::Completions(arguments)) => completions::completions(&arguments),
        Some(Command::Man(arguments)) => manual::manual(&arguments),
        None => {
            output::line(&Arguments::command().render_help().to_string());
            ExitCode::SUCCESS
        }
    }
}
