use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ConnectionError;
use crate::server_address::{AddressError, host_and_port, percent_decoded};

/// Somebody who connects for us.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The protocol.
    pub kind: ProxyKind,
    /// A name or an address.
    pub host: String,
    /// 1080 or 8080 by default.
    pub port: u16,
    /// User name and password.
    pub credentials: Option<(String, String)>,
}

/// Without the secrets.
impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}:{}", self.kind, self.host, self.port)
    }
}

/// The protocol of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// SOCKS 5 (RFC 1928); names are resolved by the proxy.
    Socks5,
    /// HTTP CONNECT (RFC 9110, section 9.3.6).
    Http,
}

/// Bytes of the longest answer of an HTTP proxy.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

impl Proxy {
    /// `socks5://host:1080`, `http://user:password@host:8080`
    ///
    /// # Errors
    /// The URL names no proxy.
    pub fn new(url: &str) -> Result<Self, AddressError> {
        let error = |why: &str| AddressError::new(url, why);
        let (scheme, rest) = url.split_once("://").ok_or_else(|| error("the scheme is missing"))?;
        let (kind, default_port) = match scheme {
            "socks5" | "socks5h" => (ProxyKind::Socks5, 1080),
            "http" => (ProxyKind::Http, 8080),
            _ => return Err(error("the scheme is none of socks5 and http")),
        };
        let rest = rest.trim_end_matches('/');
        let (credentials, host) = rest.rsplit_once('@').map_or((None, rest), |(a, b)| (Some(a), b));
        let (host, port) = host_and_port(host, default_port).map_err(error)?;
        let decoded = |text| percent_decoded(text).ok_or_else(|| error("bad % in the credentials"));
        let credentials = match credentials.map(|text| text.split_once(':').unwrap_or((text, ""))) {
            None => None,
            Some((user, password)) => Some((decoded(user)?, decoded(password)?)),
        };
        Ok(Self { kind, host, port, credentials })
    }

    pub(super) async fn connect(
        &self,
        host: &str,
        port: u16,
        bind_address: Option<IpAddr>,
    ) -> Result<TcpStream, ConnectionError> {
        let connected = self.try_connect(host, port, bind_address).await;
        // What the system says is about the proxy, not about the server.
        connected.map_err(|error| match error {
            ConnectionError::Io { message, .. } => ConnectionError::Proxy(format!(
                "cannot connect through {}:{}: {message}",
                self.host, self.port
            )),
            error => error,
        })
    }

    async fn try_connect(
        &self,
        host: &str,
        port: u16,
        bind_address: Option<IpAddr>,
    ) -> Result<TcpStream, ConnectionError> {
        let mut tcp = super::tcp_stream(&self.host, self.port, bind_address).await?;
        match self.kind {
            ProxyKind::Socks5 => self.socks5(&mut tcp, host, port).await?,
            ProxyKind::Http => self.http(&mut tcp, host, port).await?,
        }
        Ok(tcp)
    }

    async fn socks5(&self, tcp: &mut TcpStream, host: &str, port: u16) -> Result<(), ConnectionError> {
        // One method: none, or user name and password (RFC 1929).
        let method = if self.credentials.is_some() { 2 } else { 0 };
        tcp.write_all(&[5, 1, method]).await?;
        let mut answer = [0; 2];
        tcp.read_exact(&mut answer).await?;
        if answer != [5, method] {
            return Err(refused("no way to authenticate that both accept"));
        }
        if let Some((user, password)) = &self.credentials {
            let mut request = vec![1];
            push_short(&mut request, user.as_bytes())?;
            push_short(&mut request, password.as_bytes())?;
            tcp.write_all(&request).await?;
            tcp.read_exact(&mut answer).await?;
            if answer[1] != 0 {
                return Err(refused("user name or password"));
            }
        }
        let mut request = vec![5, 1, 0, 3];
        push_short(&mut request, host.as_bytes())?;
        request.extend_from_slice(&port.to_be_bytes());
        tcp.write_all(&request).await?;
        let mut head = [0; 5];
        tcp.read_exact(&mut head).await?;
        if head[1] != 0 {
            return Err(refused(socks5_reply(head[1])));
        }
        // The address it connects from, and the port; one byte of it is read already.
        let rest = match head[3] {
            1 => 3 + 2,
            3 => usize::from(head[4]) + 2,
            4 => 15 + 2,
            _ => return Err(refused("an answer that makes no sense")),
        };
        tcp.read_exact(&mut vec![0; rest]).await?;
        Ok(())
    }

    async fn http(&self, tcp: &mut TcpStream, host: &str, port: u16) -> Result<(), ConnectionError> {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
        if let Some((user, password)) = &self.credentials {
            request.push_str("Proxy-Authorization: Basic ");
            request.push_str(&base64(format!("{user}:{password}").as_bytes()));
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        tcp.write_all(request.as_bytes()).await?;
        // Byte by byte, so that nothing of what follows is taken.
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() >= ANSWER_BYTES_MAX {
                return Err(refused("its answer is too long"));
            }
            answer.push(tcp.read_u8().await?);
        }
        let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        if line.split(' ').nth(1) == Some("200") { Ok(()) } else { Err(refused(&line)) }
    }
}

fn push_short(request: &mut Vec<u8>, text: &[u8]) -> io::Result<()> {
    let length = u8::try_from(text.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "too long for SOCKS: 255 bytes at most"))?;
    request.push(length);
    request.extend_from_slice(text);
    Ok(())
}

fn refused(why: &str) -> ConnectionError {
    ConnectionError::Proxy(why.to_owned())
}

/// RFC 1928, section 6.
const fn socks5_reply(code: u8) -> &'static str {
    match code {
        2 => "not allowed",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        7 => "command not supported",
        8 => "address type not supported",
        _ => "general failure",
    }
}

/// RFC 4648, section 4.
pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let [first, second, third] = [0, 1, 2].map(|at| chunk.get(at).copied().unwrap_or(0));
        let word = u32::from_be_bytes([0, first, second, third]);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = ALPHABET[(word >> shift & 0x3F) as usize];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let proxy = Proxy::new("socks5://proxy").unwrap();
        assert_eq!((proxy.kind, proxy.port, proxy.credentials), (ProxyKind::Socks5, 1080, None));
        let proxy = Proxy::new("http://me:s%40cret@proxy:3128/").unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy", 3128));
        assert_eq!(proxy.credentials, Some(("me".to_owned(), "s@cret".to_owned())));
        assert!(Proxy::new("proxy").is_err() && Proxy::new("ftp://proxy").is_err());
    }

    #[test]
    fn base64_of_rfc_4648() {
        let encoded = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(encoded, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }
}
