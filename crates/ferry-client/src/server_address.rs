use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::session::InvalidValue;

/// Where a server is: `mqtt://host`, `mqtts://host:8883`, `ws://host/path`, `wss://host`, `mqtts+srv://domain`,
/// `unix:///run/ferry.sock`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServerAddress {
    /// On the network.
    Network {
        /// How to speak to it.
        scheme: Scheme,
        /// A name or an address, without the brackets of IPv6.
        host: String,
        /// 1883, 8883, 80 or 443 by default.
        port: u16,
        /// Of a WebSocket; `/mqtt` by default. Empty for others.
        path: String,
    },
    /// Where the SRV records of a domain say (RFC 2782), with the feature `srv`: those of `_mqtt._tcp`, or `_secure-mqtt._tcp`
    /// for `mqtts`. With TLS the server must have a certificate for the domain, not for the host that the records name:
    /// those might be forged.
    Service {
        /// `mqtt` or `mqtts`.
        scheme: Scheme,
        /// Without a port: the records say it.
        domain: String,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

/// The protocols below MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// TCP.
    Mqtt,
    /// TLS.
    Mqtts,
    /// WebSocket.
    Ws,
    /// WebSocket on TLS.
    Wss,
}

/// A URL that names no server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError(String);

/// A URL with what it may say besides the address.
pub(crate) struct ServerUrl {
    pub(crate) address: ServerAddress,
    pub(crate) user_name: Option<String>,
    pub(crate) password: Option<String>,
}

impl AddressError {
    /// Credentials in the URL are not for those who read the error.
    pub(crate) fn new(url: &str, why: &str) -> Self {
        let shown = match (url.split_once("://"), url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://...@{host}"),
            (None, Some((_, host))) => format!("...@{host}"),
            (_, None) => url.to_owned(),
        };
        Self(format!("{shown:?}: {why}"))
    }
}

impl Scheme {
    /// `mqtts`
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::Mqtts => "mqtts",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// Whether it is encrypted.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Mqtts | Self::Wss)
    }

    /// Whether it is a WebSocket.
    #[must_use]
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Mqtt => 1883,
            Self::Mqtts => 8883,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        match name {
            "mqtt" | "tcp" => Some(Self::Mqtt),
            "mqtts" | "ssl" | "tls" => Some(Self::Mqtts),
            "ws" => Some(Self::Ws),
            "wss" => Some(Self::Wss),
            _ => None,
        }
    }
}

impl ServerAddress {
    /// Another host of the same kind, as a Server Reference names it (section 4.11): `host` or `host:port`.
    pub(crate) fn referred(&self, reference: &str) -> Option<Self> {
        let (scheme, path) = match self {
            Self::Network { scheme, path, .. } => (scheme, path.clone()),
            Self::Service { scheme, .. } => (scheme, String::new()),
            Self::Unix(_) => return None,
        };
        let first = reference.split_ascii_whitespace().next()?;
        let (host, port) = host_and_port(first, scheme.default_port()).ok()?;
        Some(Self::Network { scheme: *scheme, host, port, path })
    }
}

impl FromStr for ServerAddress {
    type Err = AddressError;

    fn from_str(url: &str) -> Result<Self, AddressError> {
        ServerUrl::parse(url).map(|url| url.address)
    }
}

impl ServerUrl {
    pub(crate) fn parse(url: &str) -> Result<Self, AddressError> {
        let error = |why: &str| AddressError::new(url, why);
        let (scheme, rest) = url.split_once("://").unwrap_or(("mqtt", url));
        // RFC 3986, section 3.1.
        let scheme = scheme.to_ascii_lowercase();
        let scheme = scheme.as_str();
        if scheme == "unix" {
            if rest.is_empty() {
                return Err(error("the path of the socket is missing"));
            }
            let address = ServerAddress::Unix(PathBuf::from(rest));
            return Ok(Self { address, user_name: None, password: None });
        }
        let (scheme, is_service) = scheme.strip_suffix("+srv").map_or((scheme, false), |name| (name, true));
        let scheme =
            Scheme::from_name(scheme).filter(|scheme| !(is_service && scheme.is_websocket())).ok_or_else(
                || error("the scheme is none of mqtt, mqtts, ws, wss, mqtt+srv, mqtts+srv and unix"),
            )?;
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let path = match (scheme.is_websocket(), path) {
            (true, "") => "/mqtt",
            (true, path) => path,
            (false, "" | "/") => "",
            (false, _) => return Err(error("only WebSockets have a path")),
        };
        let (credentials, host) = authority.rsplit_once('@').map_or((None, authority), |(a, b)| (Some(a), b));
        let has_port = host.contains(':');
        let (host, port) = host_and_port(host, scheme.default_port()).map_err(error)?;
        let (user_name, password) = match credentials {
            None => (None, None),
            Some(text) => {
                let (user, password) = text.split_once(':').map_or((text, None), |(a, b)| (a, Some(b)));
                let decode = |text| percent_decoded(text).ok_or_else(|| error("bad % in the credentials"));
                let (user, password) = (decode(user)?, password.map(decode).transpose()?);
                let of_password = password.as_ref().map_or(&[][..], |text| text.as_bytes());
                InvalidValue::check_text("the URL", "user name", &user)
                    .and_then(|()| InvalidValue::check_bytes("the URL", "password", of_password))
                    .map_err(|invalid| error(&invalid.to_string()))?;
                (Some(user), password)
            }
        };
        let address = match is_service {
            true if has_port => return Err(error("the port of a service is in its SRV records")),
            true => ServerAddress::Service { scheme, domain: host },
            false => ServerAddress::Network { scheme, host, port, path: path.to_owned() },
        };
        Ok(Self { address, user_name, password })
    }
}

/// `host`, `host:port`, `[::1]`, `[::1]:port`
pub(crate) fn host_and_port(text: &str, default_port: u16) -> Result<(String, u16), &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or("a bracket is not closed")?;
            (host, behind.strip_prefix(':').or((!behind.is_empty()).then_some(behind)))
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    if !text.starts_with('[') && text.matches(':').count() > 1 {
        return Err("an address of IPv6 stands in brackets: [::1]");
    }
    if host.is_empty() {
        return Err("the host is missing");
    }
    if host.contains(|character: char| character.is_whitespace() || matches!(character, '?' | '#' | '\\')) {
        return Err("the host has a character that no host has");
    }
    let port = port.map_or(Ok(default_port), str::parse).ok().filter(|port| *port != 0);
    Ok((host.to_owned(), port.ok_or("the port is not a number from 1 to 65535")?))
}

pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { scheme, domain } => write!(f, "{}+srv://{domain}", scheme.name()),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Network { scheme, host, port, path } if host.contains(':') => {
                write!(f, "{}://[{host}]:{port}{path}", scheme.name())
            }
            Self::Network { scheme, host, port, path } => {
                write!(f, "{}://{host}:{port}{path}", scheme.name())
            }
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let canonical = |url: &str| url.parse::<ServerAddress>().map(|address| address.to_string());
        for (url, expected) in [
            ("localhost", "mqtt://localhost:1883"),
            ("localhost:1884", "mqtt://localhost:1884"),
            ("mqtt://host/", "mqtt://host:1883"),
            ("MQTTS://host", "mqtts://host:8883"),
            ("mqtts://host", "mqtts://host:8883"),
            ("tcp://10.0.0.1:99", "mqtt://10.0.0.1:99"),
            ("ws://host", "ws://host:80/mqtt"),
            ("mqtts+srv://me@example.com", "mqtts+srv://example.com"),
            ("wss://host:1/a/b?c=d", "wss://host:1/a/b?c=d"),
            ("mqtt://[::1]", "mqtt://[::1]:1883"),
            ("mqtts://[fe80::1]:7", "mqtts://[fe80::1]:7"),
            ("unix:///run/ferry.sock", "unix:///run/ferry.sock"),
        ] {
            assert_eq!(canonical(url).as_deref(), Ok(expected), "{url}");
        }
        for url in [
            "http://host",
            "mqtt://",
            "mqtt://host:x",
            "mqtt://host:70000",
            "mqtt://host/path",
            "unix://",
            "mqtt://[::1",
            "mqtt://[::1]x",
            "mqtt://::1",
            "mqtt://fe80::1:1883",
            "mqtt://host:0",
            "mqtt://host:",
            "mqtt://host?retain=1",
            "mqtt://ho st",
        ] {
            assert!(canonical(url).is_err(), "{url}");
        }
    }

    #[test]
    fn credentials() {
        let url = ServerUrl::parse("mqtt://me%40home:p%3Aw@host").ok().unwrap();
        assert_eq!((url.user_name.as_deref(), url.password.as_deref()), (Some("me@home"), Some("p:w")));
        let url = ServerUrl::parse("mqtt://me@host").ok().unwrap();
        assert_eq!((url.user_name.as_deref(), url.password), (Some("me"), None));
        assert!(ServerUrl::parse("mqtt://%zz@host").is_err());
    }

    /// [MQTT-1.5.4-2], [MQTT3-1.5.3-2]; and nobody reads the password in the error.
    #[test]
    fn credentials_that_cannot_be_sent() {
        let long = "x".repeat(65_536);
        for (url, why) in [
            ("mqtt://a%00b:secret@host".to_owned(), "user name of the URL: has the character U+0000"),
            (format!("mqtt://{long}:secret@host"), "user name of the URL: longer than 65,535 bytes"),
            (format!("mqtt://me:secret{long}@host"), "password of the URL: longer than 65,535 bytes"),
            ("mqtt://me:%secret@host".to_owned(), "bad % in the credentials"),
        ] {
            let error = ServerUrl::parse(&url).err().unwrap().to_string();
            assert_eq!(error, format!("\"mqtt://...@host\": {why}"));
        }
        assert!(ServerUrl::parse("mqtt://me:%00@host").is_ok(), "a password is Binary Data");
    }

    #[test]
    fn server_references() {
        let address: ServerAddress = "mqtts://a:1".parse().unwrap();
        assert_eq!(address.referred("b other:2").unwrap().to_string(), "mqtts://b:8883");
        assert_eq!(address.referred("[::2]:5").unwrap().to_string(), "mqtts://[::2]:5");
        assert_eq!(address.referred(""), None);
    }
}
