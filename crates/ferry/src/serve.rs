//! `ferry serve`.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use ferry_broker::LogLevels;
use ferry_broker::config::{Config, LogLevel, Sources};
use tracing_subscriber::filter::{LevelFilter, Targets};
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
    if let Some((variable, value)) = loaded.config.kerberos_environment(&sources.environment) {
        return begin_again(variable, &value);
    }
    output::warnings(&loaded.warnings);
    let level = log_to_standard_error(loaded.config.log.level);
    let levels = level.clone();
    let set_levels: LogLevels = Arc::new(move |text: &str| {
        let targets = parse_levels(text)?;
        levels.reload(targets).map_err(|error| error.to_string())
    });
    let mut reloaded = |config: &Config| {
        // It fails only if there is no log any more, and then nobody misses the level.
        let _ = level.reload(targets(config.log.level));
    };
    match ferry_broker::run(loaded, sources, set_levels, &mut reloaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::failure(&error),
    }
}

/// Becomes the same program with another environment: a program that runs already could only change it by unsafe code.
/// Returns only if that fails.
fn begin_again(variable: &str, value: &OsStr) -> ExitCode {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| "ferry".into());
    let failed = |error: std::io::Error| output::failure(&format!("{variable} cannot be set: {error}"));
    match std::env::current_exe() {
        Ok(program) => failed(Command::new(program).arg0(name).args(arguments).env(variable, value).exec()),
        Err(error) => failed(error),
    }
}

fn log_to_standard_error(level: LogLevel) -> reload::Handle<Targets, Registry> {
    let (level, handle) = reload::Layer::new(targets(level));
    let colours = std::io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(colours).with_target(false);
    tracing_subscriber::registry().with(level).with(lines).init();
    handle
}

fn targets(level: LogLevel) -> Targets {
    Targets::new().with_default(match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    })
}

/// Levels as they are written: one for all, and others for modules and what is below them.
fn parse_levels(text: &str) -> Result<Targets, String> {
    let mut targets = Targets::new().with_default(LevelFilter::OFF);
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (module, level) =
            part.split_once('=').map_or((None, part), |(module, level)| (Some(module), level));
        let level: LevelFilter = level.trim().parse().map_err(|_| format!("{level:?} is no level"))?;
        targets = match module.map(str::trim) {
            None => targets.with_default(level),
            Some("") => return Err("there is a level without a module before its =".to_owned()),
            Some(module) => targets.with_target(module, level),
        };
    }
    if targets.iter().next().is_none()
        && targets.default_level().is_none_or(|level| level == LevelFilter::OFF)
    {
        return Err("nothing would be logged".to_owned());
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_by_module() {
        let parsed = parse_levels("info, ferry_broker::driver=debug").expect("levels");
        assert_eq!(parsed.default_level(), Some(LevelFilter::INFO));
        assert_eq!(parsed.iter().collect::<Vec<_>>(), [("ferry_broker::driver", LevelFilter::DEBUG)]);
        for wrong in ["", "loud", "a=loud", "=info", "info,b"] {
            assert!(parse_levels(wrong).is_err(), "{wrong}");
        }
    }
}
