//! A file of secrets that is changed by replacing it.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// A new file is its owner's alone.
const MODE: u32 = 0o600;

/// What of the permissions of a file is kept: others have no business there.
const MODE_KEPT: u32 = 0o660;

/// A file that is locked against other programs of this kind, and can be replaced as a whole.
pub(super) struct ReplacedFile {
    /// What it held when it was opened.
    pub(super) text: String,
    path: PathBuf,
    /// Holds the lock; `None` if there was no file.
    file: Option<File>,
}

impl ReplacedFile {
    /// Opens, locks and reads a file.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // The file is to be replaced, not the link that leads to it.
        let path = std::fs::canonicalize(path)?;
        loop {
            let mut file = File::open(&path)?;
            file.lock()?;
            // Whoever had the lock has put another file in the place of this one.
            if std::fs::metadata(&path)?.ino() != file.metadata()?.ino() {
                continue;
            }
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            return Ok(Self { text, path, file: Some(file) });
        }
    }

    /// As [`open`](Self::open), but the file need not be there.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        match Self::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::metadata(directory(path))?;
                Ok(Self { text: String::new(), path: path.to_owned(), file: None })
            }
            opened => opened,
        }
    }

    /// Puts `text` in the place of what is there: all of it, or, after an error or a loss of power, nothing.
    pub(super) fn replace(&mut self, text: &str) -> io::Result<()> {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let temporary = self.path.with_file_name(name);
        let replaced = self.write(&temporary, text).and_then(|()| std::fs::rename(&temporary, &self.path));
        if replaced.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        replaced?;
        File::open(directory(&self.path))?.sync_all()
    }

    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
        if let Some(before) = &self.file {
            let before = before.metadata()?;
            let ours = file.metadata()?;
            if (before.uid(), before.gid()) != (ours.uid(), ours.gid()) {
                fchown(&file, Some(before.uid()), Some(before.gid()))?;
            }
            file.set_permissions(Permissions::from_mode(before.mode() & MODE_KEPT))?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
