//! `ferry serve`.

use std::io::IsTerminal;
use std::process::ExitCode;

use ferry_broker::config::{Config, LogLevel, Sources};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

use crate::output;

/// Runs the broker until a signal ends it.
pub(crate) fn serve(sources: &Sources) -> ExitCode {
    let loaded = match Config::load(sources) {
        Ok(loaded) => loaded,
        Err(problems) => return output::problems(&problems),
    };
    output::warnings(&loaded.warnings);
    let level = log_to_standard_error(loaded.config.log.level);
    let mut reloaded = |config: &Config| {
        // It fails only if there is no log any more, and then nobody misses the level.
        let _ = level.modify(|level| *level = level_filter(config.log.level));
    };
    match ferry_broker::run(loaded, sources, &mut reloaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::failure(&error),
    }
}

fn log_to_standard_error(level: LogLevel) -> reload::Handle<LevelFilter, Registry> {
    let (level, handle) = reload::Layer::new(level_filter(level));
    let colours = std::io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(colours).with_target(false);
    tracing_subscriber::registry().with(level).with(lines).init();
    handle
}

fn level_filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
