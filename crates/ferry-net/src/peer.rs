//! Who is at the other end of a stream.

use std::fmt;
use std::net::SocketAddr;

use crate::proxy_protocol::ProxyTls;
use crate::tls::TlsPeer;

/// How the bytes of a connection travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// MQTT on TCP, `tcp://`.
    Tcp,
    /// MQTT on TLS on TCP, `tls://`.
    Tls,
    /// MQTT in WebSocket frames, `ws://`.
    Ws,
    /// MQTT in WebSocket frames on TLS, `wss://`.
    Wss,
    /// MQTT on a Unix socket, `unix://`.
    Unix,
}

impl Transport {
    /// The scheme of an address with this transport: `tcp`, `tls`, `ws`, `wss` or `unix`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Unix => "unix",
        }
    }

    /// Whether the listener itself encrypts.
    pub const fn uses_tls(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Whether packets travel in WebSocket frames.
    pub const fn uses_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The address of the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerAddress {
    /// An Internet address; IPv4 reached through a dual-stack socket is shown as IPv4.
    Ip(SocketAddr),
    /// A process on this machine, as the kernel told when it connected.
    Unix {
        /// The process, where the kernel tells.
        process_id: Option<i32>,
        /// The user that the process ran as; absent when told by a PROXY header.
        user_id: Option<u32>,
    },
}

impl PeerAddress {
    /// The Internet address, if it is one.
    pub const fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix { .. } => None,
        }
    }

    pub(crate) fn from_socket(address: SocketAddr) -> Self {
        Self::Ip(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix { process_id: Some(id), .. } => write!(f, "unix:pid={id}"),
            Self::Unix { user_id: Some(id), .. } => write!(f, "unix:uid={id}"),
            Self::Unix { .. } => f.write_str("unix"),
        }
    }
}

/// Everything the transport knows about the other end of a stream.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// The client; behind a proxy what the proxy told, otherwise the other end of the socket.
    pub address: PeerAddress,
    /// The other end of the socket, when a PROXY header told of a client behind it.
    pub proxied_by: Option<Box<PeerAddress>>,
    /// How the connection travels.
    pub transport: Transport,
    /// What the TLS handshake with us agreed on.
    pub tls: Option<Box<TlsPeer>>,
    /// What the proxy told of the client's TLS connection to it (PROXY v2 only).
    pub proxy_tls: Option<Box<ProxyTls>>,
}
