use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::broker::Broker;
use crate::config::{Changes, Config, Loaded, Problems};
use crate::process_limits::raise_open_files;
use crate::running_broker::RunningBroker;
use crate::start_block::start_block;
use crate::start_error::StartError;

/// Runs a broker as this process does nothing else: until SIGTERM or SIGINT, then shuts it down. On SIGHUP `reload`
/// reads the configuration again.
///
/// Says once, on standard error, what was started.
///
/// # Errors
/// The broker could not start. After a signal the end is always `Ok`.
pub fn run(config: Config, reload: &mut dyn FnMut() -> Result<Loaded, Problems>) -> Result<(), StartError> {
    let open_files = raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    // Before anything is started: a signal that comes at once must not find the default, which kills.
    let mut signals = {
        let _in_runtime = runtime.enter();
        Signals::new()?
    };
    let mut broker = Broker::start(config)?;
    eprintln!("{}", start_block(&broker, open_files));
    loop {
        match runtime.block_on(signals.next()) {
            Wanted::Reload => reload_config(&mut broker, reload()),
            Wanted::End(name) => {
                tracing::info!("{name}: shutting down");
                break;
            }
        }
    }
    broker.shutdown();
    broker.join();
    tracing::info!("shut down");
    Ok(())
}

enum Wanted {
    Reload,
    End(&'static str),
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Wanted {
        tokio::select! {
            _ = self.terminate.recv() => Wanted::End("SIGTERM"),
            _ = self.interrupt.recv() => Wanted::End("SIGINT"),
            _ = self.hangup.recv() => Wanted::Reload,
        }
    }
}

fn reload_config(broker: &mut RunningBroker, loaded: Result<Loaded, Problems>) {
    let reloaded = loaded.and_then(|loaded| {
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        broker.reload(loaded.config)
    });
    match reloaded {
        Ok(changes) => log_changes(&changes),
        Err(problems) => tracing::error!("SIGHUP: the configuration stays as it was:\n{problems}"),
    }
}

fn log_changes(changes: &Changes) {
    if changes.is_empty() {
        tracing::info!("SIGHUP: nothing has changed in the configuration; certificates are loaded again");
    }
    for change in &changes.live {
        tracing::info!("SIGHUP: {} is now {} (was {})", change.option, change.after, change.before);
    }
    for change in &changes.restart {
        tracing::warn!(
            "SIGHUP: {} stays {} until a restart, then it will be {}",
            change.option,
            shown(&change.before),
            shown(&change.after)
        );
    }
}

fn shown(value: &str) -> &str {
    if value.is_empty() { "absent" } else { value }
}
