use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hyper::Uri;

/// The address of what is asked: `http://host[:port]/path` or `https://...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpUrl(Uri);

/// Why a text is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HttpUrlError(&'static str);

impl fmt::Display for HttpUrlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl FromStr for HttpUrl {
    type Err = HttpUrlError;

    fn from_str(text: &str) -> Result<Self, HttpUrlError> {
        let uri: Uri = text.parse().map_err(|_| HttpUrlError("this is no URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(HttpUrlError("it does not begin with http:// or https://"));
        }
        let authority = uri.authority().ok_or(HttpUrlError("it has no host"))?;
        // It would be in the log, and in the configuration that the admin API shows.
        if authority.as_str().contains('@') {
            return Err(HttpUrlError("a name and a password do not belong into a URL"));
        }
        if authority.host().is_empty() {
            return Err(HttpUrlError("it has no host"));
        }
        let has_more = authority.as_str().len() > authority.host().len();
        if has_more && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(HttpUrlError("its port is not one of 1 to 65535"));
        }
        Ok(Self(uri))
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl HttpUrl {
    /// Whether it is asked by TLS.
    pub(crate) fn uses_tls(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// The name or address of the server, without the brackets of IPv6.
    pub(crate) fn host(&self) -> &str {
        let host = self.0.host().unwrap_or_default();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// Its port, or the usual one.
    pub(crate) fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(if self.uses_tls() { 443 } else { 80 })
    }

    /// What the header `Host` says.
    pub(super) fn authority(&self) -> &str {
        self.0.authority().map_or("", |authority| authority.as_str())
    }

    /// What is asked for.
    pub(super) fn path_and_query(&self) -> &str {
        self.0.path_and_query().map_or("/", |path| path.as_str())
    }

    /// Whether what is asked leaves this machine in plain text.
    pub(crate) fn is_open(&self) -> bool {
        let is_here = match self.host().parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => self.host().eq_ignore_ascii_case("localhost"),
        };
        !self.uses_tls() && !is_here
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let url = |text: &str| text.parse::<HttpUrl>();
        let parts = |text: &str| {
            let url = url(text).expect("a URL");
            (url.host().to_owned(), url.port(), url.path_and_query().to_owned(), url.is_open())
        };
        assert_eq!(parts("http://auth.example"), ("auth.example".to_owned(), 80, "/".to_owned(), true));
        assert_eq!(
            parts("https://auth.example:8443/a?b=c"),
            ("auth.example".to_owned(), 8443, "/a?b=c".to_owned(), false)
        );
        assert_eq!(parts("http://[::1]:81/x"), ("::1".to_owned(), 81, "/x".to_owned(), false));
        assert_eq!(parts("http://localhost/x"), ("localhost".to_owned(), 80, "/x".to_owned(), false));
        for wrong in [
            "",
            "auth.example",
            "/path",
            "ftp://auth.example/",
            "http://",
            "http://u:p@auth.example/",
            "http://auth.example:0/",
            "http://auth.example:99999/",
            "http://a b/",
        ] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }
}
