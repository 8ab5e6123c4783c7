//! A fixed set of seeds, clean at every commit; `cargo xtask sim` goes through others.

use ferry_sim::{Options, Trace, run};

/// Seconds of faults: long enough for expiries and delayed wills, short enough for a debug build.
const OPTIONS: Options = Options { trouble_seconds: 20, planted_bug: None, trace: Trace::Off };

#[test]
fn fixed_seeds_keep_every_promise() {
    for seed in 1..=30 {
        let report = run(seed, &OPTIONS);
        assert_eq!(report.violations, [], "seed {seed}");
        assert!(report.messages > 0, "seed {seed}");
    }
}

#[test]
fn a_seed_is_the_whole_story() {
    for seed in 1..=3 {
        let keep = Options { trace: Trace::Keep(10), ..OPTIONS };
        let (first, again) = (run(seed, &OPTIONS), run(seed, &keep));
        assert_eq!(first.digest, again.digest, "seed {seed}");
        assert_eq!((first.events, first.messages, first.deliveries), {
            (again.events, again.messages, again.deliveries)
        });
        assert_eq!(again.history.len(), 10);
    }
    assert_ne!(run(1, &OPTIONS).digest, run(2, &OPTIONS).digest);
}
