//! Rules files: any text is read; a rule in front denies whatever the others say; a filter that is granted reaches nothing
//! that is denied.

#![no_main]

use ferry_auth::{RuleClient, RuleOrigin, RulesFile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, &str, &str)| {
    let (text, user, client_id, topic) = input;
    let (file, problems) = RulesFile::parse(text);
    let _ = file.warnings();
    let lines = text.lines().count().max(1) + 1;
    assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.line) && problem.column > 0));
    let origin = Some(RuleOrigin {
        peer_address: "192.0.2.1:1",
        certificate_common_name: Some(user),
        ..RuleOrigin::default()
    });
    for (user_name, origin) in [(Some(user), origin), (None, origin), (Some(user), None)] {
        let client = RuleClient { user_name, client_id, origin };
        let published = file.may_publish(&client, topic, 0, false);
        assert!(published.allowed || !file.may_publish(&client, topic, 2, true).allowed);
        let _ = file.may_receive(&client, topic);
        // With any filter: what it names as its reason is true.
        if let ferry_auth::RuleReason::Reaches { topic, .. } = file.may_subscribe(&client, topic).reason {
            assert!(!file.may_subscribe(&client, &topic).allowed);
        }
    }
    if problems.is_empty() && !topic.starts_with('$') {
        let rule = "[[rule]]\ndeny = \"all\"\ntopic = \"#\"\n";
        // Roles come before rules, and keys without a section would be those of the rule in front.
        let all = RulesFile::parse(&format!("{rule}{text}"));
        if all.1.is_empty() {
            let client = RuleClient { user_name: Some(user), client_id, origin };
            assert!(!all.0.may_publish(&client, topic, 0, false).allowed);
        }
    }
});
