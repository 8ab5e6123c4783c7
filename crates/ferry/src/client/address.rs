use std::net::Ipv6Addr;

use ferry_client::{Scheme, ServerAddress};

use super::arguments::ConnectionArguments;

/// Where the server is, and what a URL says besides.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) server: ServerAddress,
    pub(super) user_name: Option<String>,
    pub(super) password: Option<String>,
    pub(super) topic: Option<String>,
}

/// The port of MQTT on TLS, on which nothing else is expected.
const TLS_PORT: u16 = 8883;

impl ConnectionArguments {
    /// The server of the options.
    ///
    /// # Errors
    /// They name none, in words.
    pub(super) fn address(&self) -> Result<Address, String> {
        let is_tls = self.tls.is_wanted();
        if let Some(url) = &self.url {
            return Address::of_url(url, self.by_srv_records, is_tls);
        }
        let server = if let Some(path) = &self.unix {
            if is_tls {
                return Err("there is no TLS on a Unix socket: leave the options about TLS out".to_owned());
            }
            if path.as_os_str().is_empty() {
                return Err("--unix: the path of the socket is missing".to_owned());
            }
            ServerAddress::Unix(path.clone())
        } else if self.by_srv_records {
            let domain = self.host.as_deref().ok_or("-S needs a domain to ask for: -h")?;
            let scheme = if is_tls { Scheme::Mqtts } else { Scheme::Mqtt };
            ServerAddress::Service { scheme, domain: host(domain)? }
        } else {
            let is_tls = is_tls || self.port == Some(TLS_PORT) && !self.ws;
            let (scheme, port) = match (self.ws, is_tls) {
                (false, false) => (Scheme::Mqtt, 1883),
                (false, true) => (Scheme::Mqtts, TLS_PORT),
                (true, false) => (Scheme::Ws, 8083),
                (true, true) => (Scheme::Wss, 443),
            };
            let path = if self.ws { self.ws_path.as_str() } else { "" };
            let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
            ServerAddress::Network {
                scheme,
                host: host(self.host.as_deref().unwrap_or("localhost"))?,
                port: self.port.unwrap_or(port),
                path: format!("{slash}{path}"),
            }
        };
        Ok(Address { server, user_name: None, password: None, topic: None })
    }
}

impl Address {
    /// `mqtt://user:password@host:port/topic`. A WebSocket has a path there, and no topic. As with Mosquitto's clients `%` has no
    /// meaning, and options about TLS count more than the scheme.
    fn of_url(url: &str, by_srv_records: bool, is_tls: bool) -> Result<Self, String> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(format!("{url}: not mqtt://HOST/TOPIC, nor mqtts://, mqtt+srv://, ws:// or wss://"));
        };
        let scheme = scheme.to_ascii_lowercase();
        let scheme = match scheme.as_str() {
            "tcp" => "mqtt",
            "ssl" | "tls" => "mqtts",
            other => other,
        };
        let has_topic = matches!(scheme, "mqtt" | "mqtts" | "mqtt+srv" | "mqtts+srv");
        let (authority, behind) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (topic, path) = if has_topic { (behind.get(1..).unwrap_or_default(), "") } else { ("", behind) };
        let scheme = match (by_srv_records, scheme) {
            (true, "mqtt") => "mqtt+srv",
            (true, "mqtts") => "mqtts+srv",
            (true, "mqtt+srv" | "mqtts+srv") | (false, _) => scheme,
            (true, _) => return Err(format!("{url}: there are no SRV records for {scheme}")),
        };
        let (credentials, host) = authority.split_once('@').map_or((None, authority), |(a, b)| (Some(a), b));
        if host.contains('@') {
            return Err(format!("{url}: there are two @; give user name and password with -u and -P"));
        }
        let (user_name, password) = match credentials.map(|text| text.split_once(':').ok_or(text)) {
            None => (None, None),
            Some(Ok((user_name, password))) => (Some(user_name.to_owned()), Some(password.to_owned())),
            Some(Err(user_name)) => (Some(user_name.to_owned()), None),
        };
        let server = match scheme {
            "mqtt" if is_tls && has_port(host) => format!("mqtts://{host}"),
            "mqtt" if is_tls => format!("mqtts://{host}:1883"),
            "mqtt+srv" if is_tls => format!("mqtts+srv://{host}"),
            "ws" | "unix" if is_tls => {
                return Err(format!(
                    "{url}: there is no TLS with {scheme}://, which the options about TLS ask for"
                ));
            }
            _ => format!("{scheme}://{host}{path}"),
        };
        let server = server.parse().map_err(|error: ferry_client::AddressError| error.to_string())?;
        let topic = Some(topic.to_owned()).filter(|topic| !topic.is_empty());
        Ok(Self { server, user_name, password, topic })
    }
}

/// Whether a port is named; the colons of an address in brackets are none of its.
fn has_port(host: &str) -> bool {
    host.rsplit(']').next().is_some_and(|behind| behind.contains(':'))
}

/// The host of `-h`, without the brackets of an address of IPv6.
fn host(text: &str) -> Result<String, String> {
    let wrong = |why: &str| Err(format!("-h {text}: {why}"));
    if text.contains("://") {
        return wrong("this is a URL, not a host; a URL is given with -L");
    }
    if text.contains('@') {
        return wrong("a host has no @; the user name is given with -u");
    }
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    // Behind % is the interface.
    let is_ipv6 = inner.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    if is_ipv6 {
        return Ok(inner.to_owned());
    }
    if text.contains(':') {
        return wrong("neither the name of a host nor an address of IPv6; the port is given with -p");
    }
    let is_strange = |character: char| character.is_whitespace() || "/?#\\[]".contains(character);
    if text.is_empty() || text.contains(is_strange) {
        return wrong("not the name of a host, nor an address");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<(String, [Option<String>; 3]), String> {
        let Address { server, user_name, password, topic } = Address::of_url(text, false, false)?;
        Ok((server.to_string(), [user_name, password, topic]))
    }

    #[test]
    fn urls_are_taken_apart() {
        for (text, server, rest) in [
            ("mqtt://h/a/b", "mqtt://h:1883", [None, None, Some("a/b")]),
            ("MQTT://h/A", "mqtt://h:1883", [None, None, Some("A")]),
            ("tcp://h:7/a", "mqtt://h:7", [None, None, Some("a")]),
            ("ssl://h/a", "mqtts://h:8883", [None, None, Some("a")]),
            ("tls://h", "mqtts://h:8883", [None, None, None]),
            ("mqtt://ada:p%41:w@h/a", "mqtt://h:1883", [Some("ada"), Some("p%41:w"), Some("a")]),
            ("mqtts://ada@[::1]:9/a@b", "mqtts://[::1]:9", [Some("ada"), None, Some("a@b")]),
            ("ws://ada:pw@h:8083/p/q@r", "ws://h:8083/p/q@r", [Some("ada"), Some("pw"), None]),
            ("wss://ada:@h", "wss://h:443/mqtt", [Some("ada"), Some(""), None]),
            ("unix:///run/ferry.sock", "unix:///run/ferry.sock", [None, None, None]),
        ] {
            let rest = rest.map(|part| part.map(str::to_owned));
            assert_eq!(url(text), Ok((server.to_owned(), rest)), "{text}");
        }
        for (text, words) in [
            ("h/a", "not mqtt://HOST/TOPIC"),
            ("http://h/a", "the scheme is none of"),
            ("mqtt://a:b@c@h/t", "two @"),
            ("mqtt:///t", "the host is missing"),
        ] {
            let error = url(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_host_is_no_url() {
        for (text, expected) in [
            ("h.example", "h.example"),
            ("[::1]", "::1"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(host(text).as_deref(), Ok(expected));
        }
        for (text, words) in [
            ("user@h", "with -u"),
            ("mqtt://h", "with -L"),
            ("h:1884", "with -p"),
            ("[h]", "not the name"),
            ("", "not the name"),
            ("h/a", "not the name"),
        ] {
            let error = host(text).unwrap_err();
            assert!(error.starts_with(&format!("-h {text}: ")) && error.contains(words), "{error}");
        }
    }
}
