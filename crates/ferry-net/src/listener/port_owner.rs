//! Which process listens on a port or Unix socket, from Linux' `/proc`. On other systems, and for processes
//! of other users, nothing is found.

use std::fmt;
use std::fs;
use std::path::Path;

/// The state of a listening socket in `/proc/net/tcp`.
const TCP_LISTEN: &str = "0A";

pub(super) struct PortOwner {
    pub(super) process_id: u32,
    name: String,
}

impl fmt::Display for PortOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.process_id)
    }
}

pub(super) fn of_port(port: u16) -> Option<PortOwner> {
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        let table = fs::read_to_string(table).ok()?;
        table.lines().filter_map(|line| listening_inode(line, port)).find_map(of_inode)
    })
}

pub(super) fn of_unix_socket(path: &Path) -> Option<PortOwner> {
    let table = fs::read_to_string("/proc/net/unix").ok()?;
    // Num RefCount Protocol Flags Type St Inode Path
    table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(6);
            let (inode, listed) = (fields.next()?, fields.next()?);
            (Path::new(listed) == path).then_some(inode)
        })
        .find_map(of_inode)
}

fn listening_inode(line: &str, port: u16) -> Option<&str> {
    // sl local_address rem_address st tx:rx tr:tm->when retrnsmt uid timeout inode
    let mut fields = line.split_whitespace().skip(1);
    let (_, local_port) = fields.next()?.rsplit_once(':')?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?;
    (state == TCP_LISTEN && u16::from_str_radix(local_port, 16) == Ok(port)).then_some(inode)
}

fn of_inode(inode: &str) -> Option<PortOwner> {
    let link = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|process| {
        let process_id: u32 = process.file_name().to_str()?.parse().ok()?;
        let mut files = fs::read_dir(process.path().join("fd")).ok()?.flatten();
        files.find(|file| {
            fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == link.as_str())
        })?;
        let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        Some(PortOwner { process_id, name: name.trim_end().to_owned() })
    })
}
