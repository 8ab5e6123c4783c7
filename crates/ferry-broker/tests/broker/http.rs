//! A small HTTP client, for requests as curl would make them, and for others that nobody should.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ferry_broker::RunningBroker;

/// What comes at all comes much sooner.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where an API is.
#[derive(Clone, Debug)]
pub(crate) enum Door {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) trait Socket: Read + Write {}
impl<T: Read + Write> Socket for T {}

/// The Unix socket of a broker.
pub(crate) fn unix_door(broker: &RunningBroker) -> Door {
    let path = broker.admin_addresses().iter().find_map(|address| address.unix_path());
    Door::Unix(path.map(Path::to_owned).expect("a Unix socket"))
}

/// The TCP address of a broker.
pub(crate) fn tcp_door(broker: &RunningBroker) -> Door {
    let address = broker.admin_addresses().iter().find_map(|address| address.host_port());
    let address = address.expect("a TCP address").to_string();
    Door::Tcp(address.to_socket_addrs().expect("resolved").next().expect("an address"))
}

impl Door {
    pub(crate) fn open(&self) -> Box<dyn Socket> {
        match self {
            Self::Tcp(address) => {
                let socket = TcpStream::connect(address).expect("connected");
                socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                Box::new(socket)
            }
            Self::Unix(path) => {
                let socket = UnixStream::connect(path).expect("connected");
                socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                Box::new(socket)
            }
        }
    }

    /// One request on a connection of its own.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Response {
        let host = match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(_) => "localhost".to_owned(),
        };
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body);
        self.raw(text.as_bytes())
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], "")
    }

    /// Sends these bytes and reads to the end.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Response {
        let mut socket = self.open();
        // The answer may come, and the end with it, before everything is sent.
        let _ = socket.write_all(bytes);
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = socket.read(&mut chunk) {
            answer.extend_from_slice(&chunk[..read]);
        }
        Response::parse(&String::from_utf8_lossy(&answer))
    }
}

impl Response {
    /// Status 0 if there was no answer.
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Expects a problem document with this status, and returns it.
    pub(crate) fn problem(&self, status: u16) -> serde_json::Value {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.head.contains("content-type: application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert!(problem["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{problem}");
        problem
    }

    /// Expects success, and returns the document.
    pub(crate) fn ok(&self) -> serde_json::Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }
}
