use std::ffi::CString;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Action, Winsize, tcflow, tcsetwinsize};

use crate::program::Process;

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program on a terminal of its own, and what the terminal shows.
pub(crate) struct Terminal {
    keyboard: std::fs::File,
    output: Receiver<Vec<u8>>,
    program: Process,
    screen: Screen,
    /// Where the side of the program can be opened.
    name: CString,
}

/// The part of a terminal that the program uses: text, places, clearing.
struct Screen {
    cells: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// The beginning of something that is not all here.
    rest: Vec<u8>,
    /// All there has ever been.
    raw: Vec<u8>,
}

impl Terminal {
    pub(crate) fn start(command: &mut Command, columns: u16, rows: u16) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a pseudo-terminal");
        grantpt(&keyboard).expect("it may be opened");
        unlockpt(&keyboard).expect("it can be opened");
        let name = ptsname(&keyboard, Vec::new()).expect("its name");
        let terminal = || program_side(&name);
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&keyboard, size).expect("it has a size");
        let program =
            command.env("TERM", "xterm-256color").stdin(terminal()).stdout(terminal()).stderr(terminal());
        let program = Process(program.process_group(0).spawn().expect("the program runs"));
        let keyboard = std::fs::File::from(keyboard);
        let mut reader = keyboard.try_clone().expect("the same terminal");
        let (sender, output) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // An error is the end of the program.
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let cells = vec![vec![' '; columns.into()]; rows.into()];
        let screen = Screen { cells, row: 0, column: 0, rest: Vec::new(), raw: Vec::new() };
        Self { keyboard, output, program, screen, name }
    }

    /// From now on the terminal takes nothing that the program writes, as one whose window is not read any more when its
    /// buffers are full.
    pub(crate) fn block(&self) {
        tcflow(program_side(&self.name), Action::OOff).expect("it stops");
    }

    /// The window is gone.
    pub(crate) fn hang_up(self) -> ExitStatus {
        let Self { keyboard, output, mut program, .. } = self;
        drop(output);
        // What is still read ends with the other side; so does the thread that reads.
        drop(keyboard);
        program.0.wait().expect("it ends")
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        self.screen.cells = vec![vec![' '; columns.into()]; rows.into()];
        tcsetwinsize(&self.keyboard, size).expect("it has a size");
        // The terminal is not the one that controls the program, which would be told by the system.
        self.signal("-WINCH");
    }

    pub(crate) fn signal(&self, signal: &str) {
        let killed = Command::new("kill").args([signal, &self.program.0.id().to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()));
    }

    /// Waits until the screen is so.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.screen.text()) {
            match self.output.recv_timeout(PATIENCE.saturating_sub(begun.elapsed())) {
                Ok(bytes) => self.screen.take(&bytes),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("not to be seen: {what}\n{}", self.screen.text())
                }
            }
        }
    }

    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        self.wait_until(text, |screen| screen.contains(text));
    }

    /// Waits until the program has ended: how, and all that it has ever sent to the terminal.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let status = self.program.0.wait().expect("it ends");
        while let Ok(bytes) = self.output.recv_timeout(PATIENCE) {
            self.screen.take(&bytes);
        }
        (status, String::from_utf8_lossy(&self.screen.raw).into_owned())
    }
}

fn program_side(name: &CString) -> OwnedFd {
    rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("the other side")
}

impl Screen {
    fn text(&self) -> String {
        let lines = self.cells.iter().map(|cells| cells.iter().collect::<String>().trim_end().to_owned());
        lines.collect::<Vec<_>>().join("\n")
    }

    fn take(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let mut at = 0;
        while at < all.len() {
            match self.take_one(&all[at..]) {
                Some(length) => at += length,
                None => break,
            }
        }
        self.rest = all.split_off(at);
    }

    /// The length of what was taken; `None` if it is not all there.
    fn take_one(&mut self, bytes: &[u8]) -> Option<usize> {
        if bytes[0] != 0x1B {
            let end = bytes.iter().position(|byte| *byte == 0x1B).unwrap_or(bytes.len());
            let valid = match std::str::from_utf8(&bytes[..end]) {
                Ok(text) => text,
                Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).expect("checked"),
            };
            valid.chars().for_each(|character| self.put(character));
            return (!valid.is_empty()).then_some(valid.len());
        }
        if bytes.get(1)? != &b'[' {
            return Some(2);
        }
        let end = 2 + bytes[2..].iter().position(|byte| (0x40..=0x7E).contains(byte))?;
        let numbers = String::from_utf8_lossy(&bytes[2..end]).into_owned();
        let mut numbers = numbers.split(';').map(|number| number.parse().unwrap_or(1).max(1) - 1);
        match bytes[end] {
            b'H' => {
                (self.row, self.column) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
            }
            b'J' => self.cells.iter_mut().for_each(|line| line.fill(' ')),
            _ => {}
        }
        Some(end + 1)
    }

    fn put(&mut self, character: char) {
        if let Some(cell) = self.cells.get_mut(self.row).and_then(|line| line.get_mut(self.column)) {
            *cell = character;
        }
        self.column += 1;
    }
}
