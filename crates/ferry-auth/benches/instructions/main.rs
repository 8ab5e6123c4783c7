//! What it costs to find the rule that decides, of a topic that is not remembered, to be counted in instructions: `cargo xtask
//! instructions` runs each scenario twice under callgrind, with few and with many operations, and takes the difference.
//!
//! Without arguments it lists the scenarios; with a name and a number it runs that scenario so many times.
#![allow(clippy::print_stdout, reason = "a program that lists its scenarios")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::process::ExitCode;

use ferry_auth::{Grants, ManagedRole, ManagedRoles, RuleClient, RuleOrigin, RulesFile};
use serde_json::json;

/// Prepares, then does the same thing so many times.
type Run = fn(operations: u32);

/// What is counted, by name.
const SCENARIOS: &[(&str, Run)] = &[
    ("find 1 of 1,000 rules of a file", of_file),
    ("find 1 of 1,000 rules of one role", |operations| of_roles(1, operations)),
    ("find 1 of 1,000 rules of ten roles", |operations| of_roles(10, operations)),
    ("find 1 of 1,000 rules for a token's role", for_role_of_token),
    ("find 1 of a token's 64 rules behind 1,000", of_token),
];

/// Rules that there are.
const RULES: u32 = 1_000;

/// Users who have a role.
const USERS: u32 = 101;

/// Of seven levels.
const TOPIC: &str = "sites/17/lines/4/cells/42/temperature";

const USER: &str = "user-42";

const ROLE: &str = "operator";

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

fn of_file(operations: u32) {
    decide_again(&parsed(&rules(0..RULES, "temperature", "")), None, operations);
}

/// The rules are those of so many roles, and the user has all of these.
fn of_roles(roles: u32, operations: u32) {
    let mut managed = ManagedRoles::default();
    for number in 0..roles {
        let mut role = ManagedRole::default();
        role.users = (0..USERS).map(|user| format!("user-{user}").into()).collect();
        let each = RULES / roles;
        let text = rules(number * each..(number + 1) * each, "temperature", "");
        managed.set_role(&format!("role-{number}"), role, Some(text)).expect("a role");
    }
    decide_again(&RulesFile::default().with_roles(&managed), None, operations);
}

/// The rules are for a role that no file names users of.
fn for_role_of_token(operations: u32) {
    let text = rules(0..RULES, "temperature", &format!("role = \"{ROLE}\"\n"));
    let file = parsed(&format!("[roles]\n{ROLE} = []\n{text}"));
    decide_again(&file.with_grants(), Some(&Grants::of_roles([ROLE])), operations);
}

/// None of the file matches, and the last of the client's own does.
fn of_token(operations: u32) {
    let file = parsed(&rules(0..RULES, "pressure", "")).with_grants();
    let own = (0..64).map(|number| {
        let topic = if number < 63 { format!("{TOPIC}/{number}") } else { TOPIC.to_owned() };
        json!({ "permission": "allow", "action": "publish", "topic": topic })
    });
    let grants = Grants::parse(None, Some(&own.collect())).expect("rules").expect("some");
    decide_again(&file, Some(&grants), operations);
}

/// A rule for each of these cells, with something more.
fn rules(cells: std::ops::Range<u32>, quantity: &str, more: &str) -> String {
    let mut text = String::new();
    for cell in cells {
        let topic = format!("sites/17/lines/4/cells/{cell}/{quantity}");
        let _ = write!(text, "[[rule]]\nallow = \"publish\"\ntopic = \"{topic}\"\n{more}");
    }
    text
}

fn parsed(text: &str) -> RulesFile {
    let (file, problems) = RulesFile::parse(text);
    // That a role has no users in the file is only worth a warning.
    assert_eq!(file.rules(), RULES as usize, "{problems:?}");
    file
}

fn decide_again(rules: &RulesFile, grants: Option<&Grants>, operations: u32) {
    let origin = RuleOrigin { peer_address: "192.0.2.7:49152", grants, ..RuleOrigin::default() };
    let client = RuleClient { user_name: Some(USER), client_id: "pump-42", origin: Some(origin) };
    for _ in 0..operations {
        let decision = rules.may_publish(black_box(&client), black_box(TOPIC), 1, false);
        assert!(black_box(decision).allowed);
    }
}
