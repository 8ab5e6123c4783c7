//! Unix sockets: the file, who is at the other end.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use ferry_net::{BindError, BindOptions, BoundListener, ListenAddress, ListenerOptions, PeerAddress};

use crate::certificates::Directory;
use crate::server::{accept, echo, join, pattern, run};

fn bind(path: &Path) -> Result<BoundListener, BindError> {
    BoundListener::bind(&ListenAddress::Unix(path.to_owned()), &BindOptions::default())
}

#[test]
fn bytes_go_both_ways_and_the_process_is_known() {
    let directory = Directory::new();
    let path = directory.path("ferry.sock");
    let connect_to = path.clone();
    run(async {
        let listener = bind(&path).expect("binds").attach().expect("registers");
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o660);
        let client = std::thread::spawn(move || {
            let mut socket = UnixStream::connect(connect_to).expect("connects");
            socket.write_all(&pattern(1000)).expect("writes");
            let mut received = vec![0; 1000];
            socket.read_exact(&mut received).expect("reads");
            assert_eq!(received, pattern(1000));
        });
        let stream = accept(&listener, &ListenerOptions::default()).await.expect("a stream");
        let process_id = i32::try_from(std::process::id()).ok();
        assert!(
            matches!(stream.peer().address, PeerAddress::Unix { process_id: id, user_id: Some(_) } if id == process_id),
            "{:?}",
            stream.peer()
        );
        echo(stream).await;
        join(client).await;
    });
    assert!(!path.exists(), "the file goes with the listener");
}

#[test]
fn the_file_of_a_program_that_has_gone_is_replaced() {
    let directory = Directory::new();
    let path = directory.path("ferry.sock");
    drop(UnixListener::bind(&path).expect("binds"));
    assert!(path.exists(), "the standard library leaves the file");
    let bound = bind(&path).expect("replaces it");
    let clone = bound.try_clone().expect("a clone");
    drop(bound);
    assert!(path.exists(), "a clone still listens");
    drop(clone);
    assert!(!path.exists());
}

#[test]
fn a_listening_program_is_not_robbed() {
    let directory = Directory::new();
    let path = directory.path("ferry.sock");
    let other = UnixListener::bind(&path).expect("binds");
    let error = bind(&path).expect_err("in use");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&format!("(process {})", std::process::id())), "{error}");
    drop(other);
    assert!(path.exists());
}

#[test]
fn other_mistakes_are_explained() {
    let directory = Directory::new();
    let file = directory.write("notes.txt", "keep me");
    let long = directory.path(&"x".repeat(200));
    for (path, remedy) in [
        (&file, "it is not a socket"),
        (&directory.path("missing/ferry.sock"), "does not exist; create it first"),
        (&long, "longer than 107 bytes"),
    ] {
        let error = bind(path).expect_err("refused").to_string();
        assert!(error.contains(remedy), "{error}");
    }
    assert_eq!(fs::read_to_string(file).expect("still there"), "keep me");
}

#[test]
fn a_file_put_in_the_place_of_ours_stays() {
    let directory = Directory::new();
    let path = directory.path("ferry.sock");
    let bound = bind(&path).expect("binds");
    fs::remove_file(&path).expect("removed by someone");
    let other = UnixListener::bind(&path).expect("binds");
    drop(bound);
    assert!(path.exists());
    drop(other);
}
