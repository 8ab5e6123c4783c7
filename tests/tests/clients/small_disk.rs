//! A file system of a few MiB that a test can fill.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use ferry_tests::ferry::ScratchDirectory;

/// A tmpfs that only this test sees, through the mount namespace of a process that waits; dropped, it is gone.
pub(crate) struct SmallDisk {
    holder: Child,
    directory: ScratchDirectory,
}

/// Mounts a tmpfs of $1 MiB on $0 and keeps it.
const HOLD: &str = "mount -t tmpfs -o \"size=$1m\" tmpfs \"$0\" && echo mounted && exec cat";

impl SmallDisk {
    /// Makes one; needs no privileges where users may have namespaces of their own.
    ///
    /// # Errors
    /// Why this system does not let us.
    pub(crate) fn mount(mebibytes: u32) -> Result<Self, String> {
        let directory = ScratchDirectory::new();
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", HOLD]).arg(directory.as_ref());
        command.arg(mebibytes.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = command.spawn().map_err(|error| format!("unshare: {error}"))?;
        let mut told = String::new();
        let stdout = holder.stdout.take().expect("piped");
        let _length = BufReader::new(stdout).read_line(&mut told);
        let disk = Self { holder, directory };
        if told.trim_end() == "mounted" { Ok(disk) } else { Err(disk.refusal()) }
    }

    /// A path on it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        // What the holder sees there.
        let seen = format!("/proc/{}/root{}", self.holder.id(), self.directory.path(name).display());
        PathBuf::from(seen)
    }

    /// Fills it but for so many bytes, or makes room for as many. It never has more room on the way there.
    pub(crate) fn leave_free(&self, bytes: u64) {
        let free_bytes = || {
            let figures = rustix::fs::statvfs(self.path("")).expect("it is mounted");
            figures.f_bavail * figures.f_frsize
        };
        let mut filler = OpenOptions::new();
        let mut filler = filler.create(true).append(true).open(self.path("filler")).expect("opened");
        let length = filler.metadata().expect("it is there").len();
        let missing = bytes.saturating_sub(free_bytes());
        filler.set_len(length.saturating_sub(missing)).expect("shorter");
        while free_bytes() > bytes {
            let length = (free_bytes() - bytes).min(64 * 1024) as usize;
            match filler.write_all(&vec![b'x'; length]) {
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                written => written.expect("only that can be wrong"),
            }
        }
    }

    fn refusal(mut self) -> String {
        drop(self.holder.stdin.take());
        let stderr = self.holder.stderr.take().expect("piped");
        BufReader::new(stderr).lines().map_while(Result::ok).collect::<Vec<_>>().join("; ")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ended = self.holder.kill();
        let _status = self.holder.wait();
    }
}
