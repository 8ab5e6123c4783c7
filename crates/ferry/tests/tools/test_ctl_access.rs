//! `ferry ctl` decides who may connect, for a broker that is killed in between.

use crate::program::ferry;
use crate::served::Served;

/// Of `mosquitto_pub`, for return code 4: bad user name or password.
const REFUSED: Option<i32> = Some(4);

/// What `mosquitto_pub` ends with.
fn publishes(served: &Served, user: &str, password: &str) -> Option<i32> {
    served.mosquitto_pub(&["-u", user, "-P", password, "-t", "t"]).code
}

#[test]
fn users_are_added_changed_disabled_and_removed() {
    let served = Served::start("[authentication]\nusers = true\n");
    let set = |served: &Served, arguments: &[&str], password: &str| {
        let outcome = served.ctl_with_input(arguments, format!("{password}\n").as_bytes());
        assert_eq!(outcome.code, Some(0), "{arguments:?}: {outcome:?}");
        assert!(!outcome.error.contains("warning"), "{outcome:?}");
    };
    assert_eq!(publishes(&served, "ada", "first"), REFUSED);
    set(&served, &["users", "add", "ada"], "first");
    set(&served, &["users", "add", "-H", "scram-sha-256", "ben", "--password-file", "-"], "scram");
    assert_eq!((publishes(&served, "ada", "first"), publishes(&served, "ada", "other")), (Some(0), REFUSED));
    let again = served.ctl_with_input(&["users", "add", "ada"], b"x\n");
    assert!(again.code == Some(1) && again.error.contains("there is a user \"ada\" already"), "{again:?}");
    assert_eq!(served.ctl_with_input(&["users", "passwd", "cid"], b"x\n").code, Some(5));
    let served = served.after_kill();
    assert_eq!(
        served.done(&["users", "list"]),
        "USER  PASSWORD       STATE  ROLES\nada   argon2id\nben   scram-sha-256\n"
    );
    let mut scram = ferry();
    scram.args(["pub", "-p", &served.port, "--auth-method", "SCRAM-SHA-256", "-u", "ben", "-P", "scram"]);
    assert!(scram.args(["-t", "t", "-m", "x"]).status().expect("it runs").success());
    set(&served, &["users", "passwd", "ada"], "second");
    assert_eq!((publishes(&served, "ada", "first"), publishes(&served, "ada", "second")), (REFUSED, Some(0)));
    served.done(&["users", "disable", "ada"]);
    assert_eq!(publishes(&served, "ada", "second"), REFUSED);
    let served = served.after_kill();
    assert!(served.done(&["users", "list"]).contains("\nada   argon2id       disabled\n"));
    assert_eq!(publishes(&served, "ada", "second"), REFUSED);
    served.done(&["users", "enable", "ada"]);
    assert_eq!(publishes(&served, "ada", "second"), Some(0));
    served.done(&["users", "remove", "ada"]);
    assert_eq!(served.ctl(&["users", "remove", "ada"]).code, Some(5));
    assert_eq!(publishes(&served, "ada", "second"), REFUSED);
    assert!(!served.directory.read("data/users").contains("ada"));
    served.broker.signal("-TERM");
}

#[test]
fn who_is_banned_stays_so() {
    let served = Served::start("");
    assert_eq!(served.mosquitto_pub(&["-i", "pump", "-t", "t"]).code, Some(0));
    let added = served.done(&["bans", "add", "--client-id", "pump", "--for", "2h", "--reason", "it floods"]);
    assert_eq!(added, "done          banned\n");
    served.done(&["bans", "add", "--address", "198.51.100.0/24", "--user", "ada"]);
    let list = served.done(&["bans", "list"]);
    assert!(list.starts_with("ADDRESS          USER  CLIENT  UNTIL"), "{list}");
    assert!(list.contains("\n198.51.100.0/24  ada ") && list.contains(" operator  it floods"), "{list}");
    let served = served.after_kill();
    assert_eq!(served.done(&["bans", "list"]), list);
    // 5: Connection Refused, not authorized.
    assert_eq!(served.mosquitto_pub(&["-i", "pump", "-t", "t"]).code, Some(5));
    assert_eq!(served.done(&["bans", "remove", "--client-id", "pump"]), "done          lifted\n");
    let wrong = served.ctl(&["bans", "remove", "--client-id", "pump"]);
    assert!(wrong.code == Some(5) && wrong.error.contains("there is no ban of client_id=pump"), "{wrong:?}");
    assert_eq!(served.ctl(&["bans", "add", "--reason", "nobody"]).code, Some(2));
    let served = served.after_kill();
    assert_eq!(served.mosquitto_pub(&["-i", "pump", "-t", "t"]).code, Some(0));
    served.broker.signal("-TERM");
}

/// Of `mosquitto_pub` with MQTT 5.0, whether the broker takes a message of a user.
fn may_publish(served: &Served, user: &str, topic: &str) -> bool {
    let outcome = served.mosquitto_pub(&["-V", "mqttv5", "-q", "1", "-u", user, "-P", "x", "-t", topic]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    !outcome.error.contains("Not authorized")
}

#[test]
fn roles_are_made_given_and_taken() {
    let served = Served::start("[authentication]\nusers = true\n[authorization]\nroles = true\n");
    for user in ["ada", "ben"] {
        assert_eq!(served.ctl_with_input(&["users", "add", user], b"x\n").code, Some(0));
    }
    let rules = b"# At home\n[[rule]]\nallow = \"publish\"\ntopic = \"house/#\"\n";
    let set =
        served.ctl_with_input(&["roles", "set", "family", "--rules", "-", "--description", "at home"], rules);
    assert!(set.code == Some(0) && !set.error.contains("warning"), "{set:?}");
    assert!(!may_publish(&served, "ada", "house/door"));
    served.done(&["roles", "grant", "family", "ada"]);
    assert!(may_publish(&served, "ada", "house/door") && !may_publish(&served, "ada", "garden"));
    served.done(&["groups", "set", "kids"]);
    served.done(&["groups", "add", "kids", "ben"]);
    served.done(&["roles", "grant", "family", "--group", "kids"]);
    assert!(may_publish(&served, "ben", "house/door"));
    // Whoever was answered is on the disk.
    let served = served.after_kill();
    assert!(may_publish(&served, "ada", "house/door") && may_publish(&served, "ben", "house/door"));
    assert_eq!(
        served.done(&["roles", "list"]),
        "ROLE    RULES  USERS  GROUPS  DESCRIPTION\nfamily  1      ada    kids    at home\n"
    );
    let shown = served.done(&["roles", "show", "family"]);
    assert!(shown.contains("users         ada\n") && shown.contains("\n   2  [[rule]]\n"), "{shown}");
    assert!(served.done(&["users", "list"]).contains("\nada   argon2id         family\n"));
    assert_eq!(served.done(&["groups", "list"]), "GROUP  USERS  DESCRIPTION\nkids   ben\n");
    let why = served.done(&["why", "--user", "ada", "publish", "house/door"]);
    assert_eq!(why, "allowed: role family, line 2: allow publish, topic house/#, role family\n");
    let why = served.ctl(&["why", "--role", "family", "subscribe", "house/#"]);
    assert_eq!(why.output, "denied: roles: no rule matches house, which the filter reaches\n");
    assert_eq!(why.code, Some(1));
    assert_eq!(served.ctl(&["--json", "why", "publish", "house/door"]).code, Some(1));
    // No answer to the question.
    let why = served.ctl(&["why", "--user", "ada", "publish", ""]);
    assert_eq!(why.code, Some(2), "{why:?}");
    let wrong = served.ctl_with_input(&["roles", "set", "family", "--rules", "-"], b"\n[[rule]]\nalow = 1\n");
    assert!(wrong.code == Some(1) && wrong.error.contains("rules of role \"family\", line 2:"), "{wrong:?}");
    assert_eq!(served.ctl(&["roles", "grant", "nobody", "ada"]).code, Some(5));
    assert_eq!(served.ctl(&["roles", "grant", "family"]).code, Some(2));
    served.done(&["roles", "revoke", "family", "ada"]);
    served.done(&["groups", "delete", "kids"]);
    assert!(!may_publish(&served, "ada", "house/door") && !may_publish(&served, "ben", "house/door"));
    served.done(&["roles", "delete", "family"]);
    let served = served.after_kill();
    assert_eq!(served.ctl(&["roles", "show", "family"]).code, Some(5));
    served.broker.signal("-TERM");
}
