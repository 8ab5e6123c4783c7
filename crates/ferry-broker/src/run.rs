use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::admin_api::{LogLevels, ReloadRequest};
use crate::broker::Broker;
use crate::config::{Changes, Config, FileWatch, Listener, Loaded, Problems, Sources};
use crate::privileges::Identity;
use crate::process_limits::raise_open_files;
use crate::running_broker::RunningBroker;
use crate::service_manager::ServiceManager;
use crate::start_block::start_block;
use crate::start_error::StartError;
use crate::tls_expiry;

/// Runs a broker with a configuration, as it was loaded from `sources`, as if this process did nothing else: until SIGTERM or
/// SIGINT, then shuts it down. On SIGHUP, and when a file that was read for the configuration has changed, reads all of
/// it again, and calls `reloaded` once the new configuration is in force.
///
/// Says once, on standard error, what was started.
///
/// # Errors
/// The broker could not start. After a signal the end is always `Ok`.
pub fn run(
    loaded: Loaded,
    sources: &Sources,
    log_levels: LogLevels,
    reloaded: &mut dyn FnMut(&Config),
) -> Result<(), StartError> {
    let open_files = raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let _in_runtime = runtime.enter();
    // Before anything is started: a signal that comes at once must not find the default, which kills.
    let mut signals = Signals::new()?;
    let mut watch = FileWatch::new();
    watch.watch(files(sources, &loaded.config));
    let user = loaded.config.server.user.clone();
    let identity = Identity::of(user.as_deref())?;
    identity.log(user.as_deref());
    let account = match &identity {
        Identity::Account(account) => Some(account.clone()),
        Identity::Unprivileged | Identity::Root { .. } => None,
    };
    let mut broker =
        Broker::builder(loaded.config).origins(loaded.origins).account(account.clone()).start()?;
    if let Some(account) = &account {
        account.warn_of_unreadable(&files(sources, broker.config()));
    }
    broker.admin_state.set_log(log_levels);
    let mut requests = broker.admin_state.reload_requests();
    eprintln!("{}", start_block(&broker, &identity, open_files));
    let service_manager = ServiceManager::of(&sources.environment);
    service_manager.ready();
    loop {
        let (cause, request) = match runtime.block_on(next(&mut signals, &mut watch, &mut requests)) {
            Wanted::End(name) => {
                tracing::info!("{name}: shutting down");
                break;
            }
            Wanted::Reload(cause, request) => (cause, request),
            Wanted::Look => {
                log_expiries(&broker);
                continue;
            }
        };
        service_manager.reloading();
        watch.reading();
        let changes = reload(&mut broker, sources, &cause);
        if changes.is_ok() {
            reloaded(broker.config());
            watch.watch(files(sources, broker.config()));
        }
        service_manager.ready();
        if let Some(request) = request {
            // Whoever asked may have gone.
            let _ = request.send(changes);
        }
    }
    service_manager.stopping();
    broker.shutdown();
    broker.join();
    tracing::info!("shut down");
    Ok(())
}

/// How often it is looked whether certificates end soon.
const LOOK_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

enum Wanted {
    /// Certificates may end soon.
    Look,
    /// With the reason, for the log, and whoever wants to know what came of it.
    Reload(String, Option<ReloadRequest>),
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
}

async fn next(
    signals: &mut Signals,
    watch: &mut FileWatch,
    requests: &mut mpsc::Receiver<ReloadRequest>,
) -> Wanted {
    tokio::select! {
        _ = signals.terminate.recv() => Wanted::End("SIGTERM"),
        _ = signals.interrupt.recv() => Wanted::End("SIGINT"),
        _ = signals.hangup.recv() => Wanted::Reload("SIGHUP".to_owned(), None),
        file = watch.changed() => Wanted::Reload(format!("{} has changed", file.display()), None),
        () = tokio::time::sleep(LOOK_INTERVAL) => Wanted::Look,
        Some(request) = requests.recv() => Wanted::Reload("the admin API".to_owned(), Some(request)),
    }
}

/// Every file that the configuration is read from.
fn files(sources: &Sources, config: &Config) -> Vec<PathBuf> {
    let tls_files = config.listeners.iter().flat_map(Listener::tls_files);
    let (authentication, authorization) = (&config.authentication, &config.authorization);
    let access_files = [
        &authentication.password_file,
        &authentication.jwt_key_file,
        &authentication.jwt_jwks_ca_file,
        &authentication.hook_header_file,
        &authentication.hook_ca_file,
        &authorization.acl_file,
        &authorization.rules_file,
    ];
    let access_files = access_files.into_iter().flatten();
    let files = sources.file.iter().chain(tls_files).chain(access_files).chain(config.admin.files());
    let mut files: Vec<PathBuf> = files.cloned().collect();
    files.sort();
    files.dedup();
    files
}

/// Reads the configuration again and puts it in force, if it can be.
fn reload(broker: &mut RunningBroker, sources: &Sources, cause: &str) -> Result<Changes, Problems> {
    let reloaded = Config::load(sources).and_then(|loaded| {
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        broker.reload_with_origins(loaded.config, loaded.origins)
    });
    match &reloaded {
        Ok(changes) => log_changes(changes, cause),
        Err(problems) => tracing::error!("{cause}: the configuration stays as it was:\n{problems}"),
    }
    reloaded
}

fn log_expiries(broker: &RunningBroker) {
    let expiries = &broker.admin_state.in_force().expiries;
    let ahead_seconds = broker.config().server.certificate_expiry_warning_seconds;
    for warning in tls_expiry::warnings(expiries, ahead_seconds, tls_expiry::now_seconds()) {
        tracing::warn!("{warning}");
    }
}

fn log_changes(changes: &Changes, cause: &str) {
    if changes.is_empty() {
        tracing::info!("{cause}: no option is different; certificates, users and rights are loaded again");
    }
    for change in &changes.live {
        let (before, after) = (shown(&change.before), shown(&change.after));
        tracing::info!("{cause}: {} is now {after} (was {before})", change.option);
    }
    for change in &changes.restart {
        let (before, after) = (shown(&change.before), shown(&change.after));
        tracing::warn!("{cause}: {} stays {before} until a restart, then it will be {after}", change.option);
    }
}

fn shown(value: &str) -> &str {
    if value.is_empty() { "absent" } else { value }
}
