//! Which web pages may connect (RFC 6455, section 10.2): a browser lets every page open a WebSocket to every address
//! that it reaches, and says in the header `Origin` whose page it is.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Web pages that may connect.
///
/// Written as `*`, `local`, or an origin as browsers send it: `https://example.org`, `http://10.0.0.5:8080`, `null`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginRule {
    /// Every page.
    Any,
    /// Pages that come from the machine on which the browser runs, of whatever port.
    Local,
    /// Pages of this origin.
    Page(Box<str>),
}

/// A text that is not an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginError {
    text: String,
    problem: &'static str,
}

impl OriginRule {
    /// Whether a page whose browser sends this header `Origin` may connect.
    pub fn admits(&self, origin: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Local => str::from_utf8(origin).is_ok_and(is_local),
            Self::Page(page) => origin.eq_ignore_ascii_case(page.as_bytes()),
        }
    }
}

impl FromStr for OriginRule {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = match text {
            "*" => return Ok(Self::Any),
            "local" => return Ok(Self::Local),
            // What browsers send for files and other pages without an origin.
            "null" | "file://" => return Ok(Self::Page(text.into())),
            _ => match parse(text) {
                Ok(origin) => return Ok(Self::Page(origin.into())),
                Err(problem) => problem,
            },
        };
        Err(OriginError { text: text.to_owned(), problem })
    }
}

impl fmt::Display for OriginRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "*",
            Self::Local => "local",
            Self::Page(page) => page,
        })
    }
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is not the origin of web pages: {}", self.text, self.problem)
    }
}

impl std::error::Error for OriginError {}

/// The origin as browsers write it: without the port that the scheme stands for.
fn parse(text: &str) -> Result<String, &'static str> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err("write it with its scheme, as in https://example.org");
    };
    if scheme.eq_ignore_ascii_case("ws") || scheme.eq_ignore_ascii_case("wss") {
        return Err("it is the address of the page, so it begins with https:// or http://");
    }
    if rest.contains(['/', '?', '#']) {
        return Err("an origin ends with the host or port, without a path");
    }
    let (host, port) = host_and_port(rest).ok_or("the port is not a number")?;
    if host.is_empty() || host.contains(|byte: char| byte.is_whitespace() || "@*,".contains(byte)) {
        return Err("the host is not one");
    }
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let port = port.filter(|_| port != default_port).map(|port| format!(":{port}")).unwrap_or_default();
    Ok(format!("{scheme}://{host}{port}").to_ascii_lowercase())
}

/// Host, an IPv6 address in its brackets, and port, if there is one.
fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let host_end = text.rfind(']').map_or(0, |bracket| bracket + 1);
    match text[host_end..].split_once(':') {
        Some((rest, port)) => Some((&text[..host_end + rest.len()], Some(port.parse().ok()?))),
        None => Some((text, None)),
    }
}

fn is_local(origin: &str) -> bool {
    let Some((host, _)) = origin.split_once("://").and_then(|(_, rest)| host_and_port(rest)) else {
        return false;
    };
    let host = host.to_ascii_lowercase();
    // RFC 6761, section 6.3: names under localhost are loopback addresses, whatever a resolver says.
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
    address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> OriginRule {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_page_is_named_by_its_origin() {
        for (text, origin) in [
            ("https://example.org", "https://example.org"),
            ("HTTPS://Example.org:443", "https://example.org"),
            ("http://10.0.0.5:8080", "http://10.0.0.5:8080"),
            ("http://[::1]:80", "http://[::1]"),
            ("https://example.org", "https://EXAMPLE.ORG"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("null", "null"),
            ("file://", "file://"),
        ] {
            assert!(rule(text).admits(origin.as_bytes()), "{text} {origin}");
        }
        for origin in
            ["http://example.org", "https://example.org:8443", "https://example.org.evil.example", "null"]
        {
            assert!(!rule("https://example.org").admits(origin.as_bytes()), "{origin}");
        }
    }

    #[test]
    fn pages_of_the_own_machine_are_local() {
        for origin in [
            "http://localhost",
            "http://localhost:3000",
            "https://LocalHost:3000",
            "http://app.localhost:3000",
            "http://127.0.0.1:8080",
            "http://127.1.2.3",
            "http://[::1]:8080",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert!(OriginRule::Local.admits(origin.as_bytes()), "{origin}");
        }
        for origin in [
            "http://example.org",
            "http://localhost.example.org",
            "http://127.0.0.1.example.org",
            "http://evil.example/localhost",
            "http://evil.example:80:localhost",
            "http://localhost:x",
            "http://10.0.0.1",
            "localhost",
            "null",
            "file://",
            "",
        ] {
            assert!(!OriginRule::Local.admits(origin.as_bytes()), "{origin}");
        }
        assert!(!OriginRule::Local.admits(b"http://\xFFlocalhost"));
    }

    #[test]
    fn what_is_not_an_origin_is_told() {
        for (text, problem) in [
            ("example.org", "with its scheme"),
            ("", "with its scheme"),
            ("wss://example.org", "begins with https://"),
            ("https://example.org/", "without a path"),
            ("https://example.org:web", "port"),
            ("https://:80", "host"),
            ("https://*.example.org", "host"),
        ] {
            let error = text.parse::<OriginRule>().expect_err(text).to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn a_rule_is_written_as_it_is_read() {
        for text in ["*", "local", "null", "https://example.org:8443"] {
            assert_eq!(rule(text).to_string(), text);
        }
    }
}
