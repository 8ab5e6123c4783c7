//! `ferry bench`.

mod arguments;
mod command;
mod result_file;
mod signals;

pub(crate) use arguments::BenchArguments;
pub(crate) use command::BenchCommand;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ferry_bench::plan::{Credentials, Plan, resolve};
use ferry_bench::report::Report;
use ferry_bench::{Environment, Interruption, Progress};

use crate::output;
use command::BenchTask;
use result_file::ResultFiles;

/// Makes a run, or shows the results of others.
pub(crate) fn bench(command: BenchCommand) -> ExitCode {
    match (command.task, command.run) {
        (Some(BenchTask::Report(arguments)), _) => result_file::show(&arguments),
        (None, Some(arguments)) => run(arguments),
        (None, None) => output::wrong_command_line(&"say what to do: a scenario, or report"),
    }
}

/// The exit code of a run that was ended before its time: the one that shells have for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Generates load, prints what came of it, and fails if the broker did something that it may not.
fn run(arguments: BenchArguments) -> ExitCode {
    let files = ResultFiles { json: arguments.json.clone(), html: arguments.html.clone() };
    let (plan, credentials) = match arguments.into_plan(resolve) {
        Ok(plan) => plan,
        Err(wrong) => return output::wrong_command_line(&wrong),
    };
    let interruption = Interruption::default();
    match measure(plan, credentials, &files, &interruption) {
        Ok(report) if !report.passed() => ExitCode::FAILURE,
        Ok(report) if report.interrupted => ExitCode::from(INTERRUPTED),
        Ok(_) => ExitCode::SUCCESS,
        Err(why) => {
            let failure = output::failure(&why);
            if interruption.count() > 0 { ExitCode::from(INTERRUPTED) } else { failure }
        }
    }
}

/// One of several processes of a run: orders come from standard input.
pub(crate) fn agent() -> ExitCode {
    match ferry_bench::agent(std::io::stdin().lock(), std::io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::failure(&error),
    }
}

fn measure(
    plan: Plan,
    credentials: Credentials,
    files: &ResultFiles,
    interruption: &Interruption,
) -> Result<Report, String> {
    let words = |error: ferry_bench::BenchError| error.to_string();
    files.check()?;
    let mut line = ProgressLine::new();
    let program = std::env::current_exe().map_err(|error| format!("finding this program: {error}"))?;
    signals::pass_on(interruption.clone()).map_err(|error| format!("catching signals: {error}"))?;
    let agent_command = Some((program, vec!["bench-agent".to_owned()]));
    let environment = Environment { credentials, agent_command, interruption: interruption.clone() };
    let report = ferry_bench::run(plan, environment, &mut |progress| line.show(progress));
    line.clear();
    let report = report.map_err(words)?;
    output::line(report.summary().trim_end());
    files.write(&report)?;
    Ok(report)
}

/// One line that changes, on a terminal; otherwise a line now and then.
struct ProgressLine {
    is_terminal: bool,
    next: Instant,
}

const ON_TERMINAL: Duration = Duration::from_millis(200);
const ELSEWHERE: Duration = Duration::from_secs(10);

impl ProgressLine {
    fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let first = if is_terminal { Duration::ZERO } else { ELSEWHERE };
        Self { is_terminal, next: Instant::now() + first }
    }

    fn show(&mut self, progress: &Progress) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + if self.is_terminal { ON_TERMINAL } else { ELSEWHERE };
        let Progress { phase, seconds, phase_ends_at_seconds, clients, connected, sent, delivered } =
            progress;
        let left = phase_ends_at_seconds
            .map_or(String::new(), |end| format!(", {:.0} s left", (end - seconds).max(0.0)));
        let text = format!(
            "{seconds:.0} s: {phase}{left}: {connected}/{clients} clients, {sent} sent, {delivered} delivered"
        );
        // Whoever closed the other end does not want it.
        let _ = if self.is_terminal {
            write!(std::io::stderr(), "\r\x1b[K{text}")
        } else {
            writeln!(std::io::stderr(), "{text}")
        };
    }

    fn clear(&self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
