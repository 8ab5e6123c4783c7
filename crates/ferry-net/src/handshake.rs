//! From an accepted socket to a stream: PROXY header, TLS, WebSocket upgrade, each within limits.

mod error;
mod tls;

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::time::Instant;

pub use self::error::{HandshakeError, HandshakeReason};
use crate::channel::Channel;
use crate::listener::ListenerOptions;
use crate::peer::{PeerAddress, PeerInfo, Transport};
use crate::proxy_protocol::{self, ProxyError, ProxyHeader};
use crate::sniff::{self, Expected};
use crate::socket::{ByteSocket, Socket};
use crate::stream::Stream;
use crate::websocket::WebSocket;
use crate::websocket::upgrade::{self, UpgradeOptions};

/// Bytes looked at for another protocol than expected. A CONNECT packet mostly fits.
const FIRST_BYTES_MAX: usize = 512;

/// Reads of input that nobody wants, at the end of a connection that failed.
const END_READS_MAX: usize = 64;

/// Limits of the steps before the first MQTT packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeLimits {
    /// For all steps together; cuts short those that would have more by their own limit.
    pub total_timeout: Duration,
    /// From the accepted socket, or the step before, to the first byte.
    pub first_byte_timeout: Duration,
    /// From the first byte to the end of the PROXY header. Its length is bounded by its format.
    pub proxy_header_timeout: Duration,
    /// For the TLS handshake.
    pub tls_timeout: Duration,
    /// Bytes that a client may send in the TLS handshake; certificate chains are the largest part.
    pub tls_bytes_max: usize,
    /// For the WebSocket upgrade request.
    pub upgrade_timeout: Duration,
    /// Bytes of a WebSocket upgrade request, its headers included.
    pub upgrade_bytes_max: usize,
}

impl Default for HandshakeLimits {
    fn default() -> Self {
        Self {
            total_timeout: Duration::from_secs(20),
            first_byte_timeout: Duration::from_secs(10),
            proxy_header_timeout: Duration::from_secs(5),
            tls_timeout: Duration::from_secs(10),
            tls_bytes_max: 128 * 1024,
            upgrade_timeout: Duration::from_secs(10),
            upgrade_bytes_max: 8192,
        }
    }
}

/// A reason and its detail; the peer is added at the end.
pub(crate) type Failure = (HandshakeReason, String);

/// Runs the steps in their order: PROXY, then TLS, then WebSocket.
pub(crate) async fn run(
    socket: Socket,
    address: PeerAddress,
    transport: Transport,
    websocket_path: Option<&str>,
    options: &ListenerOptions,
    admits: impl FnOnce(&PeerAddress) -> bool,
) -> Result<Stream, HandshakeError> {
    let mut peer = PeerInfo { address, proxied_by: None, transport, tls: None, proxy_tls: None };
    let mut channel = Channel::plain(socket);
    match steps(&mut channel, &mut peer, websocket_path, options, admits).await {
        Ok(()) => {
            let websocket = transport.uses_websocket().then(|| Box::new(WebSocket::new()));
            Ok(Stream::new(channel, websocket, peer))
        }
        Err((reason, detail)) => {
            end(&mut channel);
            Err(HandshakeError { reason, peer: peer.address, detail })
        }
    }
}

async fn steps(
    channel: &mut Channel,
    peer: &mut PeerInfo,
    websocket_path: Option<&str>,
    options: &ListenerOptions,
    admits: impl FnOnce(&PeerAddress) -> bool,
) -> Result<(), Failure> {
    let limits = &options.limits;
    let deadline = Instant::now() + limits.total_timeout;
    let silent = HandshakeReason::FirstByteTimeout;
    if options.proxy_protocol {
        within(deadline, limits.first_byte_timeout, silent, readable(channel)).await?;
        let step = read_proxy_header(channel);
        let header =
            within(deadline, limits.proxy_header_timeout, HandshakeReason::ProxyTimeout, step).await?;
        if let Some(source) = header.source {
            peer.proxied_by = Some(Box::new(std::mem::replace(&mut peer.address, source)));
            peer.proxy_tls = header.tls.map(Box::new);
            if !admits(&peer.address) {
                return Err((HandshakeReason::NotAdmitted, String::new()));
            }
        }
    }
    if peer.transport.uses_tls() {
        let check = check_first_bytes(channel, Expected::Tls);
        within(deadline, limits.first_byte_timeout, silent, check).await?;
        let Some(acceptor) = &options.tls else {
            return Err((HandshakeReason::TlsFailed, "the listener has no certificate".to_owned()));
        };
        let session = acceptor.start().map_err(|error| (HandshakeReason::TlsFailed, error.to_string()))?;
        let step = tls::finish(channel, session, limits.tls_bytes_max);
        within(deadline, limits.tls_timeout, HandshakeReason::TlsTimeout, step).await?;
        peer.tls = channel.tls().map(|session| Box::new(session.peer()));
    }
    if let Some(path) = websocket_path.filter(|_| peer.transport.uses_websocket()) {
        let check = check_first_bytes(channel, Expected::Http);
        within(deadline, limits.first_byte_timeout, silent, check).await?;
        let upgrade = UpgradeOptions {
            path,
            require_subprotocol: options.websocket_require_subprotocol,
            origins: &options.websocket_origins,
        };
        let step = upgrade_to_websocket(channel, &upgrade, limits.upgrade_bytes_max);
        within(deadline, limits.upgrade_timeout, HandshakeReason::UpgradeTimeout, step).await?;
    }
    Ok(())
}

/// Waits for the first bytes of MQTT, which must not be those of another protocol; they are left to be read.
pub(crate) async fn expect_mqtt(channel: &mut Channel, peer: &PeerInfo) -> Result<(), HandshakeError> {
    let checked = check_first_bytes(channel, Expected::Mqtt).await;
    checked.map_err(|(reason, detail)| {
        end(channel);
        HandshakeError { reason, peer: peer.address, detail }
    })
}

/// A step that must end in time: before its own limit, and before the deadline of all.
async fn within<T>(
    deadline: Instant,
    limit: Duration,
    late: HandshakeReason,
    step: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let started = Instant::now();
    match tokio::time::timeout_at(deadline.min(started + limit), step).await {
        Ok(result) => result,
        Err(_) => Err((late, format!("after {} ms", started.elapsed().as_millis()))),
    }
}

fn disconnected(error: &io::Error) -> Failure {
    (HandshakeReason::Disconnected, error.to_string())
}

async fn readable(channel: &Channel) -> Result<(), Failure> {
    channel.readable().await.map_err(|error| disconnected(&error))
}

/// Waits for bytes and reads them. The end of the stream is a failure in every step.
async fn read(channel: &mut Channel, scratch: &mut [u8]) -> Result<usize, Failure> {
    loop {
        readable(channel).await?;
        match channel.try_read(scratch) {
            Ok(0) => return Err((HandshakeReason::Disconnected, String::new())),
            Ok(length) => return Ok(length),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(tls::failure(&error)),
            Err(error) => return Err(disconnected(&error)),
        }
    }
}

async fn flush(channel: &mut Channel) -> Result<(), Failure> {
    while let Err(error) = channel.try_flush() {
        if error.kind() != io::ErrorKind::WouldBlock {
            return Err(disconnected(&error));
        }
        channel.writable().await.map_err(|error| disconnected(&error))?;
    }
    Ok(())
}

async fn write(channel: &mut Channel, mut bytes: &[u8]) -> Result<(), Failure> {
    while !bytes.is_empty() {
        match channel.try_write(&[], bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                channel.writable().await.map_err(|error| disconnected(&error))?;
            }
            Err(error) => return Err(disconnected(&error)),
        }
    }
    flush(channel).await
}

/// Reads a PROXY header; what follows it is left to be read.
async fn read_proxy_header(channel: &mut Channel) -> Result<ProxyHeader, Failure> {
    let mut input = Vec::new();
    let mut scratch = [0; 512];
    loop {
        let length = read(channel, &mut scratch).await?;
        input.extend_from_slice(&scratch[..length]);
        match proxy_protocol::parse(&input) {
            Ok(Some(header)) => {
                channel.unread(&input[header.length..]);
                return Ok(header);
            }
            Ok(None) => {}
            Err(error @ ProxyError::Missing) => {
                return Err((HandshakeReason::ProxyMissing, error.to_string()));
            }
            Err(error @ ProxyError::Malformed(_)) => {
                return Err((HandshakeReason::ProxyMalformed, error.to_string()));
            }
        }
    }
}

/// Looks at the first bytes for another protocol than expected; they are left to be read.
async fn check_first_bytes(channel: &mut Channel, expected: Expected) -> Result<(), Failure> {
    let mut first = [0; FIRST_BYTES_MAX];
    let length = read(channel, &mut first).await?;
    let first = &first[..length];
    let Some(reason) = sniff::wrong_protocol(expected, first) else {
        channel.unread(first);
        return Ok(());
    };
    if matches!(reason, HandshakeReason::HttpOnMqtt | HandshakeReason::HttpOnTls) {
        write(channel, upgrade::plain_response(400, reason.hint()).as_bytes()).await?;
    }
    Err((reason, String::new()))
}

/// Answers the upgrade request, or refuses it; frames that came with it are left to be read.
async fn upgrade_to_websocket(
    channel: &mut Channel,
    options: &UpgradeOptions<'_>,
    bytes_max: usize,
) -> Result<(), Failure> {
    let mut request = Vec::new();
    let mut scratch = [0; 1024];
    let refusal = loop {
        let length = read(channel, &mut scratch).await?;
        request.extend_from_slice(&scratch[..length]);
        match upgrade::parse(&request, options, bytes_max) {
            Ok(Some(upgrade)) => {
                channel.unread(&request[upgrade.request_length..]);
                return write(channel, upgrade.response().as_bytes()).await;
            }
            Ok(None) => {}
            Err(refusal) => break refusal,
        }
    };
    write(channel, refusal.response(options).as_bytes()).await?;
    channel.start_close();
    flush(channel).await?;
    Err((refusal.reason(), refusal.to_string()))
}

/// Ends our side, and takes what has come so that the kernel does not answer it with a reset, which would
/// destroy our last words on their way.
fn end(channel: &mut Channel) {
    let mut scratch = [0; 1024];
    // The connection has failed already; nothing here can make it worse.
    let _ = channel.socket().shutdown_write();
    for _ in 0..END_READS_MAX {
        if !matches!(channel.socket().try_read(&mut scratch), Ok(1..)) {
            break;
        }
    }
}
