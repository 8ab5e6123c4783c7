//! `ferry serve`.

use std::io::IsTerminal;
use std::process::ExitCode;

use ferry_broker::config::{Config, Loaded, LogLevel, Sources};
use tracing_subscriber::filter::LevelFilter;

use crate::output;

/// Runs the broker until a signal ends it.
pub(crate) fn serve(sources: &Sources) -> ExitCode {
    let Loaded { config, warnings } = match Config::load(sources) {
        Ok(loaded) => loaded,
        Err(problems) => return output::failure(&problems),
    };
    output::warnings(&warnings);
    start_log(config.log.level);
    match ferry_broker::run(config, &mut || Config::load(sources)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error);
            ExitCode::from(error.exit_status())
        }
    }
}

/// Sends the log to standard error.
fn start_log(level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_max_level(level)
        .init();
}
