//! The file of a Unix socket: made with a safe mode, removed when it is stale, removed at the end.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

/// A socket file that is ours; dropping it removes the file.
#[derive(Debug)]
pub(crate) struct UnixSocketFile {
    path: PathBuf,
    /// Device and inode: a file that someone else has put in its place is not removed.
    identity: (u64, u64),
}

impl UnixSocketFile {
    /// Binds and listens. A file left behind by a program that has gone is removed first.
    ///
    /// # Errors
    /// `AddrInUse`: someone listens there. `AlreadyExists`: the file is no socket.
    pub(crate) fn bind(path: &Path, mode: u32, backlog: i32) -> io::Result<(Socket, Self)> {
        remove_stale(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        let metadata = std::fs::symlink_metadata(path)?;
        let file = Self { path: path.to_owned(), identity: (metadata.dev(), metadata.ino()) };
        // Nobody can connect before `listen`, so the mode is in force for the first client already.
        std::fs::set_permissions(path, Permissions::from_mode(mode))?;
        socket.listen(backlog)?;
        socket.set_nonblocking(true)?;
        Ok((socket, file))
    }
}

impl Drop for UnixSocketFile {
    fn drop(&mut self) {
        let is_ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if is_ours {
            // If it stays, the next start finds that nobody listens and removes it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn remove_stale(path: &Path) -> io::Result<()> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        // Also when whoever listens there is too busy to accept: the file is not ours to remove.
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}
