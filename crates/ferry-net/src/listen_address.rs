//! Addresses to listen on, as written in the configuration: `tcp://`, `tls://`, `ws://`, `wss://`, `unix://`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::peer::Transport;

/// The path of a WebSocket listener whose address names none.
const WEBSOCKET_PATH_DEFAULT: &str = "/mqtt";

/// Where a listener listens.
///
/// Written as `tcp://HOST:PORT`, `tls://HOST:PORT`, `ws://HOST:PORT/PATH`, `wss://HOST:PORT/PATH` or
/// `unix:///PATH`. `HOST` is a name, an IPv4 address, an IPv6 address in brackets, or `*` for every address of
/// the machine (IPv6 and IPv4). A port left out is 1883, 8883, 8083, 8084; port 0 lets the system choose.
/// A WebSocket path left out is `/mqtt`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// MQTT on TCP.
    Tcp(HostPort),
    /// MQTT on TLS.
    Tls(HostPort),
    /// MQTT in WebSocket frames; the path of the upgrade request.
    Ws(HostPort, String),
    /// MQTT in WebSocket frames on TLS; the path of the upgrade request.
    Wss(HostPort, String),
    /// MQTT on a Unix socket; the path of the socket file.
    Unix(PathBuf),
}

impl ListenAddress {
    /// The transport that the scheme stands for.
    pub const fn transport(&self) -> Transport {
        match self {
            Self::Tcp(_) => Transport::Tcp,
            Self::Tls(_) => Transport::Tls,
            Self::Ws(..) => Transport::Ws,
            Self::Wss(..) => Transport::Wss,
            Self::Unix(_) => Transport::Unix,
        }
    }

    /// Host and port; none for a Unix socket.
    pub const fn host_port(&self) -> Option<&HostPort> {
        match self {
            Self::Tcp(host_port)
            | Self::Tls(host_port)
            | Self::Ws(host_port, _)
            | Self::Wss(host_port, _) => Some(host_port),
            Self::Unix(_) => None,
        }
    }

    /// The path that a WebSocket upgrade must ask for.
    pub fn websocket_path(&self) -> Option<&str> {
        match self {
            Self::Ws(_, path) | Self::Wss(_, path) => Some(path),
            _ => None,
        }
    }

    /// The socket file of a Unix listener.
    pub fn unix_path(&self) -> Option<&Path> {
        match self {
            Self::Unix(path) => Some(path),
            _ => None,
        }
    }

    /// Whether only this machine can reach the address: a loopback address, `localhost`, or a Unix socket.
    pub fn is_local_only(&self) -> bool {
        self.host_port().is_none_or(HostPort::is_loopback)
    }

    /// The same address with another port, for a listener whose port the system chose.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        let mut address = self.clone();
        match &mut address {
            Self::Tcp(host_port)
            | Self::Tls(host_port)
            | Self::Ws(host_port, _)
            | Self::Wss(host_port, _) => {
                host_port.port = port;
            }
            Self::Unix(_) => {}
        }
        address
    }
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(ListenAddressError::new(text, format!("no scheme; write tcp://{text}")));
        };
        match scheme {
            "tcp" => Ok(Self::Tcp(host_port_alone(text, rest, 1883)?)),
            "tls" => Ok(Self::Tls(host_port_alone(text, rest, 8883)?)),
            "ws" => host_port_and_path(text, rest, 8083).map(|(host_port, path)| Self::Ws(host_port, path)),
            "wss" => host_port_and_path(text, rest, 8084).map(|(host_port, path)| Self::Wss(host_port, path)),
            "unix" if rest.starts_with('/') && !rest.ends_with('/') => Ok(Self::Unix(PathBuf::from(rest))),
            "unix" => Err(ListenAddressError::new(
                text,
                "the path of the socket file must be absolute: unix:///run/ferry.sock",
            )),
            other => Err(ListenAddressError::new(text, unknown_scheme(other))),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.transport().name();
        match self {
            Self::Tcp(host_port) | Self::Tls(host_port) => write!(f, "{scheme}://{host_port}"),
            Self::Ws(host_port, path) | Self::Wss(host_port, path) => {
                write!(f, "{scheme}://{host_port}{path}")
            }
            Self::Unix(path) => write!(f, "{scheme}://{}", path.display()),
        }
    }
}

/// Host and port of a listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A host name, an IPv4 address, an IPv6 address without brackets, or `*`.
    pub host: String,
    /// The port; 0 lets the system choose one.
    pub port: u16,
}

impl HostPort {
    /// Whether only this machine can reach it. A name other than `localhost` counts as reachable by others.
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        }
    }

    /// The socket addresses that the host stands for. Asks the resolver for names, so it may block.
    pub(crate) fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        if self.host == "*" {
            return Ok(vec![SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), self.port)]);
        }
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        let mut addresses: Vec<SocketAddr> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        // IPv4 first: it is what the port chosen by the system for port 0 is taken from.
        addresses.sort_by_key(SocketAddr::is_ipv6);
        addresses.dedup();
        Ok(addresses)
    }

    /// The IPv4 address to fall back to on a machine without IPv6; only `*` has one.
    pub(crate) fn without_ipv6(&self) -> Option<SocketAddr> {
        (self.host == "*").then(|| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), self.port))
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A text that is not an address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddressError {
    text: String,
    problem: String,
}

impl ListenAddressError {
    fn new(text: &str, problem: impl Into<String>) -> Self {
        Self { text: text.to_owned(), problem: problem.into() }
    }
}

impl fmt::Display for ListenAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is not an address to listen on: {}", self.text, self.problem)
    }
}

impl std::error::Error for ListenAddressError {}

fn unknown_scheme(scheme: &str) -> String {
    let remedy = match scheme.to_ascii_lowercase().as_str() {
        "mqtt" | "tcp" => "write tcp://",
        "mqtts" | "ssl" | "tls" => "write tls://",
        "http" | "ws" => "write ws://",
        "https" | "wss" => "write wss://",
        _ => "use tcp://, tls://, ws://, wss:// or unix://",
    };
    format!("unknown scheme \"{scheme}\"; {remedy}")
}

fn host_port_alone(text: &str, rest: &str, port_default: u16) -> Result<HostPort, ListenAddressError> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains('/') {
        return Err(ListenAddressError::new(text, "a path is only for ws://, wss:// and unix://"));
    }
    host_port(text, rest, port_default)
}

fn host_port_and_path(
    text: &str,
    rest: &str,
    port_default: u16,
) -> Result<(HostPort, String), ListenAddressError> {
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, WEBSOCKET_PATH_DEFAULT),
    };
    if path.bytes().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'?' | b'#')) {
        return Err(ListenAddressError::new(
            text,
            "the path may hold no spaces, `?`, `#` or characters beyond ASCII",
        ));
    }
    Ok((host_port(text, authority, port_default)?, path.to_owned()))
}

fn host_port(text: &str, authority: &str, port_default: u16) -> Result<HostPort, ListenAddressError> {
    let (host, port) = split_port(text, authority)?;
    if host.is_empty() {
        return Err(ListenAddressError::new(text, "no host; use * for every address of this machine"));
    }
    let port = match port {
        None => port_default,
        Some(digits) => parse_port(digits).ok_or_else(|| {
            ListenAddressError::new(text, format!("\"{digits}\" is not a port; use 0 to 65535"))
        })?,
    };
    Ok(HostPort { host: host.to_owned(), port })
}

fn split_port<'a>(text: &str, authority: &'a str) -> Result<(&'a str, Option<&'a str>), ListenAddressError> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let Some((host, after)) = bracketed.split_once(']') else {
            return Err(ListenAddressError::new(text, "no `]` after the IPv6 address"));
        };
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(ListenAddressError::new(text, format!("\"{host}\" is not an IPv6 address")));
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(ListenAddressError::new(text, "only a port may follow the `]`")),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => {
            Err(ListenAddressError::new(text, "write an IPv6 address in brackets, as in tcp://[::1]:1883"))
        }
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

fn parse_port(digits: &str) -> Option<u16> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ListenAddress {
        text.parse().expect(text)
    }

    fn problem(text: &str) -> String {
        text.parse::<ListenAddress>().expect_err(text).to_string()
    }

    #[test]
    fn every_scheme_is_read_and_shown() {
        for (text, shown) in [
            ("tcp://127.0.0.1:1884", "tcp://127.0.0.1:1884"),
            ("tcp://localhost", "tcp://localhost:1883"),
            ("tls://[::1]:0", "tls://[::1]:0"),
            ("tls://[::]", "tls://[::]:8883"),
            ("ws://*", "ws://*:8083/mqtt"),
            ("ws://*:80/", "ws://*:80/"),
            ("wss://broker.example/a/b", "wss://broker.example:8084/a/b"),
            ("unix:///run/ferry.sock", "unix:///run/ferry.sock"),
        ] {
            let address = parse(text);
            assert_eq!(address.to_string(), shown);
            assert_eq!(parse(shown), address);
        }
    }

    #[test]
    fn mistakes_name_the_remedy() {
        for (text, remedy) in [
            ("127.0.0.1:1883", "write tcp://127.0.0.1:1883"),
            ("mqtts://a:1", "write tls://"),
            ("quic://a:1", "use tcp://, tls://, ws://, wss:// or unix://"),
            ("tcp://::1:1883", "in brackets"),
            ("tcp://[::1", "no `]`"),
            ("tcp://[::1]1883", "only a port may follow"),
            ("tcp://[1.2.3.4]:1", "not an IPv6 address"),
            ("tcp://a:65536", "use 0 to 65535"),
            ("tcp://a:+1", "use 0 to 65535"),
            ("tcp://a:", "use 0 to 65535"),
            ("tcp://:1883", "use * for every address"),
            ("tcp://a:1/mqtt", "a path is only for"),
            ("ws://a:1/mq tt", "no spaces"),
            ("unix://ferry.sock", "must be absolute"),
        ] {
            let problem = problem(text);
            assert!(problem.contains(remedy), "{text}: {problem}");
        }
    }

    #[test]
    fn only_loopback_and_unix_are_local() {
        for (text, local) in [
            ("tcp://127.3.2.1:1", true),
            ("tcp://[::1]:1", true),
            ("tcp://[::ffff:127.0.0.1]:1", true),
            ("ws://LocalHost:1", true),
            ("unix:///a", true),
            ("tcp://*:1", false),
            ("tcp://[::]:1", false),
            ("tcp://0.0.0.0:1", false),
            ("tcp://example.org:1", false),
        ] {
            assert_eq!(parse(text).is_local_only(), local, "{text}");
        }
    }
}
