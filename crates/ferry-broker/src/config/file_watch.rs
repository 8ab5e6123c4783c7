//! Notices that files have changed. Nothing wakes up while nothing happens to their directories.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Programs write a file in several steps, and a certificate and its key one after the other: this long nothing must
/// have happened before anybody looks.
const SETTLE: Duration = Duration::from_millis(200);

/// Rounds of [`SETTLE`] after which somebody looks although things still happen.
const SETTLE_ROUNDS_MAX: usize = 10;

/// Symbolic links that lead to one file, one after the other.
const LINKS_MAX: usize = 8;

/// Some files, and what they were like when they were last read.
pub(crate) struct FileWatch {
    files: Vec<(PathBuf, Option<Fingerprint>)>,
    /// `None`: changes cannot be noticed here.
    directories: Option<directories::Directories>,
}

/// What changes when a file is written or replaced. A file that is gone has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fingerprint {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl FileWatch {
    /// Watches nothing yet.
    pub(crate) fn new() -> Self {
        Self { files: Vec::new(), directories: None }
    }

    /// Watches these files from now on, and no others. One that was watched before is compared with what it was then.
    ///
    /// Needs the runtime on which [`FileWatch::changed`] waits.
    pub(crate) fn watch(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        let before = std::mem::take(&mut self.files);
        for file in files {
            let known = before.iter().find(|(known, _)| *known == file).map(|(_, fingerprint)| *fingerprint);
            let fingerprint = known.unwrap_or_else(|| Fingerprint::of(&file));
            self.files.push((file, fingerprint));
        }
        self.directories = None;
        if self.files.is_empty() {
            return;
        }
        match directories::Directories::watch(Watched::of(self.files.iter().map(|(file, _)| file))) {
            Ok(directories) => self.directories = Some(directories),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(error) => {
                tracing::warn!(%error, "changes of the configuration file are not noticed; send SIGHUP after a change");
            }
        }
    }

    /// The files are about to be read: what they are like now is what later changes are compared with.
    pub(crate) fn reading(&mut self) {
        for (file, fingerprint) in &mut self.files {
            *fingerprint = Fingerprint::of(file);
        }
    }

    /// Waits until a file is not what it was, and returns its name. May be dropped and called again at any time.
    pub(crate) async fn changed(&mut self) -> PathBuf {
        loop {
            // What has changed already, while the files were read perhaps, may not be over.
            let has_changed = self.look().is_some();
            let Some(directories) = &mut self.directories else { return std::future::pending().await };
            let settled = settled(directories, has_changed).await;
            if let Some(changed) = self.look() {
                return changed;
            }
            if let Err(error) = settled {
                tracing::warn!(%error, "changes of the configuration file are not noticed any more; send SIGHUP");
                self.directories = None;
            }
        }
    }

    fn look(&self) -> Option<PathBuf> {
        let differs = |(file, before): &&(PathBuf, Option<Fingerprint>)| {
            // A file that is gone cannot be read, and is mostly about to be replaced.
            Fingerprint::of(file).is_some_and(|now| Some(now) != *before)
        };
        self.files.iter().find(differs).map(|(file, _)| file.clone())
    }
}

/// Waits until something has happened, if it has not yet, and is over.
async fn settled(directories: &mut directories::Directories, has_happened: bool) -> io::Result<()> {
    if !has_happened {
        directories.happening().await?;
    }
    for _ in 0..SETTLE_ROUNDS_MAX {
        tokio::time::sleep(SETTLE).await;
        if !directories.has_happened()? {
            break;
        }
    }
    Ok(())
}

impl Fingerprint {
    /// Of what is found under the name, be it by way of a symbolic link.
    fn of(file: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(file).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

/// Where something happens when a file changes: in which directories, and to which names there.
#[derive(Default)]
struct Watched {
    directories: BTreeSet<PathBuf>,
    names: BTreeSet<OsString>,
}

impl Watched {
    fn of<'a>(files: impl Iterator<Item = &'a PathBuf>) -> Self {
        let mut watched = Self::default();
        for file in files {
            watched.add(file, LINKS_MAX);
            if let Ok(target) = std::fs::canonicalize(file) {
                watched.add(&target, 0);
            }
        }
        watched
    }

    fn add(&mut self, file: &Path, links_max: usize) {
        let directory =
            file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.directories.insert(directory.to_owned());
        self.names.extend(file.components().map(|component| component.as_os_str().to_owned()));
        if let Ok(target) = std::fs::read_link(file)
            && links_max > 0
        {
            // Of a link to `..data/ferry.toml` it is `..data` that is turned.
            self.names.extend(target.components().map(|component| component.as_os_str().to_owned()));
            self.add(&directory.join(target), links_max - 1);
        }
    }
}

#[cfg(target_os = "linux")]
mod directories {
    use std::collections::BTreeSet;
    use std::ffi::OsString;
    use std::io;
    use std::os::unix::ffi::OsStringExt;

    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
    use tokio::net::unix::pipe::Receiver;

    use super::Watched;

    /// Bytes of an event before the name: watch, mask, cookie and length of the name, 4 bytes each (inotify(7)).
    const EVENT_HEADER_BYTES: usize = 16;

    /// Directories of which the kernel tells when a file in them was written, replaced or made.
    pub(super) struct Directories {
        /// To the runtime a pipe and inotify are the same: something to be read when it is readable.
        inotify: Receiver,
        /// The files that matter; directories may be full of others.
        names: BTreeSet<OsString>,
    }

    impl Directories {
        pub(super) fn watch(watched: Watched) -> io::Result<Self> {
            let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
            let events =
                WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO | WatchFlags::CREATE | WatchFlags::ONLYDIR;
            for directory in watched.directories {
                inotify::add_watch(&inotify, directory, events)?;
            }
            let inotify = Receiver::from_owned_fd_unchecked(inotify)?;
            Ok(Self { inotify, names: watched.names })
        }

        /// Waits until something happens.
        pub(super) async fn happening(&mut self) -> io::Result<()> {
            while !self.has_happened()? {
                self.inotify.readable().await?;
            }
            Ok(())
        }

        /// Whether something has happened since it was last asked. What, is seen by looking at the files.
        pub(super) fn has_happened(&mut self) -> io::Result<bool> {
            let mut events = [0; 4096];
            let mut happened = false;
            loop {
                match self.inotify.try_read(&mut events) {
                    Ok(length) => happened |= self.matters(&events[..length]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(happened),
                    Err(error) => return Err(error),
                }
            }
        }

        fn matters(&self, mut events: &[u8]) -> bool {
            while let Some((header, rest)) = events.split_at_checked(EVENT_HEADER_BYTES) {
                let name_bytes =
                    u32::from_ne_bytes([header[12], header[13], header[14], header[15]]) as usize;
                let Some((name, rest)) = rest.split_at_checked(name_bytes) else { break };
                let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                // Without a name: events were lost.
                if name.is_empty() || self.names.contains(&OsString::from_vec(name.to_vec())) {
                    return true;
                }
                events = rest;
            }
            false
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod directories {
    use super::Watched;
    use std::io;

    /// Changes are not noticed on this system.
    pub(super) enum Directories {}

    impl Directories {
        pub(super) fn watch(_: Watched) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) async fn happening(&mut self) -> io::Result<()> {
            match *self {}
        }

        pub(super) fn has_happened(&mut self) -> io::Result<bool> {
            match *self {}
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("ferry-watch-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).expect("done");
            Self(path)
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            std::fs::write(&path, text).expect("done");
            path
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("done");
        runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(30), test).await.expect("noticed") });
    }

    fn watching(files: &[&PathBuf]) -> FileWatch {
        let mut watch = FileWatch::new();
        watch.watch(files.iter().map(|file| (*file).clone()));
        watch
    }

    #[test]
    fn a_file_that_is_written_anew_or_replaced_is_noticed() {
        run(async {
            let directory = Directory::new("replaced");
            let file = directory.write("a.toml", "1");
            let other = directory.write("b.toml", "1");
            let mut watch = watching(&[&file, &other]);
            directory.write("a.toml", "22");
            assert_eq!(watch.changed().await, file);
            watch.reading();
            std::fs::rename(directory.write("b.new", "333"), &other).expect("done");
            assert_eq!(watch.changed().await, other);
        });
    }

    /// Else the first half would be read.
    #[test]
    fn a_file_that_changed_before_anybody_looked_may_still_be_written() {
        run(async {
            let directory = Directory::new("half");
            let file = directory.write("a.toml", "1");
            let mut watch = watching(&[&file]);
            directory.write("a.toml", "");
            tokio::select! {
                biased;
                _ = watch.changed() => panic!("it is not over"),
                () = tokio::task::yield_now() => {}
            }
            directory.write("a.toml", "22");
            assert_eq!(watch.changed().await, file);
        });
    }

    /// As Kubernetes mounts a ConfigMap.
    #[test]
    fn a_symbolic_link_that_leads_elsewhere_is_noticed() {
        run(async {
            let directory = Directory::new("link");
            for (version, text) in [("v1", "1"), ("v2", "22")] {
                std::fs::create_dir_all(directory.0.join(version)).expect("done");
                directory.write(&format!("{version}/a.toml"), text);
            }
            let link =
                |to: &str, name: &str| std::os::unix::fs::symlink(to, directory.0.join(name)).expect("done");
            link("v1", "data");
            link("data/a.toml", "a.toml");
            let file = directory.0.join("a.toml");
            let mut watch = watching(&[&file]);
            link("v2", "data.new");
            std::fs::rename(directory.0.join("data.new"), directory.0.join("data")).expect("done");
            assert_eq!(watch.changed().await, file);
            watch.reading();
            watch.watch([file.clone()]);
            directory.write("v2/a.toml", "333");
            assert_eq!(watch.changed().await, file);
        });
    }

    #[test]
    fn what_happened_between_two_watches_is_noticed() {
        run(async {
            let directory = Directory::new("between");
            let file = directory.write("a.toml", "1");
            let mut watch = watching(&[&file]);
            watch.watch([]);
            watch.watch([file.clone()]);
            watch.reading();
            directory.write("a.toml", "22");
            watch.watch([file.clone()]);
            assert_eq!(watch.changed().await, file);
        });
    }
}
