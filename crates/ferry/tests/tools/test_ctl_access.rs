//! `ferry ctl` decides who may connect, for a broker that is killed in between.

use crate::served::Served;

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
