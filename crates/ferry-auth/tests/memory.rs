//! What hashes leave behind, in a process of its own: other tests would be measured too.
#![cfg(target_os = "linux")]

use ferry_auth::{HashCost, PasswordHash};

fn resident_kilobytes() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").expect("this process's own");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).expect("proc(5)");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn memory_of_a_hash_is_given_back() {
    let hash = PasswordHash::create(b"secret", HashCost::ARGON2ID).unwrap();
    // As the threads that compute hashes: what they allocate is apart from the memory of others.
    let (before, after) = std::thread::spawn(move || {
        assert!(hash.verify(b"secret"));
        let before = resident_kilobytes();
        let kept: Vec<(bool, Vec<u8>)> =
            (0..8).map(|number| (hash.verify(b"secret"), vec![1; 100 + number])).collect();
        assert!(kept.iter().all(|(right, _)| *right));
        (before, resident_kilobytes())
    })
    .join()
    .unwrap();
    assert!(after < before + 10_000, "{before} kB resident before, {after} kB after");
}
