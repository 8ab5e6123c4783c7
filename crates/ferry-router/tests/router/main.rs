//! What the router promises, against naive models.

mod retained;
mod route_table;
mod shared_subscription;
mod size;
mod subscription_trie;

use proptest::prelude::*;

/// Few different levels, so that filters and topics meet: empty, `$`, prefixes of each other, and
/// characters next to `/` in byte order.
fn level() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "a",
        "b",
        "ab",
        "a!",
        "a0",
        "$",
        "$SYS",
        "\u{e9}",
        "a level longer than 16 bytes",
    ])
}

fn topic() -> impl Strategy<Value = String> {
    prop::collection::vec(level(), 1..5)
        .prop_map(|levels| levels.join("/"))
        .prop_filter("not empty", |t| !t.is_empty())
}

fn filter() -> impl Strategy<Value = String> {
    let filter_level = prop_oneof![3 => level(), 2 => Just("+")];
    (prop::collection::vec(filter_level, 0..5), any::<bool>())
        .prop_map(|(mut levels, ends_with_hash)| {
            if ends_with_hash {
                levels.push("#");
            }
            levels.join("/")
        })
        .prop_filter("not empty", |filter| !filter.is_empty())
}
