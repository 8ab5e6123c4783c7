use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Nobody but the broker's user has any business there.
const MODE: u32 = 0o600;

/// A file in the data directory with what operators have said at run time, which is replaced as a whole. One thread at a
/// time changes it; the lock of the data directory keeps other processes away.
#[derive(Clone, Debug)]
pub(crate) struct ManagedFile(PathBuf);

impl ManagedFile {
    pub(crate) fn new(directory: &Path, name: &str) -> Self {
        Self(directory.join(name))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Takes it away, and what a crash has left beside it.
    ///
    /// # Errors
    /// The directory cannot be written to. That there is no such file is none.
    pub(crate) fn remove(&self) -> io::Result<()> {
        for path in [self.temporary(), self.0.clone()] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// What it holds; `None` if there is no file.
    ///
    /// # Errors
    /// It cannot be read, or is not UTF-8.
    pub(crate) fn read(&self) -> io::Result<Option<String>> {
        match std::fs::read_to_string(&self.0) {
            Ok(text) => Ok(Some(text)),
            // What is wrong with the directory is for the store to say.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Puts `text` in its place. When this returns it is on the disk; after an error or a loss of power the file is as it was
    /// before, or as it was to be.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub(crate) fn replace(&self, text: &str) -> io::Result<()> {
        let temporary = self.temporary();
        let replaced = write(&temporary, text).and_then(|()| std::fs::rename(&temporary, &self.0));
        if replaced.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        replaced?;
        // The name is in the directory, which has to be on the disk too.
        File::open(self.0.parent().unwrap_or(Path::new(".")))?.sync_all()
    }

    /// What is to take its place.
    fn temporary(&self) -> PathBuf {
        let mut temporary = self.0.clone().into_os_string();
        temporary.push(".new");
        temporary.into()
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    // What a crash has left behind may be another user's to read.
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_replaced_as_a_whole_and_for_nobody_else() {
        let directory = std::env::temp_dir().join(format!("ferry-managed-file-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let file = ManagedFile::new(&directory, "bans.jsonl");
        assert_eq!(file.read().expect("readable"), None);
        for text in ["a longer one\n", "short\n"] {
            // What a crash has left behind.
            std::fs::write(directory.join("bans.jsonl.new"), "half").expect("written");
            file.replace(text).expect("written");
            assert_eq!(file.read().expect("readable").as_deref(), Some(text));
        }
        let mode = std::fs::metadata(file.path()).expect("a file").permissions().mode();
        let names = std::fs::read_dir(&directory).expect("a directory").count();
        assert_eq!((mode & 0o777, names), (MODE, 1));
        for _ in 0..2 {
            file.remove().expect("gone");
            assert_eq!(std::fs::read_dir(&directory).expect("a directory").count(), 0);
        }
        std::fs::remove_dir_all(&directory).expect("removed");
        assert!(file.replace("x").is_err());
    }
}
