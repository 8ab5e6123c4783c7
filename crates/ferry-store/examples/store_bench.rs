//! Measures the store on a real disk: `cargo run --release -p ferry-store --example store_bench -- DIRECTORY`.
//!
//! Threads hand over batches of 256 records and wait until each is synced. "steady" hands over a batch, reads one back
//! and deletes one, so that the store holds 100 batches for each thread. The directory is removed at the end.
#![allow(clippy::print_stdout, reason = "a program that prints figures")]

use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ferry_store::{
    CommitOptions, CommitThread, FileDisk, Key, Level, Log, LogFigures, LogOptions, ShardStore,
};

const RECORDS_PER_BATCH: u64 = 256;
const STEADY_BATCHES: u64 = 100;
const SESSIONS: u64 = 1000;
const DURATION: Duration = Duration::from_secs(4);

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let directory = std::env::args().nth(1).ok_or("usage: store_bench DIRECTORY")?;
    let directory = Path::new(&directory).join("ferry-store-bench");
    println!(
        "work    value threads   records/s  CPU µs/record  bytes written/of records  records/sync   RSS MiB"
    );
    for value_bytes in [100, 1024] {
        for threads in [1, 4] {
            measure(&directory, "append", value_bytes, threads)?;
            measure(&directory, "steady", value_bytes, threads)?;
        }
    }
    for value_bytes in [100, 1024] {
        measure_recovery(&directory, value_bytes)?;
    }
    Ok(())
}

fn measure(directory: &Path, work: &'static str, value_bytes: usize, threads: u16) -> Result<(), Failure> {
    let _ = std::fs::remove_dir_all(directory);
    let (log, _) = Log::open(FileDisk::open(directory)?, LogOptions::default())?;
    let mut bells = Vec::new();
    let mut waiting = Vec::new();
    for _ in 0..threads {
        let (bell, rung) = channel();
        bells.push(bell);
        waiting.push(rung);
    }
    let bells: Mutex<Vec<Sender<()>>> = Mutex::new(bells);
    let ring = move |shard| {
        // Whoever has finished does not listen any more.
        let _ = bells.lock().map(|bells| bells[usize::from(shard)].send(()));
    };
    let thread =
        CommitThread::start(log, CommitOptions { ring: Box::new(ring), ..CommitOptions::new(threads) })?;
    let (begun, begun_cpu) = (Instant::now(), cpu_seconds());
    let value = Arc::new(vec![b'x'; value_bytes]);
    let workers: Vec<_> = waiting
        .into_iter()
        .enumerate()
        .map(|(shard, rung)| {
            let (mut store, value) = (thread.shard_store(shard as u16), Arc::clone(&value));
            thread::spawn(move || {
                let mut turn = 0;
                while begun.elapsed() < DURATION {
                    take_turn(&mut store, shard as u64, turn, &value, work == "steady");
                    turn += 1;
                    while store.synced() < store.appended() && rung.recv().is_ok() {}
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| "a worker has failed")?;
    }
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - begun_cpu);
    let rss = rss_mib();
    let figures = thread.figures();
    thread.shutdown()?;
    print_line(work, value_bytes, threads, &figures, seconds, cpu, rss);
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

/// Hands over one batch; in steady work, one that also deletes an earlier one, which is read back first.
fn take_turn(store: &mut ShardStore, shard: u64, turn: u64, value: &[u8], steady: bool) {
    let mut batch = store.batch();
    let first = turn * RECORDS_PER_BATCH;
    for item in first..first + RECORDS_PER_BATCH {
        batch.put(key(shard, item), value);
    }
    if steady && turn >= STEADY_BATCHES {
        let first = (turn - STEADY_BATCHES) * RECORDS_PER_BATCH;
        let keys: Vec<Key> = (first..first + RECORDS_PER_BATCH).map(|item| key(shard, item)).collect();
        keys.iter().for_each(|key| batch.delete(*key));
        store.load(keys, |loaded| {
            assert!(loaded.iter().all(|loaded| loaded.value.is_some()), "all are there");
        });
    }
    batch.require(Level::Synced);
    store.append(batch);
}

fn key(shard: u64, item: u64) -> Key {
    Key::new(1 + shard * SESSIONS + item % SESSIONS, 3, item)
}

fn measure_recovery(directory: &Path, value_bytes: usize) -> Result<(), Failure> {
    let _ = std::fs::remove_dir_all(directory);
    let records = 1_000_000;
    let (mut log, _) = Log::open(FileDisk::open(directory)?, LogOptions::default())?;
    let value = vec![b'x'; value_bytes];
    for first in (0..records).step_by(RECORDS_PER_BATCH as usize) {
        let mut batch = ferry_store::Batch::new();
        for item in first..(first + RECORDS_PER_BATCH).min(records) {
            batch.put(key(0, item), &value);
        }
        log.append(&[batch])?;
    }
    log.close()?;
    let before = rss_mib();
    let (begun, begun_cpu) = (Instant::now(), cpu_seconds());
    let (mut log, report) = Log::open(FileDisk::open(directory)?, LogOptions::default())?;
    let opened = begun.elapsed().as_secs_f64();
    let cpu = cpu_seconds() - begun_cpu;
    let rss = rss_mib();
    let begun = Instant::now();
    let mut value = Vec::new();
    log.visit(&mut |stored| {
        value.clear();
        stored.read(&mut value)
    })?;
    println!(
        "recovery of {} records of {value_bytes} bytes: {opened:.2} s, {cpu:.2} s of CPU, RSS {before} -> {rss} MiB; \
         reading all values in order of their keys: {:.2} s",
        report.live_records,
        begun.elapsed().as_secs_f64()
    );
    drop(log);
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

fn print_line(
    work: &str,
    value_bytes: usize,
    threads: u16,
    figures: &LogFigures,
    seconds: f64,
    cpu: f64,
    rss_mib: u64,
) {
    let records = figures.records as f64;
    println!(
        "{work:<7} {value_bytes:>5} {threads:>7} {:>11.0} {:>14.2} {:>25.2} {:>13.0} {rss_mib:>9}",
        records / seconds,
        cpu * 1e6 / records,
        figures.bytes_written as f64 / figures.bytes_of_records as f64,
        records / figures.syncs as f64,
    );
}

/// CPU time of this process, in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields = after_name.split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn rss_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
