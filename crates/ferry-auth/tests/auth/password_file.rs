use ferry_auth::{HashCost, PasswordFile, PasswordFileText, PasswordHash};
use proptest::prelude::*;

const COST: HashCost = HashCost::Pbkdf2Sha512 { iterations: 1 };

const HASH: &str = "$2b$04$weZYFtV2KpNJcJoVYMyaeeUSeybMgJv7IQFBx5f8hcYeO3EJCQBVm";

#[test]
fn users_end_when_they_are_removed_or_changed() {
    let hash = "$2b$04$weZYFtV2KpNJcJoVYMyaeeUSeybMgJv7IQFBx5f8hcYeO3EJCQBVm";
    let other = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
    let parse = |text: &str| PasswordFile::parse(text).0;
    let before = parse(&format!("a:{hash}\nb:{hash}\nc:{hash}\n"));
    let after = parse(&format!("c:{other}\n# a comment\na:{hash}\nnew:{hash}\n"));
    let mut ended: Vec<_> = after.ended_since(&before).into_iter().collect();
    ended.sort();
    assert_eq!(ended, ["b".into(), "c".into()] as [Box<str>; 2]);
    assert!(before.ended_since(&before).is_empty() && parse("").ended_since(&before).len() == 3);
}

#[test]
fn every_line_is_a_user_or_a_problem_with_its_number() {
    let text = format!(
        "# users of the barn\n\nada:{HASH}\r\n  ben : {HASH} \nada:{HASH}\ncarol\n:{HASH}\ndora:secret\nemil:$9$x\n\u{fc}:{HASH}"
    );
    let (file, problems) = PasswordFile::parse(&text);
    assert_eq!(file.len(), 3);
    assert!(["ada", "ben", "\u{fc}"].iter().all(|user| file.get(user).is_some()));
    assert!(file.get("").is_none() && file.get("dora").is_none());
    let messages: Vec<String> =
        problems.iter().map(|problem| format!("{}: {problem}", problem.line)).collect();
    assert_eq!(
        messages,
        [
            "5: user \"ada\": the user has a line already",
            "6: this line is not user:hash",
            "7: user \"\": a user name has 1 to 65,535 bytes",
            "8: user \"dora\": the password is in plain text",
            "9: user \"emil\": the kind of the password hash is not known",
        ]
    );
}

#[test]
fn a_change_leaves_the_other_lines_as_they_were() {
    let before = format!("# the barn\nada:{HASH}\n\nbroken\nben:{HASH}\nada:{HASH}\n");
    let mut text = PasswordFileText::new(&before);
    let hash = PasswordHash::parse(HASH).unwrap();
    assert_eq!(text.set("ada", &hash), Ok(false));
    assert_eq!(text.to_string(), format!("# the barn\nada:{HASH}\n\nbroken\nben:{HASH}\n"));
    assert_eq!(text.set("carol", &hash), Ok(true));
    assert!(text.remove("ben") && !text.remove("ben") && !text.remove("# the barn"));
    assert_eq!(text.to_string(), format!("# the barn\nada:{HASH}\n\nbroken\ncarol:{HASH}\n"));
    assert_eq!(text.users(), 3, "a broken line is somebody's");
}

#[test]
fn only_a_name_that_is_read_back_is_written() {
    let hash = PasswordHash::parse(HASH).unwrap();
    for name in ["", "a:b", "a\nb", "#a", " a", "a\t", &"x".repeat(65_536)] {
        assert!(PasswordFileText::default().set(name, &hash).is_err(), "{name:?}");
    }
}

#[test]
fn plain_passwords_are_found() {
    let text =
        PasswordFileText::new(&format!("# old\nada:secret\nben:{HASH}\ncarol:a:b\ndora:$9$odd\nemil:\n"));
    let found: Vec<_> = text.plain();
    assert_eq!(found[..2], [("ada".into(), "secret".into()), ("carol".into(), "a:b".into())]);
}

proptest! {
    /// Against a map, with any name that is allowed.
    #[test]
    fn changes_are_read_back(changes: Vec<(bool, proptest::sample::Index, u8)>, names in proptest::collection::vec("[^:]{1,6}", 1..4)) {
        let mut text = PasswordFileText::default();
        let mut model = std::collections::BTreeMap::new();
        for (set, name, password) in changes.iter().take(20) {
            let name = name.get(&names).as_str();
            if *set {
                let hash = PasswordHash::create(&[*password], COST).unwrap();
                if text.set(name, &hash).is_ok() {
                    model.insert(name, *password);
                }
            } else {
                prop_assert_eq!(text.remove(name), model.remove(name).is_some());
            }
        }
        let (file, problems) = PasswordFile::parse(&text.to_string());
        prop_assert!(problems.is_empty(), "{:?}", problems);
        prop_assert_eq!(file.len(), model.len());
        for (name, password) in model {
            prop_assert!(file.get(name).is_some_and(|hash| hash.verify(&[password])));
        }
    }

    #[test]
    fn no_file_is_too_strange(text: String) {
        let (file, problems) = PasswordFile::parse(&text);
        prop_assert!(file.len() + problems.len() <= text.lines().count());
        let changed = PasswordFileText::new(&text);
        prop_assert_eq!(changed.users(), file.len() + problems.len());
    }
}
