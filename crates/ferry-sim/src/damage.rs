//! What a flipped bit does: on a copy of the disk, so that the world goes on without it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ferry_core::persistence::{Restored, Restorer};
use ferry_core::{AllowAll, CoreConfig, Effects, Event, Shard, Shared, home_shard};
use ferry_router::ShardId;
use ferry_session::Timestamp;
use ferry_store::{Key, Log, LogOptions, Problem, ProblemKind, RecoveryReport, SimulatedDisk};

use crate::random::Random;
use crate::store::{entry_key, key, read};

type Entries = BTreeMap<Key, Value>;

/// What a key has, as far as it can be read, and what it refers to.
#[derive(PartialEq, Eq)]
struct Value {
    bytes: Option<Vec<u8>>,
    refers_to: Option<Key>,
}

/// Flips a bit of what the disk would have after a restart, and starts with and without that: it must start, whatever
/// is different must be in the report, and what was not damaged must be there. A planted bug `loses_more` than that.
pub(crate) fn probe(
    disk: &SimulatedDisk,
    options: &LogOptions,
    config: &Arc<CoreConfig>,
    loses_more: bool,
    random: &mut Random,
) -> Result<(), String> {
    let (whole, damaged) = (copy(disk, random), copy(disk, random));
    let names = damaged.names();
    if names.is_empty() {
        return Ok(());
    }
    let name = random.pick(&names);
    let length = damaged.content(name).map_or(0, |content| content.len());
    if length == 0 {
        return Ok(());
    }
    let (offset, bit) = (random.below(length as u64) as usize, random.below(8) as u8);
    damaged.flip_bit(name, offset, bit);
    if loses_more {
        (0..length).step_by(length / 20 + 1).for_each(|offset| damaged.flip_bit(name, offset, bit));
    }
    let place = format!("bit {bit} at {offset} of {name} flipped");
    let (before, report_before, _) = open(&whole, options)?;
    let (after, report, mut log) = open(&damaged, options).map_err(|error| format!("{place}: {error}"))?;
    if report.problem_count == 0 && before != after {
        let lost: Vec<_> = before.keys().filter(|key| after.get(key) != before.get(key)).collect();
        return Err(format!("{place}: nothing is reported, but {lost:?} are different"));
    }
    // Without its header a segment does not tell what it has from another one: that is taken for a torn tail, too.
    let is_torn = |problem: &&Problem| {
        let bytes = problem.offset..problem.offset + problem.length;
        let is_here = problem.file == *name && bytes.contains(&(offset as u64));
        is_here && matches!(problem.kind, ProblemKind::TornTail { .. })
    };
    let torn =
        report.problems.iter().filter(is_torn).find(|problem| !report_before.problems.contains(problem));
    match torn {
        // What was not known to be durable ends where it is damaged, and no earlier.
        Some(_) => {
            let cut = copy(disk, random);
            cut.cut(name, offset);
            if after != open(&cut, options)?.0 {
                return Err(format!("{place}: not all before it is there, or more: {:?}", report.problems));
            }
        }
        None => one_entry_at_most(&before, &after)
            .map_err(|lost| format!("{place}: {lost}; {:?}", report.problems))?,
    }
    start(&mut log, config, random);
    Ok(())
}

/// One bit is in one entry: all others must be as they were, but for those that refer to its value.
fn one_entry_at_most(before: &Entries, after: &Entries) -> Result<(), String> {
    let lost: Vec<_> = before.iter().filter(|(key, value)| after.get(key) != Some(*value)).collect();
    let hit = lost.first().map(|(key, value)| value.refers_to.unwrap_or(**key));
    let goes_along = |(key, value): &(&Key, &Value)| hit == Some(**key) || hit == value.refers_to;
    if lost.len() <= 1 || lost.iter().all(goes_along) {
        return Ok(());
    }
    Err(format!("{:?} are lost", lost.iter().map(|(key, _)| key).collect::<Vec<_>>()))
}

fn copy(disk: &SimulatedDisk, random: &mut Random) -> SimulatedDisk {
    let copy = SimulatedDisk::new(random.next());
    for name in disk.names() {
        copy.plant(&name, disk.content(&name).unwrap_or_default());
    }
    copy
}

fn open(
    disk: &SimulatedDisk,
    options: &LogOptions,
) -> Result<(Entries, RecoveryReport, Log<SimulatedDisk>), String> {
    let (mut log, report) =
        Log::open(disk.clone(), options.clone()).map_err(|error| format!("cannot start: {error}"))?;
    let mut entries = Entries::new();
    let visited: Result<(), ()> = log.visit(&mut |stored| {
        let mut value = Vec::new();
        let is_read = stored.read(&mut value).is_ok();
        let value = Value { bytes: is_read.then_some(value), refers_to: stored.shared };
        entries.insert(stored.key, value);
        Ok(())
    });
    debug_assert!(visited.is_ok());
    Ok((entries, report, log))
}

/// Starts shards with what there is, and lets them do what is due.
fn start(log: &mut Log<SimulatedDisk>, config: &Arc<CoreConfig>, random: &mut Random) {
    let shared = Arc::new(Shared::new(1, random.next(), Arc::clone(config), Arc::new(AllowAll)));
    let restored = restore(log, &shared, &|_| true);
    let now = Timestamp(0);
    let mut shard = Shard::new(ShardId(0), 1, shared, random.next(), now);
    let mut records = Vec::new();
    for session in restored.sessions {
        debug_assert_eq!(home_shard(session.client_id(), 1), ShardId(0));
        shard.restore(session, &mut records);
    }
    restored.forwarded.iter().for_each(|forwarded| shard.restore_forwarded(forwarded, &mut records));
    shard.handle(now, Event::Tick, &mut Effects::new());
}

/// Gives the core what the log has, but for what `is_kept` leaves out by the number of its space.
pub(crate) fn restore(
    log: &mut Log<SimulatedDisk>,
    shared: &Arc<Shared>,
    is_kept: &dyn Fn(u8) -> bool,
) -> Restored {
    let mut restorer = Restorer::new(Arc::clone(shared));
    let visited: Result<(), ()> = log.visit(&mut |stored| {
        if is_kept(stored.key.space) {
            let (at, refers_to) = (entry_key(stored.key), stored.shared.map(entry_key));
            restorer.entry(at, refers_to, &mut |out| stored.read(out).is_ok());
        }
        Ok(())
    });
    debug_assert!(visited.is_ok());
    for wanted in restorer.bodies_wanted() {
        if let Some(value) = read(log, key(wanted)) {
            restorer.body(wanted, &value);
        }
    }
    restorer.finish()
}
