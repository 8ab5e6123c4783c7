//! A broker and the kind of clients that meet there.

use ferry_tests::ferry::{Ferry, Transport};

use crate::client::Client;
use crate::library::Library;
use crate::line::Line;

/// A broker of its own for one scenario, and what its clients have in common.
pub(crate) struct Arena {
    pub(crate) ferry: Ferry,
    pub(crate) library: Library,
    /// The protocol level: 3, 4 or 5.
    pub(crate) version: u8,
    pub(crate) transport: Transport,
}

impl Arena {
    pub(crate) fn new(library: Library, version: u8, transport: Transport) -> Self {
        Self { ferry: Ferry::start(""), library, version, transport }
    }

    pub(crate) fn is_v5(&self) -> bool {
        self.version == 5
    }

    /// A client that is connected, with a new session; `more` pairs of the `connect` order.
    pub(crate) fn connected(&self, id: &str, more: &str) -> Client {
        let mut client = self.connecting(&format!("id={id} clean=1 {more}"));
        client.expect("connected session_present=0");
        client
    }

    /// A client that has been told to connect.
    pub(crate) fn connecting(&self, pairs: &str) -> Client {
        let order = Line::parse(format!("connect {pairs}").trim_end());
        let mut client =
            Client::new(order.text("id").unwrap_or("the client"), self.library.start(self.version));
        client.order_line(&self.reachable(order));
        client
    }

    /// What a publisher tells when nobody wants its message.
    pub(crate) fn no_matching_subscribers(&self) -> &'static str {
        // Paho C keeps the reason codes of success to itself.
        let tells_reason = self.is_v5() && self.library != Library::PahoC;
        if tells_reason { "published reason=16" } else { "published reason=0" }
    }

    /// Whether the library reads several packets that came in one WebSocket frame.
    pub(crate) fn takes_packets_together(&self) -> bool {
        // Paho C leaves the second packet of a frame unread until another frame comes [MQTT-6.0.0-2].
        !(self.library == Library::PahoC && self.transport == Transport::WebSocket)
    }

    /// Adds where the broker is and how it is reached.
    fn reachable(&self, order: Line) -> Line {
        let certificates = &self.ferry.certificates;
        let scheme = self.transport.scheme();
        let mut order = order.with("version", self.version).with("transport", scheme);
        if self.transport == Transport::Unix {
            return order.with("path", self.ferry.unix_socket().display());
        }
        order = order.with("host", "127.0.0.1").with("port", self.ferry.port(self.transport));
        if matches!(scheme, "ws" | "wss") {
            order = order.with("path", "/mqtt");
        }
        if matches!(scheme, "tls" | "wss") {
            order = order.with("ca", certificates.authority.display());
        }
        if self.transport == Transport::TlsWithClientCertificate {
            let (certificate, key) = (certificates.client.display(), certificates.client_key.display());
            order = order.with("certificate", certificate).with("key", key);
        }
        order
    }
}
