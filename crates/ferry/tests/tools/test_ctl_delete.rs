//! `ferry ctl` asks on a terminal before it deletes.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::served::Served;
use crate::terminal::Terminal;

/// A broker with one of everything that can be deleted, for each of `copies`.
fn served(copies: &[&str]) -> Served {
    let served = Served::start("[authentication]\nusers = true\n[authorization]\nroles = true\n");
    for copy in copies {
        assert_eq!(served.ctl_with_input(&["users", "add", copy], b"secret\n").code, Some(0));
        for arguments in [
            ["roles", "set", copy].as_slice(),
            &["groups", "set", copy],
            &["bans", "add", "--client-id", copy],
            &["publish", "-r", "-m", "x", "-t", copy],
        ] {
            served.done(arguments);
        }
    }
    served
}

/// What deletes one copy, and the question about it.
fn deletions(copy: &str) -> [(Vec<&str>, String); 5] {
    [
        (vec!["users", "remove", copy], format!("Remove the user {copy}, and end the connections")),
        (vec!["roles", "delete", copy], format!("Delete the role {copy}, and take it from everybody")),
        (vec!["groups", "delete", copy], format!("Delete the group {copy}, and take it out of the roles")),
        (vec!["bans", "remove", "--client-id", copy], format!("Lift the ban of client_id {copy}?")),
        (vec!["retained", "delete", copy], format!("Delete 1 retained messages that match {copy}?")),
    ]
}

/// Answers the question, and says how the program ends and all that it has shown.
fn answered(served: &Served, arguments: &[&str], question: &str, answer: &str) -> (Option<i32>, String) {
    let mut terminal = Terminal::start(&mut served.ctl_command(arguments), 200, 10);
    terminal.wait_for(question);
    terminal.wait_for("? [y/N]");
    terminal.press(answer);
    let (status, shown) = terminal.end();
    assert_eq!(status.signal(), None);
    (status.code(), shown)
}

/// How the program ends on a terminal where nobody answers, and all that it has shown.
fn ended(served: &Served, arguments: &[&str]) -> (ExitStatus, String) {
    let terminal = Terminal::start(&mut served.ctl_command(arguments), 200, 10);
    terminal.end()
}

#[test]
fn on_a_terminal_it_asks_before_it_deletes() {
    let served = served(&["ada"]);
    for (arguments, question) in deletions("ada") {
        // What is not yes is no: another word, nothing, the end of what is typed.
        for answer in ["n\r", "\r", "yess\r", "\u{4}"] {
            let (code, shown) = answered(&served, &arguments, &question, answer);
            assert_eq!(code, Some(1), "{arguments:?} {answer:?}: {shown}");
            assert!(shown.contains("error: not confirmed"), "{shown}");
        }
        let answer = if arguments[0] == "users" { "YES\r" } else { "y\r" };
        let (code, shown) = answered(&served, &arguments, &question, answer);
        assert_eq!(code, Some(0), "{arguments:?}: {shown}");
        assert!(shown.contains("done  "), "{shown}");
        // It was there until then, and is not any more.
        let again = served.ctl(&arguments);
        assert!(again.code == Some(5) || again.output.contains("deleted 0"), "{arguments:?}: {again:?}");
    }
    let (code, _) = answered(&served, &["sessions", "delete", "pump"], "Delete the session of pump", "y\r");
    assert_eq!(code, Some(5), "there is none");
    served.stop();
}

#[test]
fn who_says_yes_or_is_no_terminal_is_not_asked() {
    let served = served(&["ada", "ben"]);
    for (arguments, _) in deletions("ada") {
        let (status, shown) = ended(&served, &[&["--yes"], arguments.as_slice()].concat());
        assert!(status.success() && !shown.contains("[y/N]"), "{arguments:?}: {shown}");
    }
    for (arguments, _) in deletions("ben") {
        let outcome = served.ctl(&arguments);
        assert!(outcome.code == Some(0) && outcome.error.is_empty(), "{arguments:?}: {outcome:?}");
    }
    // What can be taken back is not asked for.
    for arguments in [["groups", "set", "kids"], ["users", "disable", "nobody"], ["kick", "nobody", "-y"]] {
        let (_, shown) = ended(&served, &arguments);
        assert!(!shown.contains("[y/N]"), "{arguments:?}: {shown}");
    }
    served.stop();
}
