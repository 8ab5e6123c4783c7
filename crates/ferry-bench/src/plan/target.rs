use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::BenchError;

/// How to reach a broker. As text it is the address that was given: `mqtt://127.0.0.1:1883`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Target {
    /// What is between MQTT and the socket.
    pub scheme: Scheme,
    /// A name or an address; empty for a Unix socket.
    pub host: String,
    /// TCP port; 0 for a Unix socket.
    pub port: u16,
    /// Of a WebSocket, as `/mqtt`, or of a Unix socket.
    pub path: String,
}

/// What is between MQTT and the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// TCP: `mqtt://`, `tcp://`.
    Tcp,
    /// TLS: `mqtts://`, `tls://`, `ssl://`.
    Tls,
    /// WebSocket: `ws://`.
    WebSocket,
    /// WebSocket on TLS: `wss://`.
    SecureWebSocket,
    /// Unix socket: `unix://`.
    Unix,
}

impl Scheme {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "mqtt" | "tcp" => Self::Tcp,
            "mqtts" | "tls" | "ssl" => Self::Tls,
            "ws" => Self::WebSocket,
            "wss" => Self::SecureWebSocket,
            "unix" => Self::Unix,
            _ => return None,
        })
    }

    /// As it is written in an address.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "mqtt",
            Self::Tls => "mqtts",
            Self::WebSocket => "ws",
            Self::SecureWebSocket => "wss",
            Self::Unix => "unix",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Tcp => 1883,
            Self::Tls => 8883,
            Self::WebSocket => 8083,
            Self::SecureWebSocket => 8084,
            Self::Unix => 0,
        }
    }

    /// Whether there is TLS.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::SecureWebSocket)
    }

    /// Whether there is a WebSocket.
    #[must_use]
    pub const fn is_web_socket(self) -> bool {
        matches!(self, Self::WebSocket | Self::SecureWebSocket)
    }
}

impl FromStr for Target {
    type Err = BenchError;

    fn from_str(text: &str) -> Result<Self, BenchError> {
        let wrong = |why: &str| BenchError::new(format!("the address {text}: {why}"));
        let (scheme, rest) = text.split_once("://").unwrap_or(("mqtt", text));
        let scheme =
            Scheme::parse(scheme).ok_or_else(|| wrong("use mqtt://, mqtts://, ws://, wss:// or unix://"))?;
        if scheme == Scheme::Unix {
            let path = rest.to_owned();
            return Ok(Self { scheme, host: String::new(), port: 0, path });
        }
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let (host, port) = split_port(authority).ok_or_else(|| wrong("the port is not a number"))?;
        if host.is_empty() {
            return Err(wrong("there is no host"));
        }
        let path = if scheme.is_web_socket() && path.is_empty() { "/mqtt" } else { path };
        let port = port.unwrap_or(scheme.default_port());
        Ok(Self { scheme, host: host.to_owned(), port, path: path.to_owned() })
    }
}

/// Host and port of `host`, `host:port`, `[::1]` and `[::1]:port`. `None`: the port is not a number.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    if let Some((host, rest)) = authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port.parse().ok()?))),
            None => Some((host, None)),
        };
    }
    match authority.rsplit_once(':') {
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
        None => Some((authority, None)),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, path } = self;
        let scheme_name = scheme.name();
        match scheme {
            Scheme::Unix => write!(formatter, "{scheme_name}://{path}"),
            _ if host.contains(':') => write!(formatter, "{scheme_name}://[{host}]:{port}{path}"),
            _ => write!(formatter, "{scheme_name}://{host}:{port}{path}"),
        }
    }
}

impl TryFrom<String> for Target {
    type Error = BenchError;

    fn try_from(text: String) -> Result<Self, BenchError> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_defaults() {
        for (text, whole) in [
            ("localhost", "mqtt://localhost:1883"),
            ("tcp://10.0.0.1:1", "mqtt://10.0.0.1:1"),
            ("mqtts://h", "mqtts://h:8883"),
            ("ws://h", "ws://h:8083/mqtt"),
            ("wss://h:1/x/y", "wss://h:1/x/y"),
            ("unix:///run/ferry.sock", "unix:///run/ferry.sock"),
            ("mqtt://[::1]", "mqtt://[::1]:1883"),
            ("mqtt://[::1]:7", "mqtt://[::1]:7"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.to_string(), whole);
            assert_eq!(whole.parse::<Target>().unwrap(), target);
        }
    }

    #[test]
    fn wrong_addresses_say_why() {
        for text in ["http://h", "mqtt://", "mqtt://h:x", "mqtt://:1883", "mqtt://h:99999"] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
