//! `ferry serve`.

use std::process::ExitCode;

use ferry_broker::config::{Config, LogLevel, Sources};
use tracing_subscriber::filter::LevelFilter;

use crate::output;

/// Runs the broker until a signal ends it.
pub(crate) fn serve(sources: &Sources) -> ExitCode {
    let loaded = match Config::load(sources) {
        Ok(loaded) => loaded,
        Err(problems) => return output::failure(&problems),
    };
    output::warnings(&loaded.warnings);
    log_to_standard_error(loaded.config.log.level);
    match ferry_broker::run(loaded.config, &mut || Config::load(sources)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::failure(&error),
    }
}

fn log_to_standard_error(level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level).with_target(false).init();
}
