//! The opening handshake of RFC 6455, section 4.2: an HTTP request in, the response out. Pure.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::origin::OriginRule;
use crate::handshake::HandshakeReason;

/// Headers of a request; browsers send about 15.
const HEADERS_MAX: usize = 64;
/// Characters of an origin that are repeated in a refusal and in the log.
const ORIGIN_SHOWN_MAX: usize = 200;
/// RFC 6455, section 1.3.
const ACCEPT_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What the listener wants of an upgrade request.
#[derive(Clone, Copy, Debug)]
pub struct UpgradeOptions<'a> {
    /// The path to be asked for, such as `/mqtt`.
    pub path: &'a str,
    /// Refuse clients that offer no subprotocol at all [MQTT-6.0.0-3] [MQTT3-6.0.0-3].
    pub require_subprotocol: bool,
    /// Web pages that may connect; only browsers, and few other clients, send an origin.
    pub origins: &'a [OriginRule],
}

/// A request that is to be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// Bytes of the request; what follows are frames.
    pub request_length: usize,
    /// The subprotocol chosen; none if none was offered.
    pub subprotocol: Option<Subprotocol>,
    accept: String,
}

/// A name for MQTT in `Sec-WebSocket-Protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subprotocol {
    /// `mqtt` [MQTT-6.0.0-4] [MQTT3-6.0.0-4], of MQTT 3.1.1 and 5.0.
    Mqtt,
    /// `mqttv3.1`, of older clients.
    MqttV31,
}

impl Subprotocol {
    /// The name as it is sent.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::MqttV31 => "mqttv3.1",
        }
    }
}

/// Why an upgrade is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpgradeRefusal {
    /// Not HTTP/1.1, or something that an upgrade needs is missing or wrong.
    Malformed(&'static str),
    /// More bytes or headers than allowed.
    TooLarge,
    /// HTTP, but no upgrade: a browser perhaps.
    NotUpgrade,
    /// Another path.
    Path,
    /// Another version than 13.
    Version,
    /// Neither `mqtt` nor `mqttv3.1` is offered.
    Subprotocol,
    /// A web page of this origin, which is not allowed (section 10.2).
    Origin(Box<str>),
}

impl Upgrade {
    /// The response that grants it.
    pub fn response(&self) -> String {
        let mut response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n",
            self.accept
        );
        if let Some(subprotocol) = self.subprotocol {
            response.push_str("Sec-WebSocket-Protocol: ");
            response.push_str(subprotocol.name());
            response.push_str("\r\n");
        }
        response.push_str("\r\n");
        response
    }
}

impl UpgradeRefusal {
    /// What to count.
    pub const fn reason(&self) -> HandshakeReason {
        match self {
            Self::Malformed(_) => HandshakeReason::UpgradeMalformed,
            Self::TooLarge => HandshakeReason::UpgradeTooLarge,
            Self::NotUpgrade => HandshakeReason::UpgradeMissing,
            Self::Path => HandshakeReason::UpgradePath,
            Self::Version => HandshakeReason::UpgradeVersion,
            Self::Subprotocol => HandshakeReason::UpgradeSubprotocol,
            Self::Origin(_) => HandshakeReason::UpgradeOrigin,
        }
    }

    /// The HTTP status of the refusal.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Subprotocol => 400,
            Self::Origin(_) => 403,
            Self::Path => 404,
            Self::NotUpgrade | Self::Version => 426,
            Self::TooLarge => 431,
        }
    }

    /// The response that tells it.
    pub fn response(&self, options: &UpgradeOptions<'_>) -> String {
        let text = match self {
            Self::NotUpgrade | Self::Path => format!(
                "This is an MQTT broker. Connect with an MQTT client over WebSocket to path {}, \
                 subprotocol mqtt.",
                options.path
            ),
            Self::Subprotocol => {
                "Offer the WebSocket subprotocol mqtt. (Clients that offer none are let in by a \
                                  listener with websocket_subprotocol_required = false.)"
                    .to_owned()
            }
            other => other.to_string(),
        };
        plain_response(self.status(), &text)
    }
}

impl fmt::Display for UpgradeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(detail) => write!(f, "Not a WebSocket upgrade: {detail}."),
            Self::TooLarge => f.write_str("Request too large."),
            Self::NotUpgrade => f.write_str("Not a WebSocket upgrade."),
            Self::Path => f.write_str("Nothing at this path."),
            Self::Version => f.write_str("Only version 13 of WebSocket is spoken here."),
            Self::Subprotocol => f.write_str("Neither mqtt nor mqttv3.1 is offered."),
            Self::Origin(origin) => write!(
                f,
                "Web pages of {origin} may not connect here; add it to websocket_origins of this listener."
            ),
        }
    }
}

impl std::error::Error for UpgradeRefusal {}

/// Parses the request at the front of `input`. `Ok(None)`: more bytes are needed.
///
/// # Errors
/// The request is to be refused; also if it needs more than `bytes_max` bytes.
pub fn parse(
    input: &[u8],
    options: &UpgradeOptions<'_>,
    bytes_max: usize,
) -> Result<Option<Upgrade>, UpgradeRefusal> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let request_length = match request.parse(input) {
        Ok(httparse::Status::Complete(length)) if length <= bytes_max => length,
        Ok(httparse::Status::Partial) if input.len() < bytes_max => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(UpgradeRefusal::TooLarge),
        Err(_) => return Err(UpgradeRefusal::Malformed("not HTTP/1.1")),
    };
    if !has_token(&request, "Upgrade", "websocket") {
        return Err(UpgradeRefusal::NotUpgrade);
    }
    if request.method != Some("GET") {
        return Err(UpgradeRefusal::Malformed("the method is not GET"));
    }
    if request.version != Some(1) {
        return Err(UpgradeRefusal::Malformed("the version of HTTP is not 1.1"));
    }
    if !has_token(&request, "Connection", "Upgrade") {
        return Err(UpgradeRefusal::Malformed("header Connection does not say Upgrade"));
    }
    let target = request.path.unwrap_or_default();
    if target.split('?').next() != Some(options.path) {
        return Err(UpgradeRefusal::Path);
    }
    if sole_value(&request, "Sec-WebSocket-Version") != Some(b"13") {
        return Err(UpgradeRefusal::Version);
    }
    if let Some(stranger) = stranger(&request, options.origins) {
        return Err(UpgradeRefusal::Origin(stranger));
    }
    let subprotocol = choose_subprotocol(&request, options)?;
    let accept = accept(&request)?;
    Ok(Some(Upgrade { request_length, subprotocol, accept }))
}

/// A whole response with a short text.
pub fn plain_response(status: u16, text: &str) -> String {
    let phrase = match status {
        403 => "Forbidden",
        404 => "Not Found",
        426 => "Upgrade Required",
        431 => "Request Header Fields Too Large",
        _ => "Bad Request",
    };
    // 426 must name what to upgrade to (RFC 9110, section 15.5.22; RFC 6455, section 4.4).
    let upgrade = match status {
        426 => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: Upgrade, close\r\n",
        _ => "Connection: close\r\n",
    };
    format!(
        "HTTP/1.1 {status} {phrase}\r\n{upgrade}Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\n\r\n{text}\n",
        text.len() + 1
    )
}

fn values<'a>(request: &'a httparse::Request<'_, '_>, name: &str) -> impl Iterator<Item = &'a [u8]> {
    request
        .headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value.trim_ascii())
}

/// The elements of a list, which may be spread over several headers (RFC 9110, section 5.3).
fn elements<'a>(request: &'a httparse::Request<'_, '_>, name: &str) -> impl Iterator<Item = &'a [u8]> {
    values(request, name)
        .flat_map(|value| value.split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

fn has_token(request: &httparse::Request<'_, '_>, name: &str, token: &str) -> bool {
    elements(request, name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

fn sole_value<'a>(request: &'a httparse::Request<'_, '_>, name: &str) -> Option<&'a [u8]> {
    let mut values = values(request, name);
    values.next().filter(|_| values.next().is_none())
}

/// The web page that sent the request, if it may not connect, fit to be printed.
fn stranger(request: &httparse::Request<'_, '_>, allowed: &[OriginRule]) -> Option<Box<str>> {
    let origin = values(request, "Origin").find(|origin| !allowed.iter().any(|rule| rule.admits(origin)))?;
    let printable = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' };
    Some(origin.iter().take(ORIGIN_SHOWN_MAX).map(printable).collect())
}

/// `mqtt` before `mqttv3.1`, whatever their order: the server chooses [MQTT-6.0.0-4].
fn choose_subprotocol(
    request: &httparse::Request<'_, '_>,
    options: &UpgradeOptions<'_>,
) -> Result<Option<Subprotocol>, UpgradeRefusal> {
    let mut offered = false;
    let mut chosen = None;
    for element in elements(request, "Sec-WebSocket-Protocol") {
        offered = true;
        if element == Subprotocol::Mqtt.name().as_bytes() {
            return Ok(Some(Subprotocol::Mqtt));
        }
        if element == Subprotocol::MqttV31.name().as_bytes() {
            chosen = Some(Subprotocol::MqttV31);
        }
    }
    if chosen.is_none() && (offered || options.require_subprotocol) {
        return Err(UpgradeRefusal::Subprotocol);
    }
    Ok(chosen)
}

/// The value of `Sec-WebSocket-Accept`.
fn accept(request: &httparse::Request<'_, '_>) -> Result<String, UpgradeRefusal> {
    let key = sole_value(request, "Sec-WebSocket-Key")
        .filter(|key| STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16))
        .ok_or(UpgradeRefusal::Malformed("header Sec-WebSocket-Key is not 16 bytes in base64"))?;
    let digest = Sha1::new().chain_update(key).chain_update(ACCEPT_GUID).finalize();
    Ok(STANDARD.encode(digest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPTIONS: UpgradeOptions<'_> =
        UpgradeOptions { path: "/mqtt", require_subprotocol: true, origins: &[OriginRule::Any] };
    const BYTES_MAX: usize = 8192;

    /// The example of RFC 6455, section 1.2, for MQTT.
    const REQUEST: &str = "GET /mqtt HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
        Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n\r\n";

    fn examine(request: &str) -> Result<Option<Upgrade>, UpgradeRefusal> {
        parse(request.as_bytes(), &OPTIONS, BYTES_MAX)
    }

    fn with_subprotocols(headers: &str) -> Result<Option<Subprotocol>, UpgradeRefusal> {
        let request = REQUEST.replace("Sec-WebSocket-Protocol: mqtt\r\n", headers);
        examine(&request).map(|upgrade| upgrade.expect("complete").subprotocol)
    }

    #[test]
    fn the_example_of_the_standard_is_answered_as_there() {
        let upgrade = examine(REQUEST).expect("granted").expect("complete");
        assert_eq!(upgrade.request_length, REQUEST.len());
        assert_eq!(
            upgrade.response(),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
        );
    }

    #[test]
    fn exactly_one_subprotocol_is_chosen() {
        // [MQTT-6.0.0-3] [MQTT-6.0.0-4] [MQTT3-6.0.0-3] [MQTT3-6.0.0-4]; trap 36.
        use Subprotocol::{Mqtt, MqttV31};
        for (headers, chosen) in [
            ("Sec-WebSocket-Protocol: mqttv3.1\r\n", Ok(Some(MqttV31))),
            ("Sec-WebSocket-Protocol: mqttv3.1, mqtt\r\n", Ok(Some(Mqtt))),
            ("Sec-WebSocket-Protocol:chat ,  mqtt\r\n", Ok(Some(Mqtt))),
            ("Sec-WebSocket-Protocol: chat\r\nSEC-WEBSOCKET-PROTOCOL: mqtt\r\n", Ok(Some(Mqtt))),
            ("Sec-WebSocket-Protocol: foo\r\n", Err(UpgradeRefusal::Subprotocol)),
            ("Sec-WebSocket-Protocol: mqttx,mqt t\r\n", Err(UpgradeRefusal::Subprotocol)),
            ("", Err(UpgradeRefusal::Subprotocol)),
        ] {
            assert_eq!(with_subprotocols(headers), chosen, "{headers}");
        }
    }

    #[test]
    fn a_client_without_subprotocols_may_be_let_in() {
        let options = UpgradeOptions { require_subprotocol: false, ..OPTIONS };
        let request = REQUEST.replace("Sec-WebSocket-Protocol: mqtt\r\n", "");
        let upgrade = parse(request.as_bytes(), &options, BYTES_MAX).expect("granted").expect("complete");
        assert_eq!(upgrade.subprotocol, None);
        assert!(!upgrade.response().contains("Sec-WebSocket-Protocol"));
        let request = REQUEST.replace("Protocol: mqtt", "Protocol: foo");
        assert_eq!(parse(request.as_bytes(), &options, BYTES_MAX), Err(UpgradeRefusal::Subprotocol));
    }

    #[test]
    fn what_clients_write_differently_is_understood() {
        for (from, to) in [
            ("Connection: Upgrade", "connection: keep-alive, upgrade"),
            ("Upgrade: websocket", "UPGRADE: WebSocket"),
            ("GET /mqtt ", "GET /mqtt?token=1 "),
        ] {
            assert!(matches!(examine(&REQUEST.replace(from, to)), Ok(Some(_))), "{to}");
        }
    }

    #[test]
    fn refusals_have_their_status() {
        for (from, to, status) in [
            ("GET /mqtt ", "GET / ", 404),
            ("GET /mqtt ", "GET /mqtt/ ", 404),
            ("GET ", "POST ", 400),
            ("HTTP/1.1", "HTTP/1.0", 400),
            ("Version: 13", "Version: 8", 426),
            ("Sec-WebSocket-Version: 13\r\n", "", 426),
            ("Upgrade: websocket\r\n", "", 426),
            ("Connection: Upgrade\r\n", "", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "?", 400),
            ("Sec-WebSocket-Key", "Sec-WebSocket-Kez", 400),
            ("Protocol: mqtt", "Protocol: amqp", 400),
            ("GET /mqtt HTTP/1.1", "\x10\x0c\0\x04MQTT", 400),
        ] {
            let refusal = examine(&REQUEST.replace(from, to)).expect_err(to);
            let response = refusal.response(&OPTIONS);
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{to}: {response}");
            assert_eq!(response.contains("Sec-WebSocket-Version: 13\r\n"), status == 426, "{response}");
        }
    }

    #[test]
    fn a_browser_is_told_what_this_is() {
        let refusal = examine("GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect_err("no upgrade");
        let response = refusal.response(&OPTIONS);
        let (head, body) = response.split_once("\r\n\r\n").expect("a body");
        assert!(body.starts_with("This is an MQTT broker."), "{body}");
        assert!(body.contains("/mqtt"), "{body}");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    }

    #[test]
    fn only_allowed_pages_connect() {
        let allowed = [OriginRule::Local, "http://EXAMPLE.com".parse().expect("an origin")];
        let options = UpgradeOptions { origins: &allowed, ..OPTIONS };
        assert!(parse(REQUEST.as_bytes(), &options, BYTES_MAX).is_ok());
        let stranger = REQUEST.replace("example.com\r\nSec", "evil.example\r\nSec");
        let refusal = parse(stranger.as_bytes(), &options, BYTES_MAX).expect_err("a stranger");
        assert_eq!(refusal, UpgradeRefusal::Origin("http://evil.example".into()));
        let response = refusal.response(&options);
        assert!(response.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{response}");
        assert!(response.contains("add it to websocket_origins"), "{response}");
        let two = REQUEST.replace("Origin:", "Origin: http://localhost\r\nOrigin: http://a.example\r\nX:");
        assert!(parse(two.as_bytes(), &options, BYTES_MAX).is_err(), "one page and one stranger");
        let no_browser = REQUEST.replace("Origin: http://example.com\r\n", "");
        assert!(parse(no_browser.as_bytes(), &options, BYTES_MAX).is_ok());
    }

    #[test]
    fn endless_requests_end() {
        let cookie = format!("Cookie: {}", "x".repeat(BYTES_MAX));
        assert_eq!(examine(&REQUEST.replace("Host", &cookie)), Err(UpgradeRefusal::TooLarge));
        assert_eq!(examine(&format!("GET /mqtt HTTP/1.1\r\n{cookie}")), Err(UpgradeRefusal::TooLarge));
        let headers = "A: b\r\n".repeat(HEADERS_MAX);
        assert_eq!(
            examine(&REQUEST.replace("Host", &format!("{headers}Host"))),
            Err(UpgradeRefusal::TooLarge)
        );
    }

    proptest! {
        #[test]
        fn a_request_in_portions_is_incomplete_until_its_end(at in 0_usize..1000, frames: Vec<u8>) {
            let at = at % REQUEST.len();
            prop_assert_eq!(examine(&REQUEST[..at]), Ok(None));
            let bytes = [REQUEST.as_bytes(), &frames].concat();
            let upgrade = parse(&bytes, &OPTIONS, BYTES_MAX);
            prop_assert_eq!(upgrade.map(|found| found.map(|one| one.request_length)), Ok(Some(REQUEST.len())));
        }

        #[test]
        fn garbage_is_refused_or_incomplete(at in 0_usize..1000, garbage: Vec<u8>) {
            let mut bytes = REQUEST.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes.splice(at..at, garbage);
            let _ = parse(&bytes, &OPTIONS, BYTES_MAX);
        }
    }
}
