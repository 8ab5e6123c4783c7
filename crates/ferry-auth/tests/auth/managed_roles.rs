//! Roles that are managed at run time.

use ferry_auth::{
    Grants, ManagedGroup, ManagedRole, ManagedRoles, ManagedRolesError, RuleClient, RuleOrigin, RuleReason,
    RulesFile,
};

const GUEST: &str =
    "[[rule]]\ndeny = \"all\"\ntopic = \"house/safe\"\n[[rule]]\nallow = \"all\"\ntopic = \"house/#\"";
const FAMILY: &str = "\n[[rule]]\nallow = \"all\"\ntopic = [\"house/#\", \"own/${user}\"]\nmaximum_qos = 1";

fn role(users: &[&str], groups: &[&str]) -> ManagedRole {
    let set = |names: &[&str]| names.iter().map(|name| (*name).into()).collect();
    let mut role = ManagedRole::default();
    (role.description, role.users, role.groups) = ("words".to_owned(), set(users), set(groups));
    role
}

fn roles() -> ManagedRoles {
    let mut roles = ManagedRoles::default();
    let staff = ManagedGroup { users: ["eve".into()].into(), ..ManagedGroup::default() };
    roles.set_group("staff", staff).expect("a group");
    roles.set_role("guest", role(&["cid"], &[]), Some(GUEST.to_owned())).expect("a role");
    roles.set_role("family", role(&["ada", "cid"], &["staff"]), Some(FAMILY.to_owned())).expect("a role");
    roles
}

fn file(text: &str) -> RulesFile {
    let (file, problems) = RulesFile::parse(text);
    assert_eq!(problems, []);
    file
}

fn publishes(rules: &RulesFile, user: Option<&str>, topic: &str, qos: u8) -> (bool, RuleReason) {
    let client = RuleClient { user_name: user, client_id: "c", origin: Some(RuleOrigin::default()) };
    let decision = rules.may_publish(&client, topic, qos, false);
    (decision.allowed, decision.reason)
}

#[test]
fn rules_of_roles_are_for_their_members_and_come_behind_those_of_the_file() {
    let rules = file("[[rule]]\ndeny = \"all\"\ntopic = \"house/cellar\"\n").with_roles(&roles());
    let may = |user, topic| publishes(&rules, Some(user), topic, 0).0;
    assert!(may("ada", "house/door") && may("eve", "house/door") && may("cid", "house/door"));
    assert!(!may("nobody", "house/door") && !publishes(&rules, None, "house/door", 0).0);
    assert!(!may("ada", "house/cellar"), "the file comes first");
    assert!(may("cid", "house/safe"), "family comes before guest");
    assert!(may("ada", "own/ada") && !may("ada", "own/eve"));
    // In the order of the names: family, then guest.
    assert_eq!(publishes(&rules, Some("ada"), "house/door", 2), (false, RuleReason::QosAbove(1)));
    assert_eq!((rules.role(0), rules.role(1), rules.role(2)), (None, Some("family"), Some("guest")));
    assert_eq!((rules.line(1), rules.line(2), rules.line(3)), (Some(2), Some(1), Some(4)));
    assert!(rules.words(1).ends_with(", role family, maximum QoS 1"), "{}", rules.words(1));
}

#[test]
fn a_role_is_the_same_by_members_by_the_file_and_by_a_token() {
    let text =
        "[roles]\nguest = [\"dan\"]\n[[rule]]\nallow = \"publish\"\ntopic = \"guests/#\"\nrole = \"guest\"\n";
    let rules = file(text).with_roles(&roles());
    for user in ["cid", "dan"] {
        assert!(publishes(&rules, Some(user), "guests/x", 0).0, "{user}");
        assert!(publishes(&rules, Some(user), "house/door", 0).0, "{user}");
    }
    let grants = Grants::of_roles(["guest"]);
    let origin = RuleOrigin { grants: Some(&grants), ..RuleOrigin::default() };
    let client = RuleClient { user_name: None, client_id: "c", origin: Some(origin) };
    assert!(rules.may_publish(&client, "house/door", 0, false).allowed);
    assert!(!rules.may_publish(&client, "house/safe", 0, false).allowed);
    assert!(!publishes(&rules, Some("ada"), "guests/x", 0).0);
}

#[test]
fn roles_come_back_from_their_text() {
    let roles = roles();
    let again = ManagedRoles::parse(&roles.to_string()).expect("roles");
    assert_eq!(again.to_string(), roles.to_string());
    assert_eq!(again.get("guest").map(ManagedRole::text), Some(GUEST));
    assert_eq!(again.roles_of("cid").collect::<Vec<_>>(), ["family", "guest"]);
    assert_eq!(again.roles_of("eve").collect::<Vec<_>>(), ["family"]);
    for wrong in [
        "",
        "[]",
        "{\"ferry_roles\":2}",
        "{\"ferry_roles\":1,\"role\":[]}",
        "{\"ferry_roles\":1,\"roles\":[{}]}",
        "{\"ferry_roles\":1,\"roles\":[{\"name\":\"a\",\"users\":[1]}]}",
        "{\"ferry_roles\":1,\"roles\":[{\"name\":\"a\",\"rules\":\"x\"}]}",
        "{\"ferry_roles\":1,\"roles\":[{\"name\":\"a\",\"rulez\":[]}]}",
        "{\"ferry_roles\":1,\"roles\":[{\"name\":\"a\",\"groups\":[\"b\"]}]}",
        "{\"ferry_roles\":1,\"roles\":[{\"name\":\"a\"},{\"name\":\"a\"}]}",
        "{\"ferry_roles\":1,\"groups\":[{\"name\":\"a\"},{\"name\":\"a\"}]}",
    ] {
        assert!(ManagedRoles::parse(wrong).is_err(), "{wrong}");
    }
    let bad = "{\"ferry_roles\":1,\"roles\":[{\"name\":\"a\",\"rules\":[\"\",\"[[rule]]\"]}]}";
    let words = ManagedRoles::parse(bad).expect_err("wrong").to_string();
    assert!(words.starts_with("rules of role \"a\", line 2:"), "{words}");
}

#[test]
fn what_is_wrong_changes_nothing() {
    let mut roles = roles();
    let before = roles.to_string();
    for text in [
        "[roles]\na = []",
        "[[rule]]\nallow = \"all\"\ntopic = \"a\"\nrole = \"guest\"",
        "[[rule]]\nallow = 1",
    ] {
        let wrong = roles.set_role("guest", role(&[], &[]), Some(text.to_owned())).expect_err("wrong");
        let ManagedRolesError::Rules { problems, .. } = wrong else { panic!("{wrong}") };
        assert!(problems.iter().all(|problem| !problem.remedy.is_empty()), "{problems:?}");
    }
    for name in ["", "a b", "-a", "a/b", "é", &"a".repeat(129)] {
        assert!(roles.set_role(name, role(&[], &[]), None).is_err(), "{name}");
        assert!(roles.set_group(name, ManagedGroup::default()).is_err(), "{name}");
    }
    assert!(roles.set_role("x", role(&[""], &[]), None).is_err());
    assert!(roles.set_role("x", role(&["a\nb"], &[]), None).is_err());
    assert!(roles.set_role("x", role(&[], &["nobody"]), None).is_err());
    assert!(!roles.remove_role("x") && !roles.remove_group("x"));
    assert_eq!(roles.to_string(), before);
    // Without its group nobody has the role by it.
    assert!(roles.remove_group("staff"));
    assert_eq!(roles.members("family").collect::<Vec<_>>(), ["ada", "cid"]);
}
