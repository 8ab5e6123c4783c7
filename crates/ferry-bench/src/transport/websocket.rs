use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::Below;
use crate::plan::Target;

/// The client's end of a WebSocket (RFC 6455): MQTT is in binary frames [MQTT-6.0.0-1].
#[derive(Default)]
pub(crate) struct WebSocket {
    /// Bytes that have come and are not taken apart.
    input: Vec<u8>,
    /// Bytes that wait for the layer below.
    output: Vec<u8>,
    /// Of the frame whose header was read.
    payload_left: u64,
    is_asked: bool,
    is_closed: bool,
    mask: u32,
}

/// What the server has to put behind the key (section 1.3 of the RFC).
const ACCEPT_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const READ_BYTES: usize = 16 * 1024;
const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Of the server's answer to the upgrade.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0x8A;
const MASKED: u8 = 0x80;

impl WebSocket {
    /// `number` makes keys and masks.
    pub(crate) fn new(number: u32) -> Self {
        Self { mask: number.wrapping_mul(0x9E37_79B9) | 1, ..Self::default() }
    }

    /// Bytes that wait for the layer below.
    pub(super) fn wants_write(&self) -> bool {
        !self.output.is_empty()
    }

    /// Goes on with the upgrade; whether it is over.
    ///
    /// # Errors
    /// The server does not upgrade.
    pub(super) fn handshake(&mut self, target: &Target, below: &mut Below) -> io::Result<bool> {
        let key = STANDARD.encode([self.mask.to_be_bytes(); 4].concat());
        if !self.is_asked {
            self.is_asked = true;
            let request = format!(
                "GET {} HTTP/1.1\r\nHost: {}:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
                target.path, target.host, target.port
            );
            self.output.extend_from_slice(request.as_bytes());
        }
        self.flush(below)?;
        loop {
            if let Some(end) = self.input.windows(4).position(|window| window == b"\r\n\r\n") {
                let answer = String::from_utf8_lossy(&self.input[..end]).into_owned();
                self.input.drain(..end + 4);
                return check_answer(&answer, &key).map(|()| true);
            }
            if self.input.len() > ANSWER_BYTES_MAX {
                return Err(io::Error::other("a WebSocket upgrade without end"));
            }
            if !self.take_in(below)? {
                return Ok(false);
            }
        }
    }

    /// Bytes out of frames; 0 is the end.
    ///
    /// # Errors
    /// As of a non-blocking socket.
    pub(super) fn read(&mut self, below: &mut Below, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.is_closed {
                return Ok(0);
            }
            if self.payload_left > 0 && !self.input.is_empty() {
                let left = usize::try_from(self.payload_left).unwrap_or(usize::MAX);
                let count = left.min(self.input.len()).min(buffer.len());
                buffer[..count].copy_from_slice(&self.input[..count]);
                self.input.drain(..count);
                self.payload_left -= count as u64;
                return Ok(count);
            }
            if self.payload_left == 0 && self.next_frame()? {
                self.flush(below)?;
                continue;
            }
            if !self.take_in(below)? {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
    }

    /// Bytes into a frame.
    ///
    /// # Errors
    /// As of a non-blocking socket.
    pub(super) fn write(&mut self, below: &mut Below, bytes: &[u8]) -> io::Result<usize> {
        self.flush(below)?;
        if self.wants_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = bytes.len().min(FRAME_BYTES_MAX);
        self.append_frame(BINARY, &bytes[..count]);
        self.flush(below)?;
        Ok(count)
    }

    /// Writes what waits, as far as the layer below takes it.
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) fn flush(&mut self, below: &mut Below) -> io::Result<()> {
        while !self.output.is_empty() {
            match below.write(&self.output) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes the header of the next frame; whether it is there. Control frames are dealt with.
    fn next_frame(&mut self) -> io::Result<bool> {
        let [first, second, rest @ ..] = self.input.as_slice() else { return Ok(false) };
        let (length, header) = match (second & 0x7F, rest) {
            (126, [high, low, ..]) => (u64::from(u16::from_be_bytes([*high, *low])), 4),
            (127, rest) if rest.len() >= 8 => {
                (rest[..8].iter().fold(0, |value, byte| value << 8 | u64::from(*byte)), 10)
            }
            (126 | 127, _) => return Ok(false),
            (short, _) => (u64::from(short), 2),
        };
        if second & MASKED != 0 {
            return Err(io::Error::other("a masked frame from the server"));
        }
        let opcode = first & 0x0F;
        if opcode < CLOSE {
            self.payload_left = length;
            self.input.drain(..header);
            return Ok(true);
        }
        // A control frame has at most 125 bytes, and is taken as a whole.
        let end = header + usize::try_from(length).unwrap_or(usize::MAX).min(125);
        if self.input.len() < end {
            return Ok(false);
        }
        let frame: Vec<u8> = self.input.drain(..end).collect();
        match opcode {
            CLOSE => self.is_closed = true,
            PING => self.append_frame(PONG, &frame[header..]),
            _ => {}
        }
        Ok(true)
    }

    /// Reads once from below; false: there is nothing now.
    fn take_in(&mut self, below: &mut Below) -> io::Result<bool> {
        let before = self.input.len();
        self.input.resize(before + READ_BYTES, 0);
        let result = below.read(&mut self.input[before..]);
        self.input.truncate(before + result.as_ref().map_or(0, |count| *count));
        match result {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if self.input.is_empty() {
                    self.input = Vec::new();
                }
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn append_frame(&mut self, first: u8, payload: &[u8]) {
        self.output.push(first);
        match payload.len() {
            short @ 0..126 => self.output.push(MASKED | short as u8),
            medium @ 126..=0xFFFF => {
                self.output.push(MASKED | 126);
                self.output.extend_from_slice(&(medium as u16).to_be_bytes());
            }
            long => {
                self.output.push(MASKED | 127);
                self.output.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        self.mask ^= self.mask << 13;
        self.mask ^= self.mask >> 17;
        self.mask ^= self.mask << 5;
        let mask = self.mask.to_be_bytes();
        self.output.extend_from_slice(&mask);
        self.output.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    }
}

fn check_answer(answer: &str, key: &str) -> io::Result<()> {
    let status = answer.lines().next().unwrap_or_default();
    if !status.contains(" 101") {
        return Err(io::Error::other(format!("the WebSocket upgrade was answered by {status:?}")));
    }
    let accept = answer.lines().filter_map(|line| line.split_once(':'));
    let accept = accept.filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-accept"));
    let expected = STANDARD.encode(Sha1::digest(format!("{key}{ACCEPT_SUFFIX}")));
    if accept.map(|(_, value)| value.trim()).any(|value| value == expected) {
        return Ok(());
    }
    Err(io::Error::other("the WebSocket upgrade has a wrong Sec-WebSocket-Accept"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_the_server_are_taken_apart() {
        let mut socket = WebSocket::new(1);
        // Half a header, an empty frame, a ping, a frame of 200 bytes.
        socket.input = vec![0x82];
        assert!(!socket.next_frame().unwrap());
        socket.input.extend_from_slice(&[0, 0x89, 2, b'h', b'i', 0x82, 126, 0]);
        assert!(socket.next_frame().unwrap() && socket.payload_left == 0);
        assert!(socket.next_frame().unwrap());
        // PONG, masked, with the same two bytes.
        assert_eq!((socket.output[0], socket.output[1], socket.output.len()), (PONG, MASKED | 2, 8));
        assert!(!socket.next_frame().unwrap());
        socket.input.push(200);
        assert!(socket.next_frame().unwrap() && socket.payload_left == 200);
    }

    #[test]
    fn the_answer_of_the_rfc_is_right() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let answer = "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        assert!(check_answer(answer, key).is_ok());
        assert!(
            check_answer(answer, "b3RoZXI=").is_err() && check_answer("HTTP/1.1 404 No\r\n", key).is_err()
        );
    }
}
