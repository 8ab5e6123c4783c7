//! `ferry-sim`: many seeds, or one again.

use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ferry_sim::{Options, PlantedBug, Report, Trace, run};

const USAGE: &str = "\
usage: cargo xtask sim [--seconds N | --seeds A..B] [--seed S] [--plant BUG] [--trace]
  --seconds N          go through seeds for N seconds of real time (default 10), from a seed that differs each time
  --seeds A..B         the seeds from A to B, both included
  --seed S             only this seed; with --seconds: begin with it
  --trouble-seconds N  virtual seconds of faults for each seed (default 60)
  --plant BUG          plant this bug, such as DropPuback
  --trace              print everything that happens; best with --seed";

/// Of the first broken seeds everything is printed, of the others only which they are.
const SHOWN_MAX: usize = 3;

/// Lines of the journal that are printed for a broken seed.
const HISTORY_LINES: usize = 30;

const PROGRESS_INTERVAL: Duration = Duration::from_secs(15);

struct Arguments {
    seconds: Option<u64>,
    seeds: Option<RangeInclusive<u64>>,
    seed: Option<u64>,
    options: Options,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Ok(arguments) => go(&arguments),
        Err(what) => {
            say(&format!("{what}\n{USAGE}"));
            ExitCode::from(2)
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { seconds: None, seeds: None, seed: None, options: Options::default() };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--seconds" => arguments.seconds = Some(number(&value()?)?),
            "--seeds" => arguments.seeds = Some(range(&value()?)?),
            "--seed" => arguments.seed = Some(number(&value()?)?),
            "--trouble-seconds" => arguments.options.trouble_seconds = number(&value()?)?,
            "--plant" => arguments.options.planted_bug = Some(bug(&value()?)?),
            "--trace" => arguments.options.trace = Trace::Print,
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    match (arguments.seconds, &arguments.seeds, arguments.seed) {
        (Some(_), Some(_), _) | (_, Some(_), Some(_)) => {
            Err("--seeds says everything: no --seconds, no --seed".to_owned())
        }
        _ => Ok(arguments),
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

fn range(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (first, last) = text.split_once("..").ok_or(format!("{text} is no range such as 1..100"))?;
    Ok(number(first)?..=number(last)?)
}

fn bug(name: &str) -> Result<PlantedBug, String> {
    let known = PlantedBug::ALL.into_iter().find(|bug| format!("{bug:?}") == name);
    known.ok_or(format!("unknown bug {name}; there are {:?}", PlantedBug::ALL))
}

fn go(arguments: &Arguments) -> ExitCode {
    let start = Instant::now();
    let (seeds, seconds) = match (&arguments.seeds, arguments.seed, arguments.seconds) {
        (Some(seeds), ..) => (seeds.clone(), None),
        (None, Some(seed), None) => (seed..=seed, None),
        (None, seed, seconds) => (seed.unwrap_or_else(fresh_seed)..=u64::MAX, Some(seconds.unwrap_or(10))),
    };
    say(&format!("from seed {}", seeds.start()));
    let deadline = seconds.map(|seconds| start + Duration::from_secs(seconds));
    let total = run_all(&seeds, deadline, arguments, start);
    let broken = &total.broken_seeds;
    say(&format!(
        "{}; {} messages, {} deliveries, violations in {} seeds",
        total.progress(start),
        total.messages,
        total.deliveries,
        broken.len(),
    ));
    if broken.is_empty() {
        return ExitCode::SUCCESS;
    }
    say(&format!("broken seeds: {broken:?}; look into one with: {} --trace", again(broken[0], arguments)));
    ExitCode::FAILURE
}

/// Runs seeds on all processors.
fn run_all(
    seeds: &RangeInclusive<u64>,
    deadline: Option<Instant>,
    arguments: &Arguments,
    start: Instant,
) -> Total {
    let (next, is_over) = (AtomicU64::new(*seeds.start()), AtomicBool::new(false));
    let (sender, reports) = mpsc::channel();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, next, is_over) = (sender.clone(), &next, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) || sender.send(run(seed, &arguments.options)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut total = Total::default();
        let mut last_progress = start;
        for report in reports {
            total.add(&report);
            if !report.violations.is_empty() && total.broken_seeds.len() <= SHOWN_MAX {
                show(&report, arguments);
            }
            if last_progress.elapsed() > PROGRESS_INTERVAL {
                last_progress = Instant::now();
                say(&total.progress(start));
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                is_over.store(true, Ordering::Relaxed);
            }
        }
        total
    })
}

#[derive(Default)]
struct Total {
    seeds: u64,
    events: u64,
    messages: u64,
    deliveries: u64,
    broken_seeds: Vec<u64>,
}

impl Total {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.events += report.events;
        self.messages += report.messages;
        self.deliveries += report.deliveries;
        if !report.violations.is_empty() {
            self.broken_seeds.push(report.seed);
        }
    }

    fn progress(&self, start: Instant) -> String {
        let seconds = start.elapsed().as_secs_f64();
        let per_second = self.events as f64 / seconds;
        format!("{seconds:.0} s: {} seeds, {} events ({per_second:.0} per second)", self.seeds, self.events)
    }
}

/// Runs a broken seed again to see how it came to that.
fn show(report: &Report, arguments: &Arguments) {
    let options = Options { trace: Trace::Keep(HISTORY_LINES), ..arguments.options.clone() };
    say(&format!("\nseed {} breaks a promise; what happened before:", report.seed));
    run(report.seed, &options).history.iter().for_each(|line| say(line));
    report.violations.iter().for_each(|violation| say(&format!("VIOLATED at {violation}")));
    say(&format!("once more: {}\n", again(report.seed, arguments)));
}

/// The command that repeats a seed.
fn again(seed: u64, arguments: &Arguments) -> String {
    let options = &arguments.options;
    let mut command = format!("cargo xtask sim --seed {seed}");
    if options.trouble_seconds != Options::default().trouble_seconds {
        command += &format!(" --trouble-seconds {}", options.trouble_seconds);
    }
    if let Some(bug) = options.planted_bug {
        command += &format!(" --plant {bug:?}");
    }
    command
}

/// Another one each time.
fn fresh_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() * 100_000
}

#[allow(clippy::print_stdout, reason = "the result of a command line program")]
fn say(text: &str) {
    println!("{text}");
}
