//! `ferry passwd` as a person or a script meets it.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ferry_auth::PasswordFile;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

/// A directory of its own for a test, empty.
fn directory(test: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("passwd").join(test);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("a directory for the test");
    directory
}

fn command(directory: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferry"));
    command.current_dir(directory).arg("passwd").args(line.split_whitespace());
    command
}

fn passwd(directory: &Path, line: &str, input: &str) -> Output {
    let mut command = command(directory, line);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    // A command that does not read is gone already, perhaps.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

#[track_caller]
fn done(output: &Output, words: &str) {
    let all =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{all}");
    assert!(all.contains(words), "{all}");
}

#[track_caller]
fn refused(output: &Output, words: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains(words), "{error}");
}

#[track_caller]
fn knows(directory: &Path, user: &str, password: &str) -> bool {
    let (file, _) = PasswordFile::parse(&std::fs::read_to_string(directory.join("p")).expect("a file"));
    file.get(user).is_some_and(|hash| hash.verify(password.as_bytes()))
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn entries_for_scram() {
    let directory = directory("scram");
    for method in ["scram-sha-256", "scram-sha-512", "scram-sha-1"] {
        done(&passwd(&directory, &format!("-c -H {method} -I 4096 p ada"), "secret\n"), "user \"ada\" added");
        let text = std::fs::read_to_string(directory.join("p")).expect("a file");
        assert!(text.starts_with("# decoy-secret "), "{text}");
        assert!(text.contains(&format!("\nada:{}$4096:", method.to_uppercase())), "{text}");
        assert!(knows(&directory, "ada", "secret") && !knows(&directory, "ada", "Secret"));
        // The secret stays, whoever comes and goes.
        done(&passwd(&directory, &format!("-H {method} p ben"), "x\n"), "user \"ben\" added");
        done(&passwd(&directory, "-D p ada", ""), "deleted");
        let after = std::fs::read_to_string(directory.join("p")).expect("a file");
        assert_eq!(after.lines().next(), text.lines().next());
        assert!(after.contains(&format!("\nben:{}$100000:", method.to_uppercase())), "{after}");
    }
    refused(&passwd(&directory, "-H scram-sha-1 -I 1 p carl", "x\n"), "4,096 to 1,000,000 iterations");
    refused(&passwd(&directory, "-H scram-sha-1 --memory-kib 9 p carl", "x\n"), "are for argon2id");
}

#[test]
fn users_are_added_changed_and_deleted() {
    let at = directory("users");
    refused(&passwd(&at, "p ada", "one\n"), "-c makes the file");
    done(&passwd(&at, "-c p ada", "one\n"), "p: user \"ada\" added");
    assert_eq!(mode(&at.join("p")), 0o600);
    let text = std::fs::read_to_string(at.join("p")).expect("a file");
    assert!(text.starts_with("ada:$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
    done(&passwd(&at, "p ben --password-file -", "two\r\nthree\n"), "user \"ben\" added");
    assert!(knows(&at, "ada", "one") && knows(&at, "ben", "two"));
    done(&passwd(&at, "-b p ada four", ""), "password of user \"ada\" changed");
    assert!(knows(&at, "ada", "four") && knows(&at, "ben", "two"));
    done(&passwd(&at, "-D p ada", ""), "user \"ada\" deleted");
    refused(&passwd(&at, "-D p ada", ""), "there is no user \"ada\"");
    assert!(!knows(&at, "ada", "four") && knows(&at, "ben", "two"));
    done(&passwd(&at, "-c -b p carol five", ""), "the users that were there are gone: 1");
    assert!(!knows(&at, "ben", "two") && knows(&at, "carol", "five"));
    let left: Vec<_> = std::fs::read_dir(&at).expect("a directory").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn costs_can_be_chosen_within_limits() {
    let at = directory("costs");
    done(&passwd(&at, "-c -b -I 1 --memory-kib 64 --parallelism 2 p ada one", ""), "added");
    done(&passwd(&at, "-b -H sha512-pbkdf2 -I 101 p ben two", ""), "added");
    let text = std::fs::read_to_string(at.join("p")).expect("a file");
    assert!(text.contains("$m=64,t=1,p=2$") && text.contains("ben:$7$101$"), "{text}");
    refused(&passwd(&at, "-b --memory-kib 9999999 p ada one", ""), "more than 1 GiB");
    refused(&passwd(&at, "-b -H sha512-pbkdf2 --memory-kib 64 p ada one", ""), "are for argon2id");
    assert_eq!(passwd(&at, "-b -H md5 p ada one", "").status.code(), Some(2));
    assert_eq!(passwd(&at, "-c -D p ada", "").status.code(), Some(2));
    assert_eq!(passwd(&at, "p ada one", "").status.code(), Some(2), "a password, but not -b");
    assert_eq!(passwd(&at, "p", "").status.code(), Some(2));
}

#[test]
fn plain_text_is_hashed_and_the_rest_left_alone() {
    let at = directory("plain");
    std::fs::write(at.join("p"), "# the barn\nada:secret\nben\ncarol:$9$x\n").expect("a file");
    std::fs::set_permissions(at.join("p"), PermissionsExt::from_mode(0o644)).expect("allowed");
    let output = passwd(&at, "-U -I 1 --memory-kib 64 p", "");
    done(&output, "passwords hashed: 1");
    done(&output, "warning: p:3: this line is not user:hash");
    done(&output, "warning: p:4: user \"carol\"");
    assert!(knows(&at, "ada", "secret"));
    let text = std::fs::read_to_string(at.join("p")).expect("a file");
    assert!(
        text.starts_with("# the barn\nada:$argon2id$") && text.ends_with("\nben\ncarol:$9$x\n"),
        "{text}"
    );
    assert_eq!(mode(&at.join("p")), 0o640, "the group may read on, others may not");
    done(&passwd(&at, "-U p", ""), "no password is in plain text");
}

#[test]
fn what_cannot_be_a_password_or_a_name_changes_nothing() {
    let at = directory("nothing");
    refused(&passwd(&at, "-c p ada", "\n"), "the password is empty");
    refused(&passwd(&at, "-c p ada:ben", "x\n"), "no colon");
    refused(&passwd(&at, "-c no/p ada", "x\n"), "No such file or directory");
    refused(&passwd(&at, "-c p ada --password-file q", ""), "q: No such file or directory");
    assert!(!at.join("p").exists());
}

#[test]
fn two_at_once_do_not_undo_each_other() {
    let at = directory("two");
    done(&passwd(&at, "-c -b -I 1 --memory-kib 64 p first x", ""), "added");
    let lines = (0..8).map(|user| format!("-b -I 1 --memory-kib 64 p user{user} x"));
    let children: Vec<_> = lines
        .map(|line| command(&at, &line).stdout(Stdio::null()).spawn().expect("the binary runs"))
        .collect();
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    assert!((0..8).all(|user| knows(&at, &format!("user{user}"), "x")));
}

#[test]
fn a_link_leads_to_the_file_that_is_replaced() {
    let at = directory("link");
    done(&passwd(&at, "-c -b -I 1 --memory-kib 64 q ada x", ""), "added");
    std::os::unix::fs::symlink("q", at.join("p")).expect("a link");
    done(&passwd(&at, "-b -I 1 --memory-kib 64 p ben y", ""), "added");
    assert!(std::fs::symlink_metadata(at.join("p")).expect("a link").is_symlink());
    assert!(knows(&at, "ada", "x") && knows(&at, "ben", "y"));
}

/// A person at a terminal.
struct Terminal {
    ours: std::fs::File,
    modes: LocalModes,
    shown: String,
    child: std::process::Child,
}

impl Terminal {
    fn start(directory: &Path, line: &str) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&ours).expect("a terminal");
        unlockpt(&ours).expect("a terminal");
        let name = ptsname(&ours, Vec::new()).expect("it has a name");
        let open = || {
            let file = std::fs::OpenOptions::new().read(true).write(true).open(name.to_str().expect("ASCII"));
            Stdio::from(OwnedFd::from(file.expect("it opens")))
        };
        let modes = tcgetattr(&ours).expect("a terminal").local_modes;
        let mut command = command(directory, line);
        let child = command.stdin(open()).stdout(open()).stderr(open()).spawn().expect("the binary runs");
        Self { ours: ours.into(), modes, shown: String::new(), child }
    }

    fn wait_for(&mut self, words: &str) {
        let mut buffer = [0; 256];
        while !self.shown.contains(words) {
            let length =
                self.ours.read(&mut buffer).unwrap_or_else(|error| panic!("{}: {error}", self.shown));
            self.shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    }

    fn type_in(&mut self, keys: &str) {
        self.ours.write_all(keys.as_bytes()).expect("somebody reads");
    }

    fn exit_code(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

#[test]
fn a_person_is_asked_twice_and_the_password_is_not_shown() {
    let at = directory("person");
    let mut terminal = Terminal::start(&at, "-c -I 1 --memory-kib 64 p ada");
    terminal.wait_for("Password of ada: ");
    terminal.type_in("hunter2\n");
    terminal.wait_for("Again: ");
    terminal.type_in("hunter2\n");
    terminal.wait_for("added");
    assert!(!terminal.shown.contains("hunter2"), "{}", terminal.shown);
    assert_eq!(terminal.exit_code(), Some(0));
    assert!(knows(&at, "ada", "hunter2"));
}

#[test]
fn two_passwords_are_none() {
    let at = directory("differ");
    let mut terminal = Terminal::start(&at, "-c p ada");
    terminal.wait_for("Password of ada: ");
    terminal.type_in("hunter2\n");
    terminal.wait_for("Again: ");
    terminal.type_in("hunter3\n");
    terminal.wait_for("these were two passwords");
    assert_eq!(terminal.exit_code(), Some(1));
    assert!(!at.join("p").exists());
}

#[test]
fn control_c_leaves_the_terminal_as_it_was() {
    let at = directory("interrupt");
    let mut terminal = Terminal::start(&at, "-c p ada");
    terminal.wait_for("Password of ada: ");
    terminal.type_in("hun\u{3}");
    let status = terminal.child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
    assert_eq!(tcgetattr(&terminal.ours).expect("a terminal").local_modes, terminal.modes);
    assert!(!at.join("p").exists());
}
