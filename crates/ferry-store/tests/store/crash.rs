//! Whatever happens, and wherever the power fails: what was synced is there, and of what was not, whole groups from
//! the oldest on or nothing.

use ferry_store::{Batch, Fault, Key, Log, LogOptions, SimulatedDisk};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::model::Model;

const QUEUED: u8 = 3;
const BODY: u8 = 9;

/// What is done to a log.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Append(Vec<Vec<Change>>),
    Sync,
    /// Ends well and is opened again.
    Reopen,
    /// The process is killed and another one comes.
    Kill,
    PowerFails,
    /// The next operations of the disk after so many.
    Fault(u64, Fault),
    Full(u64),
}

#[derive(Clone, Debug)]
pub(crate) enum Change {
    Put {
        group: u64,
        item: u64,
        length: usize,
    },
    /// One body and an entry for each of these groups.
    Fan {
        groups: Vec<u64>,
        item: u64,
        length: usize,
    },
    Delete {
        group: u64,
        item: u64,
    },
    DeleteGroup {
        group: u64,
    },
    /// One that is there.
    DeleteSome(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let length = prop_oneof![4 => 0..60_usize, 1 => 60..3000_usize];
    prop_oneof![
        4 => (1..5_u64, 0..20_u64, length.clone())
            .prop_map(|(group, item, length)| Change::Put { group, item, length }),
        2 => (prop::collection::vec(1..5_u64, 1..4), 100..140_u64, length)
            .prop_map(|(groups, item, length)| Change::Fan { groups, item, length }),
        1 => (1..5_u64, 0..20_u64).prop_map(|(group, item)| Change::Delete { group, item }),
        4 => any::<Index>().prop_map(Change::DeleteSome),
        1 => (1..5_u64).prop_map(|group| Change::DeleteGroup { group }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let batch = prop::collection::vec(change(), 0..6);
    let fault = prop_oneof![2 => Just(Fault::PowerFails), 1 => Just(Fault::Fails), 1 => Just(Fault::Full)];
    prop_oneof![
        20 => prop::collection::vec(batch, 1..4).prop_map(Step::Append),
        8 => Just(Step::Sync),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
        1 => Just(Step::PowerFails),
        2 => (0..12_u64, fault).prop_map(|(after, fault)| Step::Fault(after, fault)),
        1 => (0..20_000_u64).prop_map(Step::Full),
    ]
}

fn options() -> LogOptions {
    LogOptions {
        segment_bytes: 4096,
        preallocate_bytes: 1024,
        garbage_bytes_min: 2048,
        unsynced_bytes_max: 8192,
        salt: 5,
    }
}

/// A log, what it must hold, and every state to which a loss of power may bring it back.
pub(crate) struct World {
    pub(crate) disk: SimulatedDisk,
    pub(crate) log: Option<Log<SimulatedDisk>>,
    model: Model,
    /// The last state known to be durable, and those after it.
    states: Vec<Model>,
    /// The last of them that was written without an error.
    written: usize,
    next_body: u64,
    text: Vec<String>,
    /// The power fails again at this operation of the next start.
    pub(crate) fails_at_start: Option<u64>,
    /// Operations of the last start.
    pub(crate) start_operations: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let disk = SimulatedDisk::new(seed);
        let (log, report) = Log::open(disk.clone(), options()).expect("a new log");
        assert_eq!(report.problem_count, 0);
        let model = Model::default();
        Self {
            disk,
            log: Some(log),
            states: vec![model.clone()],
            written: 0,
            model,
            next_body: 1,
            text: Vec::new(),
            fails_at_start: None,
            start_operations: 0,
        }
    }

    fn log(&mut self) -> &mut Log<SimulatedDisk> {
        self.log.as_mut().expect("open")
    }

    pub(crate) fn step(&mut self, step: &Step) {
        self.text.push(format!("{step:?}"));
        match step {
            Step::Append(batches) => self.append(batches),
            Step::Sync => self.sync(),
            Step::Reopen => self.reopen(),
            Step::Kill => {
                self.log = None;
                self.disk.end_process();
                self.recover(self.written);
            }
            Step::PowerFails => self.power_fails(),
            Step::Fault(after, fault) => self.disk.plan(self.disk.operations() + after, *fault),
            Step::Full(free) => {
                let used: usize = self
                    .disk
                    .names()
                    .iter()
                    .filter_map(|name| self.disk.content(name))
                    .map(|file| file.len())
                    .sum();
                self.disk.set_capacity_bytes(used as u64 + free);
            }
        }
        if self.disk.is_off() {
            self.power_fails();
        }
    }

    fn append(&mut self, batches: &[Vec<Change>]) {
        let mut future = self.model.clone();
        let batches: Vec<Batch> = batches.iter().map(|changes| self.batch(changes, &mut future)).collect();
        let mut after = self.model.clone();
        after.append(&batches);
        if self.log().append(&batches).is_ok() {
            self.model = after.clone();
            self.written = self.states.len();
        }
        // One that failed may be there when the log is opened again.
        self.states.push(after);
    }

    fn batch(&mut self, changes: &[Change], future: &mut Model) -> Batch {
        let mut batch = Batch::new();
        let value = |seed: u64, length: usize| vec![seed as u8; length];
        for change in changes {
            match change {
                Change::Put { group, item, length } => {
                    batch.put(Key::new(*group, QUEUED, *item), &value(*item, *length));
                }
                Change::Fan { groups, item, length } => {
                    let body = Key::new(0, BODY, self.next_body);
                    self.next_body += 1;
                    batch.put_shared(body, &value(body.item, *length));
                    for group in groups {
                        batch.put_referring(Key::new(*group, QUEUED, *item), body, b"reference");
                    }
                }
                Change::Delete { group, item } => batch.delete(Key::new(*group, QUEUED, *item)),
                Change::DeleteGroup { group } => batch.delete_group(*group),
                Change::DeleteSome(index) => {
                    let there: Vec<Key> =
                        future.values.keys().copied().filter(|key| key.space == QUEUED).collect();
                    if !there.is_empty() {
                        batch.delete(*index.get(&there));
                    }
                }
            }
        }
        future.append(std::slice::from_ref(&batch));
        batch
    }

    fn sync(&mut self) {
        if self.log().sync().is_ok() {
            // One that failed, and after which nothing was written, may still come.
            self.states.drain(..self.written);
            self.written = 0;
        }
    }

    fn reopen(&mut self) {
        let log = self.log.take().expect("open");
        // If it fails, the process just ends.
        let _ = log.close();
        if !self.disk.is_off() {
            self.disk.end_process();
            self.recover(self.written);
        }
    }

    /// There is only one state to which the log can come back.
    fn settle(&mut self, state: Model) {
        self.states = vec![state];
        self.written = 0;
    }

    pub(crate) fn power_fails(&mut self) {
        self.log = None;
        self.disk.restart();
        self.recover(0);
    }

    /// Opens the log; finds it in the state number `at_least` or a later one.
    fn recover(&mut self, mut at_least: usize) {
        self.disk.heal();
        self.disk.set_capacity_bytes(1 << 40);
        if let Some(after) = self.fails_at_start.take() {
            self.disk.plan(self.disk.operations() + after, Fault::PowerFails);
            // It may be in vain, or the power fails at something that can be done later.
            let _ = Log::open(self.disk.clone(), options());
            if self.disk.is_off() {
                self.disk.restart();
                at_least = 0;
            } else {
                self.disk.end_process();
            }
            self.disk.heal();
        }
        let before = self.disk.operations();
        let (mut log, report) = Log::open(self.disk.clone(), options()).expect("a log can always be opened");
        self.start_operations = self.disk.operations() - before;
        self.text.push(format!("{report:?}"));
        assert!(!report.is_damaged(), "{}", self.text.join("\n"));
        let found = Model::of(&mut log).unwrap_or_else(|error| panic!("{error}\n{}", self.text.join("\n")));
        let state = self.states[at_least..].iter().rev().find(|state| state.visible() == found);
        let Some(state) = state.cloned() else {
            panic!("{found:?}\nis none of\n{:?}\n{}", &self.states[at_least..], self.text.join("\n"));
        };
        // Opening makes durable what it has found.
        self.settle(state.clone());
        self.model = state;
        self.log = Some(log);
    }

    pub(crate) fn check(&mut self) {
        let found = Model::of(self.log()).unwrap_or_else(|error| panic!("{error}\n{}", self.text.join("\n")));
        assert_eq!(found, self.model.visible(), "{}", self.text.join("\n"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_synced_is_lost_and_groups_are_whole(seed: u64, steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new(seed);
        for step in &steps {
            world.step(step);
            world.check();
        }
        world.power_fails();
        world.check();
    }
}
