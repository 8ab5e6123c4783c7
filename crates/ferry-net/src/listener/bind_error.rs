//! An address that could not be listened on, and what to do about it.

use std::fmt;
use std::io;

use super::port_owner;
use crate::listen_address::ListenAddress;

/// An address that could not be listened on. Its text says why, who holds it, and what to do.
#[derive(Debug)]
pub struct BindError {
    address: ListenAddress,
    error: io::Error,
    remedy: String,
}

impl BindError {
    pub(super) fn new(address: ListenAddress, error: io::Error) -> Self {
        let remedy = match &address {
            ListenAddress::Unix(_) => unix_remedy(&address, &error),
            _ => port_remedy(&address, &error),
        };
        Self { address, error, remedy }
    }

    /// The address.
    pub fn address(&self) -> &ListenAddress {
        &self.address
    }

    /// What the system said.
    pub fn kind(&self) -> io::ErrorKind {
        self.error.kind()
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, self.remedy)
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

fn port_remedy(address: &ListenAddress, error: &io::Error) -> String {
    let port = address.host_port().map_or(0, |host_port| host_port.port);
    match error.kind() {
        io::ErrorKind::AddrInUse => match port_owner::of_port(port) {
            Some(owner) => format!(
                "port {port} is in use by {owner}; stop it with `kill {}`, or listen on another port",
                owner.process_id
            ),
            None => format!(
                "port {port} is in use by another program; `ss -ltnp 'sport = :{port}'` (as root) names it, \
                 then stop it or listen on another port"
            ),
        },
        io::ErrorKind::PermissionDenied if port < 1024 => format!(
            "port {port} needs a privilege; listen on a port from 1024 on, or grant it with \
             `setcap cap_net_bind_service=+ep` on the program"
        ),
        io::ErrorKind::AddrNotAvailable => {
            "no interface of this machine has this address; `ip address` shows those it has, * means all"
                .to_owned()
        }
        _ => format!("{error}"),
    }
}

fn unix_remedy(address: &ListenAddress, error: &io::Error) -> String {
    let path = address.unix_path().unwrap_or_else(|| std::path::Path::new(""));
    let directory = path.parent().unwrap_or(path).display();
    match error.kind() {
        io::ErrorKind::AddrInUse => match port_owner::of_unix_socket(path) {
            Some(owner) => format!(
                "the socket is in use by {owner}; stop it with `kill {}`, or choose another path",
                owner.process_id
            ),
            None => "the socket is in use by another program; `ss -lxp` (as root) names it".to_owned(),
        },
        io::ErrorKind::AlreadyExists => {
            "there is a file at this path and it is not a socket; remove it or choose another path".to_owned()
        }
        io::ErrorKind::NotFound => format!("directory {directory} does not exist; create it first"),
        io::ErrorKind::PermissionDenied => {
            format!("no permission to create or remove a file in {directory}, or to look at the socket there")
        }
        io::ErrorKind::InvalidInput => "the path is longer than 107 bytes; choose a shorter one".to_owned(),
        _ => format!("{error}"),
    }
}
