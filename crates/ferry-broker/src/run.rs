use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

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
    let mut alarms = Alarms::new(service_manager.alive_interval());
    loop {
        let wanted = runtime.block_on(next(&mut signals, &mut watch, &mut requests, &mut alarms));
        let (cause, request) = match wanted {
            Wanted::End(name) => {
                tracing::info!("{name}: shutting down");
                break;
            }
            Wanted::Reload(cause, request) => (cause, request),
            Wanted::Look => {
                look(&broker, &mut alarms);
                continue;
            }
            Wanted::Alive => {
                runtime.block_on(tell_if_alive(&broker, &service_manager, &mut alarms));
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

/// When the threads of the broker have done what they do once.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// How often it is looked whether certificates end soon.
const LOOK_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// How soon shards that have not answered are asked again.
const ALIVE_AGAIN: Duration = Duration::from_secs(1);

/// The first time everything has settled; later certificates may end soon.
fn look(broker: &RunningBroker, alarms: &mut Alarms) {
    if std::mem::replace(&mut alarms.has_settled, true) {
        log_expiries(broker);
    } else {
        release_start_up_code();
    }
}

/// What ran until here will hardly run again.
fn release_start_up_code() {
    #[cfg(target_os = "linux")]
    match ferry_resident::release_start_up_code() {
        Ok(bytes) => tracing::debug!("{bytes} bytes of the program are not resident any more"),
        Err(error) => tracing::debug!("the code of the start stays resident: {error}"),
    }
}

/// What is to be done from time to time.
struct Alarms {
    look: Interval,
    has_settled: bool,
    /// `None`: nobody wants to know.
    alive: Option<Interval>,
}

impl Alarms {
    /// The first look is when everything has settled, and what is to be told is told at once.
    fn new(alive_interval: Option<Duration>) -> Self {
        let every = |period: Duration, first: Duration| {
            let mut interval = interval_at(Instant::now() + first, period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        };
        Self {
            look: every(LOOK_INTERVAL, SETTLED_AFTER),
            has_settled: false,
            alive: alive_interval.map(|period| every(period, Duration::ZERO)),
        }
    }
}

/// The next time; never, if there is none.
async fn tick(interval: Option<&mut Interval>) {
    match interval {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

enum Wanted {
    /// It is to be told whether all is well.
    Alive,
    /// Everything has settled, or certificates may end soon.
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
    alarms: &mut Alarms,
) -> Wanted {
    tokio::select! {
        _ = signals.terminate.recv() => Wanted::End("SIGTERM"),
        _ = signals.interrupt.recv() => Wanted::End("SIGINT"),
        _ = signals.hangup.recv() => Wanted::Reload("SIGHUP".to_owned(), None),
        file = watch.changed() => Wanted::Reload(format!("{} has changed", file.display()), None),
        _ = alarms.look.tick() => Wanted::Look,
        () = tick(alarms.alive.as_mut()) => Wanted::Alive,
        Some(request) = requests.recv() => Wanted::Reload("the admin API".to_owned(), Some(request)),
    }
}

/// Tells the service manager that all is well, if every shard takes turns. If one does not it is asked again soon: it may only be
/// slow just now, and by the next time that is due anyway the broker would be given up.
async fn tell_if_alive(broker: &RunningBroker, service_manager: &ServiceManager, alarms: &mut Alarms) {
    if broker.admin_state.all_shards_answer().await {
        return service_manager.alive();
    }
    tracing::error!("a shard does not answer: the service manager is not told that all is well");
    if let Some(interval) = &mut alarms.alive {
        interval.reset_after(interval.period().min(ALIVE_AGAIN));
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
        &authentication.kerberos_keytab_file,
        &authentication.hook_header_file,
        &authentication.hook_ca_file,
        &authentication.sql_password_file,
        &authentication.sql_ca_file,
        &authorization.acl_file,
        &authorization.rules_file,
    ];
    let collector_files = [&config.opentelemetry.header_file, &config.opentelemetry.ca_file];
    let access_files = access_files.into_iter().chain(collector_files).flatten();
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

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::sync::mpsc;

    use tokio::time::timeout;

    use super::*;
    use crate::config::Durability;
    use crate::driver::Command;

    #[test]
    fn a_shard_that_was_slow_once_is_asked_again_soon() {
        let path = std::env::temp_dir().join(format!("ferry-alive-{}", std::process::id()));
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_nonblocking(true).expect("allowed");
        let service_manager =
            ServiceManager::of(&[("NOTIFY_SOCKET".to_owned(), path.to_string_lossy().into_owned())]);
        let mut config = Config::default();
        config.listeners.truncate(1);
        config.listeners[0].address = "tcp://127.0.0.1:0".parse().expect("an address");
        config.storage.durability = Durability::Memory;
        let broker = Broker::start(config).expect("it starts");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let mut alarms = Alarms::new(Some(Duration::from_secs(3_600)));
            tick(alarms.alive.as_mut()).await;
            let (go_on, gate) = mpsc::channel::<()>();
            broker.mailboxes[0].command(Command::Ask(Box::new(move |_| {
                let _ended = gate.recv();
            })));
            tell_if_alive(&broker, &service_manager, &mut alarms).await;
            assert!(socket.recv(&mut [0; 64]).is_err(), "a shard does not answer");
            drop(go_on);
            timeout(Duration::from_secs(60), tick(alarms.alive.as_mut())).await.expect("soon");
            tell_if_alive(&broker, &service_manager, &mut alarms).await;
            let mut state = [0; 64];
            let length = socket.recv(&mut state).expect("told");
            assert_eq!(&state[..length], b"WATCHDOG=1");
        });
        std::fs::remove_file(&path).expect("removed");
    }
}
