use super::scenario::PAYLOAD_BYTES_MIN;
use super::{Load, Overrides, Pattern, Plan, Scenario, Traffic};
use crate::BenchError;

/// More of one publisher would be a message in less than the time of a system call.
const RATE_MAX: f64 = 10_000_000.0;

/// What is on its way is in memory somewhere.
const WINDOW_MAX: usize = 100_000;

/// The longest time of a plan: some months.
const SECONDS_MAX: f64 = 10_000_000.0;

/// Whether a plan can be run, and whether everything that was asked for is in it.
///
/// # Errors
/// What is wrong, and which option it is.
pub(super) fn check(plan: &Plan, overrides: &Overrides) -> Result<(), BenchError> {
    let first = without_effect(plan.scenario, overrides)
        .or_else(|| plan.parts.iter().find_map(wrong_traffic))
        .or_else(|| wrong_number(plan));
    match first {
        Some(why) => Err(BenchError::new(format!("{}: {why}", plan.name))),
        None => Ok(()),
    }
}

/// An option that would do nothing: whoever gives it expects something.
fn without_effect(scenario: Scenario, overrides: &Overrides) -> Option<&'static str> {
    let only_connects = matches!(scenario, Scenario::Conn | Scenario::Idle | Scenario::Storm);
    let has_no_rate = only_connects || matches!(scenario, Scenario::Offline | Scenario::Retained);
    let has_window = overrides.saturate || overrides.window.is_some();
    [
        (only_connects && overrides.publishers.is_some(), "--publishers: nobody publishes here"),
        (only_connects && has_window, "--saturate and --window: nobody publishes here"),
        (has_no_rate && overrides.rate.is_some(), "--rate: there is no schedule here"),
        (
            has_no_rate && overrides.kill_broker.is_some(),
            "--kill-broker: nothing is published over a time here",
        ),
        (scenario != Scenario::Storm && overrides.rounds.is_some(), "--rounds is for storm"),
        (scenario != Scenario::Offline && overrides.offline_messages.is_some(), "--messages is for offline"),
    ]
    .into_iter()
    .find_map(|(is_given, why)| is_given.then_some(why))
}

fn wrong_traffic(part: &Traffic) -> Option<&'static str> {
    let needs_subscribers = !matches!(part.pattern, Pattern::Pairs | Pattern::Everyone);
    let has_nobody = part.pattern != Pattern::Idle && (part.publishers == 0 || part.topics == 0);
    let is_wrong_load = match part.load {
        Load::Rate { messages_per_second } => (!(messages_per_second > 0.0
            && messages_per_second <= RATE_MAX))
            .then_some("--rate is more than 0 and at most 10,000,000"),
        Load::Saturate { window } => {
            (!(1..=WINDOW_MAX).contains(&window)).then_some("--window is from 1 to 100,000")
        }
    };
    [
        (part.qos > 2, "--qos is 0, 1 or 2"),
        (
            part.payload_bytes < PAYLOAD_BYTES_MIN,
            "--payload-bytes is at least 16: publisher, number, time and checksum of the message",
        ),
        (part.payload_bytes > 200_000_000, "--payload-bytes is more than a packet can hold"),
        (has_nobody, "--publishers and --topics are at least 1"),
        (needs_subscribers && part.subscribers == 0, "--subscribers is at least 1"),
        (
            part.streams() > u32::MAX as usize || part.subscribers > u32::MAX as usize,
            "more clients or topics than 32 bits can count",
        ),
    ]
    .into_iter()
    .find_map(|(is_wrong, why)| is_wrong.then_some(why))
    .or(is_wrong_load)
}

fn wrong_number(plan: &Plan) -> Option<&'static str> {
    let seconds =
        [plan.warm_up_seconds, plan.duration_seconds, plan.drain_seconds_max, plan.connect_seconds_max];
    let is_positive = |number: f64| number > 0.0 && number.is_finite();
    [
        (
            !seconds.iter().all(|seconds| (0.0..=SECONDS_MAX).contains(seconds)),
            "a time is negative or too long",
        ),
        (!plan.connects_per_second.is_none_or(is_positive), "--connect-rate and --ramp are more than 0"),
        (!is_positive(plan.kill_interval_seconds), "--kill-interval is more than 0"),
        (plan.threads == 0, "--threads is at least 1"),
        (plan.processes == 0, "--processes is at least 1"),
        (plan.rounds == 0, "--rounds is at least 1"),
        (plan.offline_messages == 0, "--messages is at least 1"),
    ]
    .into_iter()
    .find_map(|(is_wrong, why)| is_wrong.then_some(why))
}
