//! The sender against the model, on random scripts; the fuzz target `session_model` runs the same.

mod model;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_doubled_or_reordered(script in prop::collection::vec(any::<u8>(), 0..400)) {
        model::run(&script);
    }
}
