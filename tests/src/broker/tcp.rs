//! A broker at a TCP address.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::{Broker, Received};

/// How long a broker gets to notice that a connection has failed; nothing tells when it has.
const NOTICE: Duration = Duration::from_millis(30);

/// Connections to a broker at `HOST:PORT`.
pub struct TcpBroker {
    address: String,
    streams: HashMap<String, TcpStream>,
}

impl TcpBroker {
    /// A broker at this address; nothing is connected yet.
    #[must_use]
    pub fn new(address: &str) -> Self {
        Self { address: address.to_owned(), streams: HashMap::new() }
    }
}

impl Broker for TcpBroker {
    fn open(&mut self, client: &str) -> Result<(), String> {
        let stream =
            TcpStream::connect(&self.address).map_err(|error| format!("{}: {error}", self.address))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        self.streams.insert(client.to_owned(), stream);
        Ok(())
    }

    fn send(&mut self, client: &str, bytes: &[u8]) {
        if let Some(stream) = self.streams.get_mut(client) {
            let _closed = stream.write_all(bytes);
        }
    }

    fn receive(&mut self, client: &str, patience: Duration) -> Received {
        let Some(stream) = self.streams.get_mut(client) else { return Received::Closed };
        let mut buffer = [0; 16 * 1024];
        let patience = patience.max(Duration::from_millis(1));
        if stream.set_read_timeout(Some(patience)).is_err() {
            return Received::Closed;
        }
        match stream.read(&mut buffer) {
            Ok(0) => Received::Closed,
            Ok(length) => Received::Bytes(buffer[..length].to_vec()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Received::Nothing
            }
            Err(_) => Received::Closed,
        }
    }

    fn drop_connection(&mut self, client: &str) {
        if let Some(stream) = self.streams.remove(client) {
            let _closed = stream.shutdown(Shutdown::Both);
            std::thread::sleep(NOTICE);
        }
    }

    fn advance(&mut self, duration: Duration) {
        std::thread::sleep(duration);
    }

    fn is_immediate(&self) -> bool {
        false
    }
}
