//! `ferry check`.

use std::process::ExitCode;

use ferry_broker::config::{Config, Sources};

use crate::output;

/// Prints what the configuration would do, or everything that is wrong with it.
pub(crate) fn check(sources: &Sources) -> ExitCode {
    match Config::load(sources) {
        Ok(loaded) => {
            output::warnings(&loaded.warnings);
            let name = sources.file.as_deref().map(|file| file.display().to_string()).unwrap_or_default();
            output::line(&format!("{name}: OK\n{}", loaded.config.summary()));
            ExitCode::SUCCESS
        }
        Err(problems) => output::problems(&problems),
    }
}
