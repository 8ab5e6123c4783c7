//! The commit thread: one group for all that waits, tickets, loading, and what happens when the disk does not work.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use std::{io, thread};

use ferry_store::{
    Batch, CommitOptions, CommitThread, Disk, DiskFile, Fault, Health, Key, Level, Log, LogOptions,
    ShardStore, SimulatedDisk, SimulatedFile, Ticket,
};

use crate::model::Model;

fn key(group: u64, item: u64) -> Key {
    Key::new(group, 1, item)
}

fn put(group: u64, item: u64, level: Level) -> Batch {
    let mut batch = Batch::new();
    batch.put(key(group, item), &[item as u8; 100]);
    batch.require(level);
    batch
}

/// A commit thread whose bell and health can be waited for.
struct World {
    disk: SimulatedDisk,
    thread: CommitThread,
    rings: Receiver<u16>,
    health: Receiver<Health>,
}

impl World {
    fn start(disk: SimulatedDisk, shard_count: u16, free_bytes_min: u64) -> Self {
        let (log, _) = Log::open(disk.clone(), LogOptions::default()).expect("opened");
        Self::start_on(log, disk, shard_count, free_bytes_min)
    }

    fn start_on<D>(log: Log<D>, disk: SimulatedDisk, shard_count: u16, free_bytes_min: u64) -> Self
    where
        D: Disk + Send + 'static,
        D::File: Send,
    {
        let (ring, rings) = channel();
        let (tell, health) = channel();
        let options = CommitOptions {
            free_bytes_min,
            retry_interval: Duration::from_millis(5),
            ring: Box::new(move |shard| ring.send(shard).unwrap_or_default()),
            health_changed: Box::new(move |health| drop(tell.send(health.clone()))),
            ..CommitOptions::new(shard_count)
        };
        let thread = CommitThread::start(log, options).expect("started");
        Self { disk, thread, rings, health }
    }

    /// Waits until a ticket is synced.
    fn await_synced(&self, store: &ShardStore, ticket: Ticket) {
        while store.synced() < ticket {
            self.rings.recv().expect("the thread lives");
        }
    }

    fn await_written(&self, store: &ShardStore, ticket: Ticket) {
        while store.written() < ticket {
            self.rings.recv().expect("the thread lives");
        }
    }

    fn content(disk: &SimulatedDisk) -> Vec<Key> {
        let (mut log, report) = Log::open(disk.clone(), LogOptions::default()).expect("opened");
        assert!(!report.is_damaged(), "{:?}", report.problems);
        Model::of(&mut log).expect("readable").values.into_keys().collect()
    }
}

#[test]
fn what_is_synced_survives_a_loss_of_power() {
    let world = World::start(SimulatedDisk::new(1), 2, 0);
    let (mut first, mut second) = (world.thread.shard_store(0), world.thread.shard_store(1));
    assert_eq!(first.append(put(1, 1, Level::Synced)), Ticket(1));
    assert_eq!(second.append(put(2, 1, Level::Synced)), Ticket(1));
    assert_eq!(first.append(put(1, 2, Level::Synced)), Ticket(2));
    world.await_synced(&first, Ticket(2));
    world.await_synced(&second, Ticket(1));
    assert_eq!((first.written(), first.appended()), (Ticket(2), Ticket(2)));
    world.disk.restart();
    assert_eq!(World::content(&world.disk), [key(1, 1), key(1, 2), key(2, 1)]);
}

#[test]
fn what_only_has_to_be_written_is_not_synced() {
    let world = World::start(SimulatedDisk::new(1), 1, 0);
    let mut store = world.thread.shard_store(0);
    for item in 0..10 {
        let ticket = store.append(put(1, item, Level::Written));
        world.await_written(&store, ticket);
    }
    assert_eq!(store.synced(), Ticket::ZERO);
    assert_eq!(world.thread.figures().syncs, 0);
    let ticket = store.append(put(1, 10, Level::Synced));
    world.await_synced(&store, ticket);
    assert_eq!(world.thread.figures().syncs, 1);
}

#[test]
fn shutting_down_writes_everything() {
    let world = World::start(SimulatedDisk::new(1), 1, 0);
    let mut store = world.thread.shard_store(0);
    let ticket = (0..1000).map(|item| store.append(put(1, item, Level::Written))).last();
    world.thread.shutdown().expect("the disk works");
    assert_eq!(Some(store.written()), ticket);
    assert_eq!(Some(store.synced()), ticket);
    world.disk.restart();
    assert_eq!(World::content(&world.disk).len(), 1000);
    let allocated: usize = world
        .disk
        .names()
        .iter()
        .filter_map(|name| world.disk.content(name))
        .map(|content| content.len())
        .sum();
    assert!(allocated < 1000 * 180, "{allocated}");
}

#[test]
fn batches_of_all_shards_are_written_in_the_order_in_which_they_came() {
    let world = World::start(SimulatedDisk::new(1), 4, 0);
    let mut stores: Vec<_> = (0..4).map(|shard| world.thread.shard_store(shard)).collect();
    for turn in 0..400_u64 {
        let mut batch = stores[turn as usize % 4].batch();
        assert!(batch.is_empty());
        batch.put(key(1, 1), &turn.to_le_bytes());
        stores[turn as usize % 4].append(batch);
    }
    let (answer, answers) = channel();
    stores[0].load(vec![key(1, 1)], move |loaded| answer.send(loaded).expect("awaited"));
    let loaded = answers.recv().expect("answered");
    assert_eq!(loaded[0].value, Some(399_u64.to_le_bytes().to_vec()));
}

#[test]
fn loading_gives_what_was_handed_over_before() {
    let world = World::start(SimulatedDisk::new(1), 1, 0);
    let mut store = world.thread.shard_store(0);
    let body = Key::new(0, 9, 1);
    let mut batch = store.batch();
    batch.put(key(1, 1), b"inline");
    batch.put_shared(body, b"body");
    batch.put_referring(key(1, 2), body, b"reference");
    store.append(batch);
    let (answer, answers) = channel();
    store.load(vec![key(1, 2), key(1, 3), key(1, 1)], move |loaded| answer.send(loaded).expect("awaited"));
    let mut later = store.batch();
    later.delete(key(1, 1));
    store.append(later);
    let loaded = answers.recv().expect("answered");
    assert_eq!(loaded.iter().map(|loaded| loaded.key).collect::<Vec<_>>(), [key(1, 2), key(1, 3), key(1, 1)]);
    assert_eq!(loaded[0].value.as_deref(), Some(&b"reference"[..]));
    assert_eq!(loaded[0].shared, Some((body, b"body".to_vec())));
    assert_eq!((&loaded[1].value, &loaded[1].shared), (&None, &None));
    assert_eq!(loaded[2].value.as_deref(), Some(&b"inline"[..]));
}

/// A disk whose syncs wait until they are let through.
#[derive(Clone)]
struct GatedDisk {
    disk: SimulatedDisk,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    is_closed: Mutex<bool>,
    opened: Condvar,
    waiting: Condvar,
    syncs: AtomicU64,
}

impl Gate {
    fn pass(&self) {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        self.waiting.notify_all();
        let closed = self.is_closed.lock().expect("not poisoned");
        drop(self.opened.wait_while(closed, |closed| *closed).expect("not poisoned"));
    }

    fn set(&self, is_closed: bool) {
        *self.is_closed.lock().expect("not poisoned") = is_closed;
        self.opened.notify_all();
    }

    fn await_sync(&self, number: u64) {
        let closed = self.is_closed.lock().expect("not poisoned");
        drop(
            self.waiting
                .wait_while(closed, |_| self.syncs.load(Ordering::SeqCst) < number)
                .expect("not poisoned"),
        );
    }
}

struct GatedFile(SimulatedFile, Arc<Gate>);

impl Disk for GatedDisk {
    type File = GatedFile;
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn create(&self, name: &str) -> io::Result<GatedFile> {
        Ok(GatedFile(self.disk.create(name)?, Arc::clone(&self.gate)))
    }
    fn open(&self, name: &str) -> io::Result<GatedFile> {
        Ok(GatedFile(self.disk.open(name)?, Arc::clone(&self.gate)))
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
}

impl DiskFile for GatedFile {
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, bytes)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_at(offset, bytes)
    }
    fn preallocate(&self, length: u64) -> io::Result<()> {
        self.0.preallocate(length)
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.1.pass();
        self.0.sync_data()
    }
}

#[test]
fn everything_that_waits_for_a_sync_shares_the_next_one() {
    let gate = Arc::new(Gate::default());
    let disk = GatedDisk { disk: SimulatedDisk::new(1), gate: Arc::clone(&gate) };
    let (log, _) = Log::open(disk.clone(), LogOptions::default()).expect("opened");
    let syncs = gate.syncs.load(Ordering::SeqCst);
    let world = World::start_on(log, disk.disk, 4, 0);
    gate.set(true);
    let mut stores: Vec<_> = (0..4).map(|shard| world.thread.shard_store(shard)).collect();
    stores[0].append(put(1, 0, Level::Synced));
    gate.await_sync(syncs + 1);
    // While the first is under way, nothing is synced, and handing over does not wait.
    for store in &mut stores {
        for item in 1..100 {
            store.append(put(u64::from(item as u8) + 10, item, Level::Synced));
        }
        assert_eq!(store.synced(), Ticket::ZERO);
        assert!(store.pending_bytes() > 99 * 100);
    }
    gate.set(false);
    for store in &stores {
        world.await_synced(store, store.appended());
    }
    assert_eq!(world.thread.figures().groups, 2);
    assert_eq!(gate.syncs.load(Ordering::SeqCst), syncs + 2);
    assert_eq!(stores[0].pending_bytes(), 0);
}

#[test]
fn a_full_disk_is_told_and_what_was_handed_over_is_written_when_there_is_room() {
    let disk = SimulatedDisk::new(1);
    disk.set_capacity_bytes(4000);
    let world = World::start(disk.clone(), 1, 0);
    let mut store = world.thread.shard_store(0);
    let ticket = (0..100).map(|item| store.append(put(1, item, Level::Synced))).last().expect("some");
    assert!(matches!(world.health.recv().expect("told"), Health::Full { .. }));
    assert!(store.synced() < ticket);
    assert!(matches!(world.thread.health(), Health::Full { .. }));
    // Reading goes on, also of what waits.
    let (answer, answers) = channel();
    store.load(vec![key(1, 0), key(1, 99)], move |loaded| answer.send(loaded).expect("awaited"));
    let loaded = answers.recv().expect("answered");
    assert_eq!(loaded[1].value, Some(vec![99; 100]));
    disk.set_capacity_bytes(1 << 30);
    assert_eq!(world.health.recv().expect("told"), Health::Writable);
    world.await_synced(&store, ticket);
    world.thread.shutdown().expect("the disk works");
    disk.restart();
    assert_eq!(World::content(&disk).len(), 100);
}

#[test]
fn a_disk_that_is_nearly_full_is_told_while_it_still_takes_everything() {
    let disk = SimulatedDisk::new(1);
    let world = World::start(disk.clone(), 1, 1 << 20);
    let mut store = world.thread.shard_store(0);
    let batch = |item| {
        let mut batch = Batch::new();
        batch.put(key(1, item), &vec![0; 300_000]);
        batch.require(Level::Synced);
        batch
    };
    disk.set_capacity_bytes(6 << 20);
    // How much is free is looked at now and then.
    for item in 0..20 {
        let ticket = store.append(batch(item));
        world.await_synced(&store, ticket);
    }
    assert!(matches!(world.health.recv().expect("told"), Health::Full { free_bytes_min: 0x10_0000, .. }));
    // Somebody else makes room; that is noticed without anything being written.
    disk.set_capacity_bytes(1 << 30);
    assert_eq!(world.health.recv().expect("told"), Health::Writable);
}

#[test]
fn a_failing_disk_is_told_and_nothing_is_lost_when_it_works_again() {
    let disk = SimulatedDisk::new(1);
    let world = World::start(disk.clone(), 1, 0);
    let mut store = world.thread.shard_store(0);
    let ticket = store.append(put(1, 0, Level::Synced));
    world.await_synced(&store, ticket);
    for operation in 0..7 {
        disk.plan(disk.operations() + operation, Fault::Fails);
    }
    let ticket = store.append(put(1, 1, Level::Synced));
    let health = world.health.recv().expect("told");
    assert!(matches!(health, Health::Failed { .. }), "{health:?}");
    assert_eq!(health.to_string(), "the disk fails: the disk has failed");
    world.await_synced(&store, ticket);
    assert_eq!(world.health.recv().expect("told"), Health::Writable);
    disk.restart();
    assert_eq!(World::content(&disk), [key(1, 0), key(1, 1)]);
}

#[test]
fn a_disk_that_never_works_again_does_not_keep_the_thread_from_ending() {
    let disk = SimulatedDisk::new(1);
    let world = World::start(disk.clone(), 1, 0);
    let mut store = world.thread.shard_store(0);
    disk.set_read_only(true);
    store.append(put(1, 1, Level::Synced));
    assert!(matches!(world.health.recv().expect("told"), Health::Failed { .. }));
    let error = world.thread.shutdown().expect_err("not written");
    assert!(error.lost_bytes > 100, "{error}");
    assert_eq!(store.synced(), Ticket::ZERO);
}

#[test]
fn an_idle_thread_does_nothing() {
    let world = World::start(SimulatedDisk::new(1), 1, 0);
    let mut store = world.thread.shard_store(0);
    let ticket = store.append(put(1, 1, Level::Synced));
    world.await_synced(&store, ticket);
    let operations = world.disk.operations();
    // An empty batch has a ticket, too.
    let ticket = store.append(Batch::new());
    world.await_written(&store, ticket);
    assert_eq!(world.disk.operations(), operations);
}

#[test]
fn shards_on_many_threads_lose_nothing() {
    let disk = SimulatedDisk::new(1);
    let world = World::start(disk.clone(), 4, 0);
    let threads: Vec<_> = (0..4)
        .map(|shard| {
            let mut store = world.thread.shard_store(shard);
            thread::spawn(move || {
                for item in 0..500 {
                    let mut batch = store.batch();
                    batch.put(key(u64::from(shard) + 1, item), &[1; 50]);
                    if item >= 10 {
                        batch.delete(key(u64::from(shard) + 1, item - 10));
                    }
                    batch.require(Level::Synced);
                    store.append(batch);
                }
                store
            })
        })
        .collect();
    for handle in threads {
        let store = handle.join().expect("no panic");
        world.await_synced(&store, Ticket(500));
    }
    let figures = world.thread.figures();
    assert_eq!(figures.records, 4 * 990);
    assert!(figures.groups <= 2000);
    world.disk.restart();
    assert_eq!(World::content(&disk).len(), 40);
}
