//! What it costs to compare a password with each kind of hash: `cargo run --release -p ferry-auth --example hash_cost`.
#![allow(clippy::print_stdout, reason = "figures for the person who asked for them")]

use std::fs;
use std::time::{Duration, Instant};

use ferry_auth::PasswordHash;

/// A kind of hash and one of it in each line, with a tab between.
const HASHES: &str = include_str!("hashes.txt");

/// Each kind is compared for so long, and at least so often.
const SPAN: Duration = Duration::from_secs(2);
const COMPARISONS_MIN: u64 = 5;

fn main() {
    println!("| hash | processor time | memory |\n|---|---|---|");
    for (name, hash) in HASHES.lines().filter_map(|line| line.split_once('\t')) {
        let hash = PasswordHash::parse(hash).expect("a hash of the list");
        let memory = peak_bytes_of(|| hash.verify(b"a wrong password"));
        let (begin, processor_before, mut comparisons) = (Instant::now(), processor_nanoseconds(), 0);
        while comparisons < COMPARISONS_MIN || begin.elapsed() < SPAN {
            assert!(!hash.verify(b"a wrong password"), "nobody has this password");
            comparisons += 1;
        }
        let nanoseconds = (processor_nanoseconds() - processor_before) / comparisons;
        println!("| {name} | {:.3} ms | {} KiB |", nanoseconds as f64 / 1e6, memory / 1024);
    }
}

/// By how much the process was larger meanwhile than before.
fn peak_bytes_of(work: impl FnOnce() -> bool) -> u64 {
    // Makes the highest size so far the present one; see proc(5).
    fs::write("/proc/self/clear_refs", "5").expect("Linux");
    let before = status_bytes("VmHWM:");
    assert!(!work(), "nobody has this password");
    status_bytes("VmHWM:").saturating_sub(before)
}

/// What this thread, the only one, has used so far: unlike the time on the clock, the same on a busy machine.
fn processor_nanoseconds() -> u64 {
    let schedstat = fs::read_to_string("/proc/self/schedstat").expect("Linux");
    schedstat.split_whitespace().next().and_then(|value| value.parse().ok()).expect("a number")
}

fn status_bytes(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field of Linux");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}
