//! The PROXY protocol, versions 1 and 2: a proxy tells the address of the client before its first byte.
//! Pure; <https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::peer::PeerAddress;

/// The longest version 1 header, with its line end.
const V1_BYTES_MAX: usize = 107;
/// The longest version 2 header accepted. The format allows 65,551; a client's certificate name and a host
/// name need a few hundred, its certificate a thousand or two.
const V2_BYTES_MAX: usize = 4096;
/// The longest header of either version: what [`parse`] may ask to be kept.
pub const HEADER_BYTES_MAX: usize = V2_BYTES_MAX;

const V1_PREFIX: &[u8] = b"PROXY ";
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_FIXED_BYTES: usize = 16;

const TYPE_SSL: u8 = 0x20;
const TYPE_AUTHORITY: u8 = 0x02;
const SUBTYPE_SSL_VERSION: u8 = 0x21;
const SUBTYPE_SSL_COMMON_NAME: u8 = 0x22;
/// PP2_SUBTYPE_SSL_CLIENT_CERT: in HAProxy's list since 2025, so few proxies send it.
const SUBTYPE_SSL_CERTIFICATE: u8 = 0x28;
const CLIENT_SSL: u8 = 0x01;
const CLIENT_CERTIFICATE: u8 = 0x02 | 0x04;

/// A whole header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// How many bytes it is long; what follows is the client's.
    pub length: usize,
    /// The client. None when the proxy speaks for itself (`LOCAL`, such as a health check) or does not know.
    pub source: Option<PeerAddress>,
    /// The client's TLS connection to the proxy (version 2 only).
    pub tls: Option<ProxyTls>,
}

/// What a proxy told of a client's TLS connection to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyTls {
    /// The version as the proxy writes it, such as `TLSv1.3`.
    pub version: Option<String>,
    /// The common name of the client's certificate; only told if the proxy has verified one.
    pub common_name: Option<String>,
    /// The client's certificate (X.509 in DER); only told if the proxy has verified it, and by few proxies.
    pub certificate: Option<Vec<u8>>,
    /// The host name that the client asked for (SNI).
    pub server_name: Option<String>,
    /// Whether the client showed a certificate and the proxy found it valid.
    pub certificate_verified: bool,
}

/// Why bytes are not a PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyError {
    /// They begin like something else: the client came without the proxy.
    Missing,
    /// They begin like a header and are none.
    Malformed(&'static str),
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no PROXY header; this listener is for connections through a proxy"),
            Self::Malformed(detail) => write!(f, "malformed PROXY header: {detail}"),
        }
    }
}

impl std::error::Error for ProxyError {}

/// Whether `bytes`, at least 6 of them, are or may become a header.
pub fn starts_header(bytes: &[u8]) -> bool {
    bytes.starts_with(V1_PREFIX) || (bytes.len() >= V1_PREFIX.len() && is_prefix(bytes, V2_SIGNATURE))
}

/// Parses the header at the front of `input`. `Ok(None)`: more bytes are needed; never with
/// [`HEADER_BYTES_MAX`] bytes or more.
///
/// # Errors
/// `input` can never become a header, however it goes on.
pub fn parse(input: &[u8]) -> Result<Option<ProxyHeader>, ProxyError> {
    if is_prefix(input, V1_PREFIX) {
        return parse_v1(input);
    }
    if is_prefix(input, V2_SIGNATURE) {
        return parse_v2(input);
    }
    Err(ProxyError::Missing)
}

/// Whether one begins with the other.
fn is_prefix(input: &[u8], prefix: &[u8]) -> bool {
    let length = input.len().min(prefix.len());
    input[..length] == prefix[..length]
}

fn parse_v1(input: &[u8]) -> Result<Option<ProxyHeader>, ProxyError> {
    let line_area = &input[..input.len().min(V1_BYTES_MAX)];
    let Some(end) = line_area.iter().position(|&byte| byte == b'\n') else {
        if line_area.len() == V1_BYTES_MAX {
            return Err(ProxyError::Malformed("no line end within 107 bytes"));
        }
        return Ok(None);
    };
    let Some(line) = line_area[..end].strip_suffix(b"\r") else {
        return Err(ProxyError::Malformed("line end without carriage return"));
    };
    let Ok(line) = std::str::from_utf8(line) else {
        return Err(ProxyError::Malformed("not ASCII"));
    };
    let mut fields = line.split(' ').skip(1);
    let source = match fields.next() {
        // The rest of the line may be anything.
        Some("UNKNOWN") => None,
        Some("TCP4") => Some(v1_source::<Ipv4Addr>(fields)?),
        Some("TCP6") => Some(v1_source::<Ipv6Addr>(fields)?),
        _ => return Err(ProxyError::Malformed("protocol is none of TCP4, TCP6, UNKNOWN")),
    };
    Ok(Some(ProxyHeader { length: end + 1, source, tls: None }))
}

fn v1_source<'a, A>(mut fields: impl Iterator<Item = &'a str>) -> Result<PeerAddress, ProxyError>
where
    A: std::str::FromStr + Into<IpAddr>,
{
    let mut address = || fields.next().and_then(|field| field.parse::<A>().ok());
    let (Some(source), Some(_destination)) = (address(), address()) else {
        return Err(ProxyError::Malformed("address"));
    };
    let mut port =
        || fields.next().filter(|field| is_v1_port(field)).and_then(|field| field.parse::<u16>().ok());
    let (Some(source_port), Some(_destination_port)) = (port(), port()) else {
        return Err(ProxyError::Malformed("port"));
    };
    if fields.next().is_some() {
        return Err(ProxyError::Malformed("too many fields"));
    }
    Ok(PeerAddress::from_socket(SocketAddr::new(source.into(), source_port)))
}

fn is_v1_port(field: &str) -> bool {
    field.bytes().all(|byte| byte.is_ascii_digit()) && (field == "0" || !field.starts_with('0'))
}

fn parse_v2(input: &[u8]) -> Result<Option<ProxyHeader>, ProxyError> {
    if let Some(version_command) = input.get(V2_SIGNATURE.len())
        && version_command >> 4 != 2
    {
        return Err(ProxyError::Malformed("version is not 2"));
    }
    let Some((fixed, rest)) = input.split_first_chunk::<V2_FIXED_BYTES>() else {
        return Ok(None);
    };
    let rest_length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let length = V2_FIXED_BYTES + rest_length;
    if length > V2_BYTES_MAX {
        return Err(ProxyError::Malformed("longer than 4096 bytes"));
    }
    let Some(rest) = rest.get(..rest_length) else {
        return Ok(None);
    };
    let (source, tls) = match fixed[12] & 0x0F {
        0 => (None, None),
        1 => {
            let (source, extensions) = v2_source(fixed[13], rest)?;
            (source, v2_tls(extensions)?)
        }
        _ => return Err(ProxyError::Malformed("command is neither LOCAL nor PROXY")),
    };
    Ok(Some(ProxyHeader { length, source, tls }))
}

/// The source address and what follows the addresses.
fn v2_source(family_transport: u8, rest: &[u8]) -> Result<(Option<PeerAddress>, &[u8]), ProxyError> {
    const SHORT: ProxyError = ProxyError::Malformed("shorter than its addresses");
    match family_transport {
        0x11 => {
            let (block, extensions) = rest.split_first_chunk::<12>().ok_or(SHORT)?;
            let address = Ipv4Addr::new(block[0], block[1], block[2], block[3]);
            let port = u16::from_be_bytes([block[8], block[9]]);
            Ok((Some(PeerAddress::from_socket(SocketAddr::new(address.into(), port))), extensions))
        }
        0x21 => {
            let (block, extensions) = rest.split_first_chunk::<36>().ok_or(SHORT)?;
            let mut octets = [0; 16];
            octets.copy_from_slice(&block[..16]);
            let port = u16::from_be_bytes([block[32], block[33]]);
            let address = SocketAddr::new(Ipv6Addr::from(octets).into(), port);
            Ok((Some(PeerAddress::from_socket(address)), extensions))
        }
        0x31 => {
            let (_, extensions) = rest.split_first_chunk::<216>().ok_or(SHORT)?;
            Ok((Some(PeerAddress::Unix { process_id: None, user_id: None }), extensions))
        }
        // Unspecified: the receiver must accept and ignore whatever follows.
        0x00 => Ok((None, &[])),
        _ => Err(ProxyError::Malformed("address family and transport are not those of a stream")),
    }
}

fn v2_tls(extensions: &[u8]) -> Result<Option<ProxyTls>, ProxyError> {
    let mut server_name = None;
    let mut tls = None;
    for extension in Extensions(extensions) {
        match extension? {
            (TYPE_AUTHORITY, value) => server_name = text(value),
            (TYPE_SSL, value) => tls = v2_ssl(value)?,
            _ => {}
        }
    }
    Ok(tls.map(|tls| ProxyTls { server_name, ..tls }))
}

fn v2_ssl(value: &[u8]) -> Result<Option<ProxyTls>, ProxyError> {
    let Some((fixed, extensions)) = value.split_first_chunk::<5>() else {
        return Err(ProxyError::Malformed("SSL information is too short"));
    };
    let [client, verify @ ..] = fixed;
    let verified = client & CLIENT_CERTIFICATE != 0 && *verify == [0; 4];
    let mut tls = ProxyTls { certificate_verified: verified, ..ProxyTls::default() };
    for extension in Extensions(extensions) {
        match extension? {
            (SUBTYPE_SSL_VERSION, value) => tls.version = text(value),
            (SUBTYPE_SSL_COMMON_NAME, value) if verified => tls.common_name = text(value),
            (SUBTYPE_SSL_CERTIFICATE, value) if verified => tls.certificate = Some(value.to_vec()),
            _ => {}
        }
    }
    Ok((client & CLIENT_SSL != 0).then_some(tls))
}

fn text(value: &[u8]) -> Option<String> {
    String::from_utf8(value.to_vec()).ok()
}

/// Type, length, value, repeated.
struct Extensions<'a>(&'a [u8]);

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<(u8, &'a [u8]), ProxyError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let split = self.0.split_first_chunk::<3>().and_then(|([kind, high, low], rest)| {
            let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
            Some((*kind, value, rest))
        });
        let Some((kind, value, rest)) = split else {
            self.0 = &[];
            return Some(Err(ProxyError::Malformed("extension is cut off")));
        };
        self.0 = rest;
        Some(Ok((kind, value)))
    }
}

#[cfg(test)]
mod tests;
