use std::process::{Command, Stdio};

use crate::program::{Outcome, Running, Scratch, ferry, run};
use crate::terminal::Terminal;

fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).status();
    if found.is_err() {
        eprintln!("SKIPPED: {program} is not installed");
    }
    found.is_ok()
}

fn script(shell: &str, scratch: &Scratch) -> String {
    let outcome = run(ferry().args(["completions", shell]), b"");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(!outcome.output.contains("bench-agent"), "it is proposed");
    assert_eq!(outcome.output.contains("psk-identity"), cfg!(feature = "psk"));
    scratch.write(&format!("ferry.{shell}"), outcome.output.as_bytes())
}

/// What is typed, and some of what must be proposed.
const TYPED: [(&str, &[&str]); 5] = [
    ("ferry re", &["record", "replay"]),
    ("ferry pub --rep", &["--repeat", "--repeat-delay"]),
    ("ferry sub --form", &["--format"]),
    ("ferry sub --format ", &["json", "cbor", "hex", "base64", "sparkplug"]),
    ("ferry store che", &["check"]),
];

#[test]
fn bash_completes() {
    if !is_there("bash") {
        return;
    }
    let scratch = Scratch::new();
    let file = script("bash", &scratch);
    for (typed, expected) in TYPED {
        let words: Vec<&str> = typed.split(' ').collect();
        let [.., before, current] = words.as_slice() else { panic!("{typed}") };
        let program = format!(
            "set -u; source '{file}'; COMP_WORDS=({typed}{}); COMP_CWORD={}; COMPREPLY=(); _ferry ferry '{current}' '{before}'; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            if current.is_empty() { "''" } else { "" },
            words.len() - 1
        );
        let outcome = run(Command::new("bash").args(["--norc", "-c", &program]), b"");
        let proposed: Vec<&str> = outcome.output.lines().collect();
        for word in expected {
            assert!(proposed.contains(word), "{typed}: {word} is not in {outcome:?}");
        }
    }
}

#[test]
fn fish_completes() {
    if !is_there("fish") {
        return;
    }
    let scratch = Scratch::new();
    let file = script("fish", &scratch);
    for (typed, expected) in TYPED {
        let program = format!("source '{file}'; complete -C '{typed}'");
        let outcome = run(Command::new("fish").args(["--no-config", "-c", &program]), b"");
        // Behind a tab is what it means.
        let proposed: Vec<&str> = outcome.output.lines().filter_map(|line| line.split('\t').next()).collect();
        for word in expected {
            assert!(proposed.contains(word), "{typed}: {word} is not in {outcome:?}");
        }
    }
}

#[test]
fn zsh_completes() {
    let scratch = Scratch::new();
    let file = script("zsh", &scratch);
    let text = scratch.read("ferry.zsh");
    assert!(text.starts_with("#compdef ferry") && text.contains("--repeat-delay"), "{text}");
    if !is_there("zsh") {
        return;
    }
    let program = format!("autoload -U compinit; compinit -D -u; source '{file}'; print $_comps[ferry]");
    let outcome = run(Command::new("zsh").args(["-f", "-c", &program]), b"");
    assert_eq!((outcome.output.as_str(), outcome.error.as_str()), ("_ferry\n", ""));
    let inner = scratch.write("inner.zsh", include_bytes!("complete_inner.zsh"));
    let outer = scratch.write("outer.zsh", include_bytes!("complete.zsh"));
    for (typed, expected) in TYPED {
        let mut zsh = Command::new("zsh");
        let outcome = run(zsh.env("SCRIPT", &file).args(["-f", &outer, &inner, typed]), b"");
        let proposed = outcome.output.lines().filter_map(|line| line.trim_end().strip_prefix("proposed:"));
        let proposed: Vec<&str> = proposed.collect();
        for word in expected {
            assert!(proposed.contains(word), "{typed}: {word} is not in {outcome:?}");
        }
    }
}

#[test]
fn colours_are_for_terminals() {
    const ESCAPE: char = '\u{1b}';
    let serve = ["serve", "--memory", "--listen", "tcp://127.0.0.1:0"];
    for words in [["pub", "--help"].as_slice(), &["--help"], &["sub", "--nonsense"]] {
        let piped = run(ferry().args(words), b"");
        assert!(!piped.output.contains(ESCAPE) && !piped.error.contains(ESCAPE), "{words:?}: {piped:?}");
        let terminal = Terminal::start(ferry().args(words), 110, 30);
        let (_, shown) = terminal.end();
        assert!(shown.contains(ESCAPE), "{words:?}: {shown:?}");
        let terminal = Terminal::start(ferry().args(words).env("NO_COLOR", "1"), 110, 30);
        let (_, shown) = terminal.end();
        assert!(!shown.contains(ESCAPE), "{words:?}: {shown:?}");
    }
    let mut piped = Running::start(ferry().args(serve));
    assert!(!piped.next_with("process ").contains(ESCAPE));
    let mut terminal = Terminal::start(ferry().args(serve), 4_000, 30);
    terminal.wait_for("process ");
    terminal.signal("-TERM");
    assert!(terminal.end().1.contains(ESCAPE));
}

#[test]
fn pages_are_written() {
    let scratch = Scratch::new();
    let directory = scratch.path("man1");
    let outcome = run(ferry().args(["man", &directory]), b"");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    for page in
        ["ferry.1", "ferry-pub.1", "ferry-sub.1", "ferry-top.1", "ferry-store-check.1", "ferry-serve.1"]
    {
        let text = scratch.read(&format!("man1/{page}"));
        assert!(text.contains(".TH ") && text.contains("Exit codes"), "{page}: {text}");
    }
    let page = run(ferry().arg("man"), b"");
    assert_eq!((page.code, page.output.contains("ferry\\-pub(1)")), (Some(0), true), "{page:?}");
    assert_eq!(run(ferry().args(["man", "/dev/null/man1"]), b"").code, Some(1));
    lint(&scratch, "man", &["--warnings=w", "-E", "UTF-8", "-l", "-Z"]);
    lint(&scratch, "mandoc", &["-T", "lint", "-W", "error"]);
}

fn lint(scratch: &Scratch, program: &str, options: &[&str]) {
    if !is_there(program) {
        return;
    }
    let pages = std::fs::read_dir(scratch.path("man1")).expect("the pages");
    let pages: Vec<_> = pages.map(|entry| entry.expect("an entry").path()).collect();
    assert!(pages.len() > 10, "{pages:?}");
    for page in pages {
        let outcome: Outcome = run(Command::new(program).args(options).arg(&page), b"");
        assert_eq!((outcome.code, outcome.error.as_str()), (Some(0), ""), "{program} {}", page.display());
    }
}
