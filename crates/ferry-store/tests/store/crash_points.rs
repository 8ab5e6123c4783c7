//! The power fails, or the disk, at each single operation of a life that has all kinds of them, and at each operation
//! of the start after that.

use ferry_store::{Fault, Operation};

use crate::crash::{Change, Step, World};

/// Disks that decide differently what of the unsynced is there after a loss of power.
const SEEDS: [u64; 2] = [0, 1];

/// Queues that come and go, so that segments end, are compacted, taken away and used again; bodies with several
/// references; syncs now and then; two ends of the process.
fn life() -> Vec<Step> {
    let mut steps = Vec::new();
    for round in 0..40 {
        let put = |group, item, length| Change::Put { group, item, length };
        let mut changes = vec![put(1, round, 500), put(2, round, 20)];
        if round % 3 == 0 {
            changes.push(Change::Fan { groups: vec![1, 2, 3], item: 100 + round, length: 300 });
        }
        if round >= 4 {
            let items = [round - 4, 100 + round - 4];
            changes.extend(items.map(|item| Change::Delete { group: 1, item }));
        }
        if round % 20 == 19 {
            changes.push(Change::DeleteGroup { group: 3 });
        }
        steps.push(Step::Append(vec![changes]));
        match round {
            15 => steps.push(Step::Reopen),
            30 => steps.push(Step::Kill),
            _ if round % 2 == 0 => steps.push(Step::Sync),
            _ => {}
        }
    }
    steps.push(Step::Reopen);
    steps
}

fn live(world: &mut World, steps: &[Step]) {
    for step in steps {
        world.step(step);
    }
    world.check();
}

#[test]
fn the_life_has_operations_of_every_kind() {
    let (mut world, life) = (World::new(1), life());
    let (end, steps) = life.split_last().expect("a life");
    live(&mut world, steps);
    let figures = world.log.as_ref().expect("open").figures();
    assert!(figures.bytes_compacted > 0, "{figures:?}");
    world.step(end);
    for operation in Operation::ALL {
        assert!(world.disk.count(operation) > 0, "{operation:?}");
    }
}

#[test]
fn a_fault_at_any_operation_loses_nothing_that_was_synced() {
    for seed in SEEDS {
        let mut world = World::new(seed);
        let first = world.disk.operations();
        live(&mut world, &life());
        for at in first..world.disk.operations() {
            for fault in [Fault::PowerFails, Fault::Fails, Fault::Full] {
                let mut world = World::new(seed);
                world.disk.plan(at, fault);
                live(&mut world, &life());
                world.power_fails();
                world.check();
            }
        }
    }
}

#[test]
fn the_power_may_fail_again_at_any_operation_of_the_start() {
    for seed in SEEDS {
        let mut world = World::new(seed);
        let first = world.disk.operations();
        live(&mut world, &life());
        for at in (first..world.disk.operations()).step_by(3) {
            // Until the start has no more operations.
            let mut again = 0;
            loop {
                let mut world = World::new(seed);
                world.disk.plan(at, Fault::PowerFails);
                world.fails_at_start = Some(again);
                for step in life() {
                    world.step(&step);
                    if world.fails_at_start.is_none() {
                        break;
                    }
                }
                world.check();
                again += 1;
                if again > world.start_operations + 1 {
                    break;
                }
            }
        }
    }
}
