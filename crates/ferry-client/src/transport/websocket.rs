use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::BoxedStream;
use super::proxy::base64;
use crate::ConnectionError;
use crate::clock::random_seed;
use crate::session::Backoff;

/// MQTT in the binary frames of a WebSocket (RFC 6455, section 6 of both standards), seen as a stream of bytes: where a
/// frame ends means nothing `[MQTT-6.0.0-2]`.
pub(super) struct WebSocket {
    stream: BoxedStream,
    /// What was read; the part from `taken` on is not looked at yet.
    input: Vec<u8>,
    taken: usize,
    /// Of the frame whose payload is being read.
    payload_left: u64,
    output: Vec<u8>,
    written: usize,
    masks: Backoff,
    /// A close frame came or was sent.
    is_closing: bool,
}

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// Bytes of the payload of one frame that we send.
const PAYLOAD_MAX: usize = 64 * 1024;
/// Bytes that are read at once.
const INPUT_BYTES: usize = 8 * 1024;
const CONTROL_PAYLOAD_MAX: usize = 125;
/// Bytes and headers of the server's response.
const RESPONSE_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// RFC 6455, section 1.3.
const ACCEPT_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

impl WebSocket {
    /// Asks for the upgrade (RFC 6455, section 4.1).
    pub(super) async fn connect(
        mut stream: BoxedStream,
        host: &str,
        path: &str,
        headers: &[(String, String)],
    ) -> Result<Self, ConnectionError> {
        let key = base64(&[random_seed().to_ne_bytes(), random_seed().to_ne_bytes()].concat());
        // [MQTT-6.0.0-3], [MQTT3-6.0.0-3].
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n"
        );
        for (name, value) in headers {
            if [name, value].iter().any(|text| text.contains(['\r', '\n'])) {
                return Err(ConnectionError::Options("a line break in a header".to_owned()));
            }
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut input = Vec::new();
        let taken = loop {
            if input.len() > RESPONSE_BYTES_MAX {
                return Err(ConnectionError::WebSocket("the response is too long".to_owned()));
            }
            if stream.read_buf(&mut input).await? == 0 {
                return Err(ConnectionError::WebSocket("closed instead of a response".to_owned()));
            }
            if let Some(length) = check_response(&input, &key)? {
                break length;
            }
        };
        Ok(Self {
            stream,
            input,
            taken,
            payload_left: 0,
            output: Vec::new(),
            written: 0,
            masks: Backoff::new(0, 0, random_seed()),
            is_closing: false,
        })
    }

    /// A frame of a client is masked (section 5.3).
    fn push_frame(&mut self, opcode: u8, payload: &[u8]) {
        self.output.push(FIN | opcode);
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(length @ 0..=125), _) => self.output.push(MASKED | length),
            (_, Ok(length)) => {
                self.output.push(MASKED | 126);
                self.output.extend_from_slice(&length.to_be_bytes());
            }
            _ => {
                self.output.push(MASKED | 127);
                self.output.extend_from_slice(&(payload.len() as u64).to_be_bytes());
            }
        }
        let [a, b, c, d, ..] = self.masks.next_random().to_ne_bytes();
        let mask = [a, b, c, d];
        self.output.extend_from_slice(&mask);
        self.output.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    }

    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.output.len() {
            let length =
                ready!(Pin::new(&mut self.stream).poll_write(context, &self.output[self.written..]))?;
            if length == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += length;
        }
        self.output.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.drain(..self.taken);
        self.taken = 0;
        let filled = self.input.len();
        self.input.resize(filled + INPUT_BYTES, 0);
        let mut buffer = ReadBuf::new(&mut self.input[filled..]);
        let result = Pin::new(&mut self.stream).poll_read(context, &mut buffer);
        let length = buffer.filled().len();
        self.input.truncate(filled + length);
        ready!(result)?;
        Poll::Ready(Ok(length))
    }

    /// Looks at the header of the next frame, and takes a whole control frame. False if more bytes are needed.
    fn next_frame(&mut self) -> io::Result<bool> {
        let rest = &self.input[self.taken..];
        let [first, second, behind @ ..] = rest else { return Ok(false) };
        if first & 0x70 != 0 || second & MASKED != 0 {
            return Err(fault("a frame that a server must not send"));
        }
        let (opcode, length) = (first & 0x0F, second & 0x7F);
        let (header, length) = match (length, behind) {
            (126, [a, b, ..]) => (4, u64::from(u16::from_be_bytes([*a, *b]))),
            (127, [a, b, c, d, e, f, g, h, ..]) => (10, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])),
            (126 | 127, _) => return Ok(false),
            (length, _) => (2, u64::from(length)),
        };
        match opcode {
            BINARY | CONTINUATION => {
                self.taken += header;
                self.payload_left = length;
                Ok(true)
            }
            // [MQTT-6.0.0-1].
            TEXT => Err(fault("a text frame")),
            CLOSE | PING | PONG => self.control_frame(opcode, header, length),
            _ => Err(fault("an unknown kind of frame")),
        }
    }

    fn control_frame(&mut self, opcode: u8, header: usize, length: u64) -> io::Result<bool> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > CONTROL_PAYLOAD_MAX {
            return Err(fault("a control frame that is too long"));
        }
        let start = self.taken + header;
        let Some(payload) = self.input.get(start..start + length).map(<[u8]>::to_vec) else {
            return Ok(false);
        };
        self.taken = start + length;
        match opcode {
            PING => self.push_frame(PONG, &payload),
            CLOSE if !self.is_closing => {
                self.is_closing = true;
                self.push_frame(CLOSE, &payload);
            }
            _ => {}
        }
        Ok(true)
    }
}

impl AsyncRead for WebSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let available = &this.input[this.taken..];
            if this.payload_left > 0 && !available.is_empty() {
                let left = usize::try_from(this.payload_left).unwrap_or(usize::MAX);
                let length = available.len().min(left).min(buffer.remaining());
                buffer.put_slice(&available[..length]);
                this.taken += length;
                this.payload_left -= length as u64;
                return Poll::Ready(Ok(()));
            }
            if this.payload_left == 0 && this.next_frame()? {
                // A pong leaves as soon as it can; what is left of it goes with the next write.
                if let Poll::Ready(Err(error)) = this.poll_drain(context) {
                    return Poll::Ready(Err(error));
                }
                if this.is_closing {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            if ready!(this.poll_fill(context))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for WebSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_drain(context))?;
        let length = bytes.len().min(PAYLOAD_MAX);
        this.push_frame(BINARY, &bytes[..length]);
        match this.poll_drain(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // What is left is written before the next frame, or with a flush.
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(length)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(context))?;
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_closing {
            this.is_closing = true;
            // 1000: normal closure.
            this.push_frame(CLOSE, &1000_u16.to_be_bytes());
        }
        ready!(this.poll_drain(context))?;
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}

/// The length of the response, if it is there and grants the upgrade.
fn check_response(input: &[u8], key: &str) -> Result<Option<usize>, ConnectionError> {
    let refused = |why: String| Err(ConnectionError::WebSocket(why));
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(input) {
        Ok(httparse::Status::Partial) => return Ok(None),
        Ok(httparse::Status::Complete(length)) => length,
        Err(error) => return refused(format!("not a response of HTTP: {error}")),
    };
    if response.code != Some(101) {
        let code = response.code.unwrap_or_default();
        return refused(format!("the server answers {code} {}", response.reason.unwrap_or_default()));
    }
    let header = |name: &str| {
        let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.map(|header| String::from_utf8_lossy(header.value).trim().to_owned())
    };
    let accept = base64(&Sha1::digest(format!("{key}{ACCEPT_GUID}")));
    if header("Sec-WebSocket-Accept") != Some(accept) {
        return refused("the response belongs to another request".to_owned());
    }
    match header("Sec-WebSocket-Protocol").as_deref() {
        Some("mqtt") | None => Ok(Some(length)),
        Some(other) => refused(format!("the server speaks {other:?}, not mqtt")),
    }
}

fn fault(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
