//! ACL files: any text is read, and a denial of a user is never overruled.

#![no_main]

use ferry_auth::{Access, AclFile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, &str, &str)| {
    let (text, user, client_id, topic) = input;
    let (file, problems) = AclFile::parse(text);
    assert!(file.rules() + problems.len() <= text.lines().count());
    for access in [Access::Read, Access::Write] {
        let _ = file.decide(Some(user), client_id, topic, access);
        let _ = file.decide(None, client_id, topic, access);
    }
    // Names of the form that a file can have.
    let is_plain = |text: &str| !text.is_empty() && !text.contains(['\n', '\r']) && text.trim() == text;
    let is_topic = is_plain(topic) && !topic.contains(['+', '#']) && topic.split('/').count() <= 128;
    if is_plain(user) && is_topic {
        let (denied, wrong) = AclFile::parse(&format!("{text}\nuser {user}\ntopic deny {topic}\n"));
        assert_eq!(wrong.len(), problems.len());
        assert!(!denied.decide(Some(user), client_id, topic, Access::Read).allowed);
    }
});
