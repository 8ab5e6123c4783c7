//! The hot paths, to be counted in instructions: `cargo xtask instructions` runs each scenario twice under callgrind,
//! with few and with many operations, and takes the difference. So what a scenario prepares costs nothing.
//!
//! Without arguments it lists the scenarios; with a name and a number it runs that scenario so many times.
#![allow(clippy::print_stdout, reason = "a program that lists its scenarios")]

mod broker;
mod packets;
mod parts;
mod turns;

use std::process::ExitCode;

/// Prepares, then does the same thing so many times.
type Run = fn(operations: u32);

/// What is counted, by name.
const SCENARIOS: &[(&str, Run)] = &[
    ("decode PUBLISH 3.1.1 QoS 0", parts::decode_small),
    ("decode PUBLISH 5.0 QoS 1 with properties", parts::decode_with_properties),
    ("encode PUBLISH 3.1.1 QoS 0", parts::encode_small),
    ("encode PUBLISH 5.0 QoS 1 with properties", parts::encode_with_properties),
    ("match a topic, 10,000 exact filters", parts::match_exact),
    ("match a topic, 10,000 wildcard filters", parts::match_wildcard),
    ("publish QoS 0 to 1", |operations| turns::publish(0, 1, operations)),
    ("publish QoS 1 to 1", |operations| turns::publish(1, 1, operations)),
    ("publish QoS 2 to 1", |operations| turns::publish(2, 1, operations)),
    ("publish QoS 0 to 100", |operations| turns::publish(0, 100, operations)),
    ("publish QoS 1 to 100", |operations| turns::publish(1, 100, operations)),
    ("publish QoS 2 to 100", |operations| turns::publish(2, 100, operations)),
    ("publish QoS 0 to 1, with rules", |operations| turns::publish_with_rules(0, 1, operations)),
    ("publish QoS 1 to 1, with rules", |operations| turns::publish_with_rules(1, 1, operations)),
    ("publish QoS 0 to 100, with rules", |operations| turns::publish_with_rules(0, 100, operations)),
    ("publish QoS 1 to a shared subscription of 5", turns::publish_shared),
    ("publish QoS 0 to another shard", |operations| turns::publish_across(0, operations)),
    ("publish QoS 1 to another shard", |operations| turns::publish_across(1, operations)),
    ("publish 32 messages QoS 0 to another shard", |operations| turns::publish_many_across(32, operations)),
    ("PUBACK", |operations| turns::acknowledge(1, operations)),
    ("PUBREC and PUBCOMP", |operations| turns::acknowledge(2, operations)),
    ("whole turns, 32 messages QoS 0", |operations| turns::whole(0, operations)),
    ("whole turns, 32 messages QoS 1", |operations| turns::whole(1, operations)),
    ("whole turns, 32 messages QoS 2", |operations| turns::whole(2, operations)),
    ("whole turns, 320 messages QoS 1, queued", turns::whole_queued),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [name, operations] = &arguments[..] else {
        SCENARIOS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    };
    let scenario = SCENARIOS.iter().find(|(known, _)| known == name);
    let (Some((_, run)), Ok(operations)) = (scenario, operations.parse()) else {
        eprintln!("there is no such scenario, or the number is none: {name} {operations}");
        return ExitCode::FAILURE;
    };
    run(operations);
    ExitCode::SUCCESS
}
