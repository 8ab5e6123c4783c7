use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Interruption;
use super::coordinator::Coordinator;
use crate::BenchError;
use crate::clock::from_seconds;
use crate::plan::{Scheme, Target};
use crate::report::Kill;

/// A broker that is killed and started again, while clients use it. Dropped, it is killed for good.
pub(crate) struct BrokerUnderFire {
    command: String,
    target: Target,
    interruption: Interruption,
    child: Child,
    /// When the next kill is due.
    next_kill: Option<u64>,
    /// What was delivered when it listened again.
    delivered_before: u64,
}

/// How long a broker may take until it listens.
const START_MAX: Duration = Duration::from_secs(60);

/// Between two looks whether it listens.
const LOOK: Duration = Duration::from_millis(2);

const LOOK_NANOSECONDS: u64 = 10_000_000;

/// So much time must be left after a kill, to see it recover.
const RECOVERY_NANOSECONDS: u64 = 1_000_000_000;

/// Starts a broker and waits until it listens.
///
/// # Errors
/// It cannot be started, or does not listen.
pub(crate) fn start(
    command: &str,
    target: &Target,
    interruption: &Interruption,
) -> Result<BrokerUnderFire, BenchError> {
    if is_listening(target) {
        return Err(BenchError::new(format!(
            "{target}: somebody listens there already; --kill-broker starts it itself"
        )));
    }
    let mut broker = BrokerUnderFire {
        command: command.to_owned(),
        target: target.clone(),
        interruption: interruption.clone(),
        child: spawn(command)?,
        next_kill: None,
        delivered_before: 0,
    };
    broker.wait_until_it_listens()?;
    Ok(broker)
}

impl BrokerUnderFire {
    /// Kills it if that is due, and watches how it recovers. Returns when to look again.
    ///
    /// # Errors
    /// It does not come back.
    pub(crate) fn look(&mut self, run: &mut Coordinator<'_>, until: u64) -> Result<u64, BenchError> {
        let interval = from_seconds(run.plan.kill_interval_seconds);
        let now = run.clock.now();
        let next = *self.next_kill.get_or_insert(now + interval);
        if now >= next && now + RECOVERY_NANOSECONDS <= until {
            self.kill(run)?;
            self.next_kill = Some(run.clock.now() + interval);
        }
        self.watch(run);
        Ok(run.clock.now() + LOOK_NANOSECONDS)
    }

    /// Waits until all clients are there again after the last kill.
    ///
    /// # Errors
    /// An event loop cannot go on.
    pub(crate) fn settle(&mut self, run: &mut Coordinator<'_>) -> Result<(), BenchError> {
        let deadline = run.clock.now() + from_seconds(run.plan.drain_seconds_max);
        while run.clock.now() < deadline && run.report.kills.last().is_some_and(|kill| !is_over(kill)) {
            self.watch(run);
            run.next_word(run.clock.now() + LOOK_NANOSECONDS)?;
        }
        Ok(())
    }

    fn kill(&mut self, run: &mut Coordinator<'_>) -> Result<(), BenchError> {
        let at = run.clock.now_seconds();
        let failed = |error: std::io::Error| BenchError::new(format!("killing the broker: {error}"));
        self.child.kill().map_err(failed)?;
        self.child.wait().map_err(failed)?;
        self.child = spawn(&self.command)?;
        run.broker_is(self.child.id());
        self.wait_until_it_listens()?;
        let listening_after_seconds = Some(run.clock.now_seconds() - at);
        run.report.kills.push(Kill { at_seconds: at, listening_after_seconds, ..Kill::default() });
        // What the event loops counted before the kill is in ticks that have not been read.
        run.mark()?;
        self.delivered_before = run.ticked.delivered;
        Ok(())
    }

    fn watch(&self, run: &mut Coordinator<'_>) {
        let clients = (run.plan.publishers() + run.plan.subscribers()) as u64;
        let is_connected = run.series.connected() >= clients;
        let is_delivering = run.ticked.delivered > self.delivered_before;
        let now = run.clock.now_seconds();
        let Some(kill) = run.report.kills.last_mut() else { return };
        let after = now - kill.at_seconds;
        if is_connected && kill.connected_after_seconds.is_none() {
            kill.connected_after_seconds = Some(after);
        }
        if is_delivering && kill.delivering_after_seconds.is_none() {
            kill.delivering_after_seconds = Some(after);
        }
    }

    fn wait_until_it_listens(&mut self) -> Result<(), BenchError> {
        let deadline = Instant::now() + START_MAX;
        while !is_listening(&self.target) {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(BenchError::new(format!("{}: {status}", self.command)));
            }
            if self.interruption.count() > 0 {
                return Err(BenchError::new("interrupted while the broker started"));
            }
            if Instant::now() > deadline {
                return Err(BenchError::new(format!(
                    "{}: it does not listen on {}",
                    self.command, self.target
                )));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for BrokerUnderFire {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_over(kill: &Kill) -> bool {
    kill.connected_after_seconds.is_some() && kill.delivering_after_seconds.is_some()
}

fn is_listening(target: &Target) -> bool {
    match target.scheme {
        Scheme::Unix => UnixStream::connect(&target.path).is_ok(),
        _ => TcpStream::connect((target.host.as_str(), target.port)).is_ok(),
    }
}

fn spawn(command: &str) -> Result<Child, BenchError> {
    let mut shell = Command::new("sh");
    // In place of the shell, so that what is killed is the broker.
    shell.arg("-c").arg(format!("exec {command}"));
    // Ctrl-C is for the bench, which ends its broker itself.
    shell.process_group(0);
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.spawn().map_err(|error| BenchError::new(format!("{command}: {error}")))
}
