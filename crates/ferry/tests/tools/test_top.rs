use crate::broker::{Broker, Kind};
use crate::program::{Running, client, done, run};
use crate::terminal::Terminal;

const ENTER: &str = "\r";
const DOWN: &str = "\u{1b}[B";
const END: &str = "\u{1b}[F";

fn top(broker: &Broker, options: &[&str]) -> Terminal {
    let mut terminal = Terminal::start(&mut client("top", broker, options), 110, 30);
    terminal.wait_for("connected");
    terminal
}

#[test]
fn a_broker_is_watched() {
    for kind in Kind::installed() {
        let broker = Broker::start(kind);
        done("pub", &broker, &["-t", "house/kitchen/temperature", "-m", "21.5", "-r", "-q", "1"]);
        let mut terminal = top(&broker, &[]);
        // What the broker says of itself, and what is retained.
        terminal.wait_for(if kind == Kind::Ferry { "broker   ferry" } else { "broker   mosquitto version" });
        terminal.wait_for("temperature  21.5");
        terminal.wait_for("▸ $SYS");
        // A live message, and its payload in three forms.
        done(
            "pub",
            &broker,
            &["-t", "house/door", "-m", "{\"open\":true}", "-D", "publish", "content-type", "door/1"],
        );
        terminal.wait_for("door  {\"open\":true}");
        terminal.press(DOWN);
        terminal.press("j");
        terminal.wait_for("\"open\":  true");
        terminal.wait_for("Content Type door/1");
        terminal.press("vvv");
        terminal.wait_for("000000  7b 22 6f");
        // The rate comes to rest in the end.
        terminal.wait_for("/s   ");
        // The topics of the broker open.
        terminal.press("g");
        terminal.press(ENTER);
        terminal.wait_for("▾ broker");
        terminal.press("h");
        terminal.wait_for("▸ $SYS");
        terminal.press("q");
        let (status, output) = terminal.end();
        assert_eq!(status.code(), Some(0), "{kind:?}");
        assert!(
            output.ends_with("\u{1b}[?1049l\u{1b}[?25h") || output.contains("\u{1b}[?1049l"),
            "it leaves the terminal as it was"
        );
    }
}

#[test]
fn messages_are_filtered_and_published() {
    let broker = Broker::start(Kind::Ferry);
    let mut subscriber =
        Running::start(&mut client("sub", &broker, &["-t", "#", "-q", "1", "-v", "-d", "-C", "1"]));
    subscriber.wait_for("subscribed");
    let mut terminal = top(&broker, &[]);
    terminal.press("p");
    terminal.wait_for("publish");
    terminal.press("x\u{15}lamp/1\tof\u{7f}n\t1\tx");
    terminal.wait_for("retain    yes");
    terminal.press(ENTER);
    terminal.wait_for("published to lamp/1, and acknowledged");
    assert_eq!(subscriber.end().output, "lamp/1 on\n");
    terminal.wait_until("the message", |screen| screen.contains("1  on"));
    done("pub", &broker, &["-t", "door/1", "-m", "shut"]);
    terminal.wait_for("1  shut");
    terminal.press("/LAMP");
    terminal.wait_until("the filter", |screen| screen.contains("topics: LAMP") && !screen.contains("shut"));
    terminal.press(ENTER);
    terminal.press("\u{1b}");
    terminal.wait_for("1  shut");
    terminal.press(END);
    // Escape sequences in messages are shown, and not obeyed.
    done("pub", &broker, &["-t", "evil", "-m", "\u{1b}[2Jgone\u{1b}]0;title\u{7}"]);
    terminal.wait_for("evil  ·[2Jgone·]0;title·");
    terminal.resize(60, 12);
    terminal.wait_until("the smaller screen", |screen| {
        screen.lines().count() == 12 && screen.contains("evil  ·[2Jgone") && screen.contains("q quit")
    });
    terminal.signal("-TERM");
    assert_eq!(terminal.end().0.code(), Some(0));
}

#[test]
fn what_is_too_much_is_counted() {
    let broker = Broker::start(Kind::Ferry);
    let mut terminal = top(&broker, &["--topics-max", "2"]);
    let input: String =
        (0..5).map(|number| format!("{{\"topic\":\"t/{number}\",\"payload\":\"x\"}}\n")).collect();
    let published = run(&mut client("pub", &broker, &["--json-lines", "-q", "1"]), input.as_bytes());
    assert_eq!(published.code, Some(0));
    terminal.wait_for("2 topics are all that is kept: 3 messages of others are not shown");
    terminal.press("\u{3}");
    assert_eq!(terminal.end().0.code(), Some(0));
}

#[test]
fn a_lost_broker_is_told() {
    let broker = Broker::start(Kind::Ferry);
    let mut terminal = top(&broker, &[]);
    drop(broker);
    terminal.wait_for("not connected: ");
    terminal.press("q");
    assert_eq!(terminal.end().0.code(), Some(0));
}

#[test]
fn without_a_terminal_it_says_so() {
    let broker = Broker::start(Kind::Ferry);
    let outcome = run(&mut client("top", &broker, &[]), b"");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.error.contains("ferry top needs a terminal"), "{outcome:?}");
}

/// Whoever reads the terminal may stop to do so, as in a window of ssh over a network that is gone.
#[test]
fn a_terminal_that_takes_nothing_holds_nothing_up() {
    for signal in ["-TERM", "-HUP", "-INT"] {
        let broker = Broker::start(Kind::Ferry);
        let mut subscriber =
            Running::start(&mut client("sub", &broker, &["-t", "#", "-q", "1", "-v", "-d", "-C", "2"]));
        subscriber.wait_for("subscribed");
        let mut terminal = top(&broker, &[]);
        terminal.block();
        // Keys count, though what they do is not to be seen.
        for topic in ["lamp/1", "lamp/2"] {
            terminal.press(&format!("p\u{15}{topic}\ton\t1{ENTER}"));
        }
        assert_eq!(subscriber.end().output, "lamp/1 on\nlamp/2 on\n");
        terminal.signal(signal);
        assert_eq!(terminal.end().0.code(), Some(0), "{signal}");
    }
}

#[test]
fn it_ends_with_its_terminal() {
    let broker = Broker::start(Kind::Ferry);
    assert_eq!(top(&broker, &[]).hang_up().code(), Some(1));
}
