//! A thousand logins a second, each of which wants a password compared.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use std::{fs, thread};

use ferry_tests::ferry::{Ferry, ScratchDirectory, Transport};

use crate::crowd::open;
use crate::packets::connect;
use crate::{Target, measure, resolved};

/// A kind of hash and one of it in each line, with a tab between.
const HASHES: &str = include_str!("../../../../crates/ferry-auth/examples/hash_cost/hashes.txt");

const LOGINS_PER_SECOND: usize = 1_000;

const SPAN: Duration = Duration::from_secs(10);

/// Between two looks at who was answered.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

const HEAD: &str = "| hash | wrong password | busy | no answer yet | median | 99 % | longest | lost | took | processor | memory before | \
                    at most | after |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|";

/// For each kind of hash with `only` in its name.
pub(crate) fn run(only: &str) -> Result<(), String> {
    println!("{HEAD}");
    let hashes = HASHES.lines().filter_map(|line| line.split_once('\t'));
    for (name, hash) in hashes.filter(|(name, _)| name.contains(only)) {
        let directory = ScratchDirectory::new();
        let file = directory.write("passwords", &format!("somebody:{hash}\n"));
        restrict(&file)?;
        let broker = Ferry::start(&format!("[authentication]\npassword_file = \"{}\"", file.display()));
        let tcp = resolved(&broker.address(Transport::Tcp))?;
        let target = Target { tcp, tls: tcp, clients: 0 };
        let mut answers = BTreeMap::new();
        let figures = measure(&broker, &target, || {
            let waiting = flood(tcp, &mut answers)?;
            answers.insert(NONE, waiting.len());
            Ok(waiting)
        })?;
        let [wrong, busy, none] = [WRONG, BUSY, NONE].map(|code| answers.get(&code).copied().unwrap_or(0));
        println!("| {name} | {wrong} | {busy} | {none} | {figures} |");
    }
    Ok(())
}

/// Return codes of CONNACK: "bad user name or password" and "server unavailable".
const WRONG: u8 = 4;
const BUSY: u8 = 3;

/// There is none.
const NONE: u8 = u8::MAX;

/// Counts the answers by return code, and returns those that have none.
fn flood(broker: SocketAddr, answers: &mut BTreeMap<u8, usize>) -> Result<Vec<TcpStream>, String> {
    let (begin, mut waiting) = (Instant::now(), Vec::new());
    let mut looked_at = begin;
    for number in 0.. {
        let due = Duration::from_secs(1) * number as u32 / LOGINS_PER_SECOND as u32;
        if due > SPAN {
            break;
        }
        thread::sleep(due.saturating_sub(begin.elapsed()));
        let mut socket = open(broker, number)?;
        let login = Some(("somebody", &b"a wrong password"[..]));
        // Whoever is closed at the door cannot send, and is seen below.
        let _ = socket.write_all(&connect(&format!("login{number}"), None, login));
        socket.set_nonblocking(true).map_err(|error| error.to_string())?;
        waiting.push(socket);
        if looked_at.elapsed() > LOOK_INTERVAL {
            waiting.retain_mut(|socket| !is_answered(socket, answers));
            looked_at = Instant::now();
        }
    }
    waiting.retain_mut(|socket| !is_answered(socket, answers));
    Ok(waiting)
}

fn is_answered(socket: &mut TcpStream, answers: &mut BTreeMap<u8, usize>) -> bool {
    let mut connack = [0; 4];
    match socket.read(&mut connack) {
        Ok(length) => {
            let code = if length == connack.len() { connack[3] } else { NONE - 1 };
            *answers.entry(code).or_default() += 1;
            true
        }
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

/// Or the broker would warn of it.
fn restrict(file: &std::path::Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    let permissions = fs::Permissions::from_mode(0o600);
    fs::set_permissions(file, permissions).map_err(|error| format!("{}: {error}", file.display()))
}
