//! Ferry: an MQTT broker.

mod arguments;
mod bench;
mod check;
#[cfg(test)]
mod documents;
mod output;
mod passwd;
mod serve;
mod store;
mod why;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    match Arguments::parse().command {
        Some(Command::Serve(serve)) => serve::serve(&serve.into_sources()),
        Some(Command::Check(check)) => check::check(&check.into_sources()),
        Some(Command::Passwd(arguments)) => passwd::passwd(arguments),
        Some(Command::Store(arguments)) => store::store(&arguments.command),
        Some(Command::Bench(arguments)) => bench::bench(*arguments),
        Some(Command::BenchAgent) => bench::agent(),
        Some(Command::Why(why)) => why::why(&why),
        None => {
            output::line(&Arguments::command().render_help().to_string());
            ExitCode::SUCCESS
        }
    }
}
