use std::os::unix::fs::MetadataExt;

use crate::authority::Authority;
use crate::serving::{Scratch, Serving, error, ferry, run, set_mode};

/// A configuration that names a file of every kind, all of which only their owner can read.
fn configuration(scratch: &Scratch) -> String {
    Authority::new(scratch).sign(scratch, "server", 2, |_| {});
    let hashed =
        run(ferry().args(["passwd", "-b", "-c", &scratch.path("passwords"), "ada", "correct horse"]));
    assert!(hashed.status.success(), "{}", error(&hashed));
    scratch.write("token", "0123456789abcdef\n");
    scratch.write("jwt", &"j".repeat(32));
    scratch.write("rules", "user ada\ntopic #\n");
    let path = |name: &str| scratch.path(name);
    let text = format!(
        "[authentication]\npassword_file = \"{}\"\njwt_key_file = \"{}\"\njwt_algorithms = [\"HS256\"]\n\
         [authorization]\nacl_file = \"{}\"\n[storage]\ndata_directory = \"{}\"\n\
         [admin]\naddress = \"tcp://127.0.0.1:0\"\n[[admin.token]]\nname = \"a\"\nrole = \"admin\"\nfile = \"{}\"\n\
         [[listener]]\naddress = \"tls://127.0.0.1:0\"\ntls_certificate_file = \"{certificate}\"\ntls_key_file = \"{key}\"\n\
         [[listener]]\naddress = \"tls://127.0.0.1:0\"\ntls_certificate_file = \"{certificate}\"\ntls_key_file = \"{key}\"\n",
        path("passwords"),
        path("jwt"),
        path("rules"),
        path("data"),
        path("token"),
        certificate = path("server.pem"),
        key = path("server.key"),
    );
    scratch.write("ferry.toml", &text)
}

/// Each file, what others may do with it under which mode, and the remedy.
const OPEN: [(&str, u32, &str, &str); 9] = [
    ("server.key", 0o644, "read", "600"),
    ("server.key", 0o620, "write", "600"),
    ("passwords", 0o604, "read", "600"),
    ("jwt", 0o666, "read and write", "600"),
    ("token", 0o644, "read", "600"),
    ("rules", 0o664, "write", "go-w"),
    ("server.pem", 0o646, "write", "go-w"),
    ("ferry.toml", 0o666, "write", "go-w"),
    ("rules", 0o622, "write", "go-w"),
];

fn warning(scratch: &Scratch, (name, mode, what, _): (&str, u32, &str, &str)) -> (String, String) {
    let said = format!("other users of this machine may {what} it (its mode is {mode:04o})");
    (format!("{}: ", scratch.path(name)), said)
}

#[test]
fn check_names_each_file_that_others_may_read_or_write() {
    let scratch = Scratch::new();
    let file = configuration(&scratch);
    let checked = || error(&run(ferry().args(["check", &file])));
    assert_eq!(checked(), "");
    for open in OPEN {
        let (name, mode, _, remedy) = open;
        set_mode(scratch.path(name), mode);
        let said = checked();
        let (place, what) = warning(&scratch, open);
        assert_eq!(said.matches("warning: ").count(), 1, "{open:?}: {said}");
        assert!(said.contains(&place) && said.contains(&what), "{open:?}: {said}");
        assert!(said.contains(&format!("help: `chmod {remedy} {}`", scratch.path(name))), "{open:?}: {said}");
        set_mode(scratch.path(name), 0o600);
    }
}

#[test]
fn start_and_reload_name_it_too() {
    let scratch = Scratch::new();
    let file = configuration(&scratch);
    let (key, token) = (OPEN[0], OPEN[4]);
    set_mode(scratch.path(key.0), key.1);
    let mut serving = Serving::with_file(&file);
    assert!(serving.said().contains(&warning(&scratch, key).1), "{}", serving.said());
    set_mode(scratch.path(key.0), 0o600);
    set_mode(scratch.path(token.0), token.1);
    serving.signal("HUP");
    let line = serving.wait_for(&warning(&scratch, token).1);
    assert!(line.contains(" WARN ") && line.contains(&scratch.path("token")), "{line}");
    let data = std::fs::metadata(scratch.path("data")).expect("it was made");
    assert_eq!(data.mode() & 0o777, 0o700, "the data directory is its owner's");
    let socket = std::fs::metadata(scratch.path("data/admin.sock")).expect("it was made");
    assert_eq!(socket.mode() & 0o777, 0o600, "the socket of the admin API is its owner's");
    serving.end("TERM");
}
