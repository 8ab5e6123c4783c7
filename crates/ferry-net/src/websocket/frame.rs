//! Frames of RFC 6455, section 5: from a client, masked, in any portions; to a client, unmasked.

use std::fmt;

use crate::stream::CloseCode;

/// The longest payload of a control frame (RFC 6455, section 5.5).
const CONTROL_PAYLOAD_MAX: usize = 125;
/// Two bytes, an extended length, a masking key.
const HEADER_BYTES_MAX: usize = 2 + 8 + 4;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// Decodes what a client sends. Holds the state between two reads: part of a header, how much of a payload is
/// still to come, and the payload of an unfinished control frame; never the payload of a message.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    header: [u8; HEADER_BYTES_MAX],
    header_length: u8,
    payload: Option<Payload>,
    /// A message has begun and its last fragment has not come: only continuations and control frames may.
    in_message: bool,
    control: Vec<u8>,
    ended: bool,
}

/// The payload that is being received.
#[derive(Debug)]
struct Payload {
    opcode: u8,
    /// Rotated so that byte 0 is for the next byte of the payload.
    mask: [u8; 4],
    remaining: u64,
}

/// What a call of [`FrameDecoder::decode`] found besides payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlFrame {
    /// To be answered by a pong with the same payload.
    Ping(Vec<u8>),
    /// To be answered by a close frame; nothing after it is looked at. The code is absent in an empty frame.
    Close(Option<u16>),
}

/// A rule of RFC 6455 or of MQTT over WebSocket that the client broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameError {
    /// Reserved bits are set, but no extension was agreed on (section 5.2).
    ReservedBits,
    /// An opcode without meaning (section 5.2).
    UnknownOpcode,
    /// A client must mask every frame (section 5.1).
    Unmasked,
    /// A text message; MQTT is binary [MQTT-6.0.0-1] [MQTT3-6.0.0-1].
    Text,
    /// A continuation without a beginning, or a new message inside another (section 5.4).
    Fragmentation,
    /// A control frame in fragments or with more than 125 bytes (section 5.5).
    ControlFrame,
    /// A close frame with half a code or a code that may not be sent (section 7.4).
    CloseCode,
    /// A length not in its shortest form, or with the highest bit set (section 5.2).
    Length,
}

impl FrameError {
    /// The code for the close frame that answers it.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::Text => CloseCode::UnsupportedData,
            _ => CloseCode::ProtocolError,
        }
    }

    /// A short name for counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReservedBits => "websocket_reserved_bits",
            Self::UnknownOpcode => "websocket_unknown_opcode",
            Self::Unmasked => "websocket_unmasked",
            Self::Text => "websocket_text",
            Self::Fragmentation => "websocket_fragmentation",
            Self::ControlFrame => "websocket_control_frame",
            Self::CloseCode => "websocket_close_code",
            Self::Length => "websocket_length",
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReservedBits => "WebSocket frame with reserved bits set",
            Self::UnknownOpcode => "WebSocket frame with an unknown opcode",
            Self::Unmasked => "WebSocket frame from a client without a mask",
            Self::Text => "WebSocket text frame; MQTT needs binary frames",
            Self::Fragmentation => "WebSocket fragments out of order",
            Self::ControlFrame => "WebSocket control frame that is fragmented or longer than 125 bytes",
            Self::CloseCode => "WebSocket close frame with a code that may not be sent",
            Self::Length => "WebSocket frame length in a form that is not allowed",
        })
    }
}

impl std::error::Error for FrameError {}

impl FrameDecoder {
    /// Decodes `bytes` in place: unmasks the payload of messages and moves it to the front. Returns how many
    /// bytes of payload there are, and gives control frames to `control` in their order.
    ///
    /// Frame boundaries mean nothing to MQTT [MQTT-6.0.0-2] [MQTT3-6.0.0-2], so payloads are simply joined.
    ///
    /// # Errors
    /// The payload length that came before the violation, and the violation. Nothing may be decoded after it.
    pub fn decode(
        &mut self,
        bytes: &mut [u8],
        mut control: impl FnMut(ControlFrame),
    ) -> Result<usize, (usize, FrameError)> {
        let mut read = 0;
        let mut payload_length = 0;
        while read < bytes.len() && !self.ended {
            if self.payload.is_none() {
                read += self.take_header(&bytes[read..]).map_err(|error| (payload_length, error))?;
            }
            let Some(payload) = &mut self.payload else { continue };
            let available = u64::try_from(bytes.len() - read).unwrap_or(u64::MAX);
            let length = usize::try_from(payload.remaining.min(available)).unwrap_or(usize::MAX);
            let part = &mut bytes[read..read + length];
            unmask(part, payload.mask);
            payload.mask.rotate_left(length % 4);
            payload.remaining -= length as u64;
            if payload.opcode >= CLOSE {
                self.control.extend_from_slice(part);
            } else {
                bytes.copy_within(read..read + length, payload_length);
                payload_length += length;
            }
            read += length;
            if payload.remaining == 0 {
                let opcode = payload.opcode;
                self.payload = None;
                if let Some(frame) = self.finish_frame(opcode).map_err(|error| (payload_length, error))? {
                    control(frame);
                }
            }
        }
        Ok(payload_length)
    }

    /// Takes bytes until the header is complete; returns how many.
    fn take_header(&mut self, bytes: &[u8]) -> Result<usize, FrameError> {
        let mut taken = 0;
        for &byte in bytes {
            let at = usize::from(self.header_length);
            self.header[at] = byte;
            self.header_length += 1;
            taken += 1;
            match at {
                0 => self.check_first(byte)?,
                1 => self.check_second(byte)?,
                _ => {}
            }
            if at >= 1 && usize::from(self.header_length) == header_length(self.header[1]) {
                self.begin_payload()?;
                break;
            }
        }
        Ok(taken)
    }

    /// Checks as early as possible: the first byte may come alone.
    fn check_first(&self, first: u8) -> Result<(), FrameError> {
        if first & RESERVED != 0 {
            return Err(FrameError::ReservedBits);
        }
        match first & 0x0F {
            CONTINUATION if !self.in_message => Err(FrameError::Fragmentation),
            TEXT => Err(FrameError::Text),
            BINARY if self.in_message => Err(FrameError::Fragmentation),
            CONTINUATION | BINARY => Ok(()),
            CLOSE | PING | PONG if first & FIN == 0 => Err(FrameError::ControlFrame),
            CLOSE | PING | PONG => Ok(()),
            _ => Err(FrameError::UnknownOpcode),
        }
    }

    fn check_second(&self, second: u8) -> Result<(), FrameError> {
        if second & MASKED == 0 {
            return Err(FrameError::Unmasked);
        }
        let is_control = self.header[0] & 0x0F >= CLOSE;
        if is_control && usize::from(second & !MASKED) > CONTROL_PAYLOAD_MAX {
            return Err(FrameError::ControlFrame);
        }
        Ok(())
    }

    fn begin_payload(&mut self) -> Result<(), FrameError> {
        let header = self.header;
        let remaining = match header[1] & !MASKED {
            LENGTH_16 => {
                let length = u64::from(u16::from_be_bytes([header[2], header[3]]));
                shortest_form(length, u64::from(LENGTH_16))?
            }
            LENGTH_64 => {
                let mut extended = [0; 8];
                extended.copy_from_slice(&header[2..10]);
                shortest_form(u64::from_be_bytes(extended), 0x1_0000)?
            }
            short => u64::from(short),
        };
        let mut mask = [0; 4];
        let length = usize::from(self.header_length);
        mask.copy_from_slice(&header[length - 4..length]);
        let opcode = header[0] & 0x0F;
        if opcode < CLOSE {
            self.in_message = header[0] & FIN == 0;
        }
        self.header_length = 0;
        self.payload = Some(Payload { opcode, mask, remaining });
        Ok(())
    }

    fn finish_frame(&mut self, opcode: u8) -> Result<Option<ControlFrame>, FrameError> {
        // Taken, not cleared: a waiting connection holds no buffer.
        let payload = std::mem::take(&mut self.control);
        match opcode {
            PING => Ok(Some(ControlFrame::Ping(payload))),
            CLOSE => {
                self.ended = true;
                close_code(&payload).map(|code| Some(ControlFrame::Close(code)))
            }
            _ => Ok(None),
        }
    }
}

/// The header of an unmasked binary frame that holds a whole message.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameHeader {
    bytes: [u8; 10],
    length: u8,
}

impl FrameHeader {
    /// For a binary message of so many bytes [MQTT-6.0.0-1] [MQTT3-6.0.0-1].
    pub fn binary(payload_length: usize) -> Self {
        Self::new(BINARY, payload_length as u64)
    }

    /// The bytes to be sent before the payload.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    fn new(opcode: u8, payload_length: u64) -> Self {
        let mut bytes = [0; 10];
        bytes[0] = FIN | opcode;
        let be = payload_length.to_be_bytes();
        let length = match payload_length {
            0..=125 => {
                bytes[1] = be[7];
                2
            }
            126..=0xFFFF => {
                bytes[1] = LENGTH_16;
                bytes[2..4].copy_from_slice(&be[6..]);
                4
            }
            _ => {
                bytes[1] = LENGTH_64;
                bytes[2..].copy_from_slice(&be);
                10
            }
        };
        Self { bytes, length }
    }
}

/// Appends a pong; `payload` is that of the ping, at most 125 bytes.
pub fn encode_pong(payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(FrameHeader::new(PONG, payload.len() as u64).as_bytes());
    out.extend_from_slice(payload);
}

/// Appends a close frame.
pub fn encode_close(code: Option<u16>, out: &mut Vec<u8>) {
    let payload = code.map(u16::to_be_bytes);
    let payload = payload.as_ref().map_or(&[][..], |bytes| &bytes[..]);
    out.extend_from_slice(FrameHeader::new(CLOSE, payload.len() as u64).as_bytes());
    out.extend_from_slice(payload);
}

fn header_length(second: u8) -> usize {
    match second & !MASKED {
        LENGTH_16 => 2 + 2 + 4,
        LENGTH_64 => 2 + 8 + 4,
        _ => 2 + 4,
    }
}

fn shortest_form(length: u64, at_least: u64) -> Result<u64, FrameError> {
    if length < at_least || length > i64::MAX as u64 { Err(FrameError::Length) } else { Ok(length) }
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, FrameError> {
    match payload {
        [] => Ok(None),
        [_] => Err(FrameError::CloseCode),
        [high, low, ..] => match u16::from_be_bytes([*high, *low]) {
            // 1004 to 1006 and 1015 are never sent; below 1000 and 1016 to 2999 have no meaning (section 7.4).
            code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => Ok(Some(code)),
            _ => Err(FrameError::CloseCode),
        },
    }
}

fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let key = u32::from_ne_bytes(mask);
    let (words, rest) = bytes.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame as a client sends it.
    fn frame(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut bytes = FrameHeader::new(first & 0x0F, payload.len() as u64).as_bytes().to_vec();
        bytes[0] = first;
        bytes[1] |= MASKED;
        bytes.extend_from_slice(&mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }

    fn binary(payload: &[u8]) -> Vec<u8> {
        frame(FIN | BINARY, [1, 2, 3, 4], payload)
    }

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Decoded {
        payload: Vec<u8>,
        control: Vec<ControlFrame>,
        error: Option<FrameError>,
    }

    /// Decodes `bytes` cut into portions of the lengths in `portions`, again and again.
    fn decode_in(bytes: &[u8], portions: &[usize]) -> Decoded {
        let mut decoder = FrameDecoder::default();
        let mut decoded = Decoded::default();
        let mut rest = bytes;
        for &portion in portions.iter().cycle() {
            let (part, after) = rest.split_at(portion.min(rest.len()));
            let mut part = part.to_vec();
            match decoder.decode(&mut part, |frame| decoded.control.push(frame)) {
                Ok(length) => decoded.payload.extend_from_slice(&part[..length]),
                Err((length, error)) => {
                    decoded.payload.extend_from_slice(&part[..length]);
                    decoded.error = Some(error);
                    break;
                }
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        decoded
    }

    fn decode(bytes: &[u8]) -> Decoded {
        let whole = decode_in(bytes, &[usize::MAX]);
        assert_eq!(decode_in(bytes, &[1]), whole, "byte by byte");
        whole
    }

    #[test]
    fn packets_need_not_align_with_frames() {
        // [MQTT-6.0.0-2] [MQTT3-6.0.0-2], trap 36: a packet over several frames, several packets in one.
        let bytes =
            [binary(&[0xC0]), binary(&[0x00, 0xC0, 0x00]), binary(&[]), binary(&[0xC0, 0x00])].concat();
        assert_eq!(decode(&bytes).payload, [0xC0, 0, 0xC0, 0, 0xC0, 0]);
    }

    #[test]
    fn control_frames_come_between_fragments() {
        let bytes = [
            frame(BINARY, [9, 8, 7, 6], b"ab"),
            frame(FIN | PING, [5; 4], b"here?"),
            frame(CONTINUATION, [0; 4], b""),
            frame(FIN | PONG, [5; 4], b"unasked"),
            frame(FIN | CONTINUATION, [1, 0, 0, 0], b"cd"),
            binary(b"e"),
            frame(FIN | CLOSE, [1; 4], &[0x03, 0xE9, b'b', b'y', b'e']),
            b"what follows a close frame is not looked at".to_vec(),
        ]
        .concat();
        let decoded = decode(&bytes);
        assert_eq!(decoded.payload, b"abcde");
        assert_eq!(decoded.control, [ControlFrame::Ping(b"here?".to_vec()), ControlFrame::Close(Some(1001))]);
        assert_eq!(decoded.error, None);
    }

    #[test]
    fn a_close_frame_may_have_no_code() {
        assert_eq!(decode(&frame(FIN | CLOSE, [7; 4], b"")).control, [ControlFrame::Close(None)]);
    }

    #[test]
    fn close_codes_are_checked() {
        for (code, allowed) in [
            (999, false),
            (1000, true),
            (1004, false),
            (1005, false),
            (1006, false),
            (1015, false),
            (1016, false),
        ]
        .into_iter()
        .chain([(2999, false), (3000, true), (4999, true), (5000, false)])
        {
            let decoded = decode(&frame(FIN | CLOSE, [7; 4], &u16::to_be_bytes(code)));
            let expected = if allowed { None } else { Some(FrameError::CloseCode) };
            assert_eq!(decoded.error, expected, "{code}");
        }
        assert_eq!(decode(&frame(FIN | CLOSE, [7; 4], &[3])).error, Some(FrameError::CloseCode));
    }

    #[test]
    fn violations_are_told_after_the_payload_before_them() {
        let unmasked = [FIN | BINARY, 1, 0xC0];
        let oversized_ping = [FIN | PING, MASKED | LENGTH_16, 0, 126];
        let endless = [&[FIN | BINARY, MASKED | LENGTH_64][..], &[0xFF; 8], &[0; 4]].concat();
        let long_form_16 = [FIN | BINARY, MASKED | LENGTH_16, 0, 125, 0, 0, 0, 0];
        let long_form_64 =
            [&[FIN | BINARY, MASKED | LENGTH_64][..], &[0, 0, 0, 0, 0, 0, 0xFF, 0xFF], &[0; 4]];
        for (bad, error) in [
            (&unmasked[..], FrameError::Unmasked),
            // [MQTT-6.0.0-1] [MQTT3-6.0.0-1]
            (&frame(FIN | TEXT, [1; 4], b"\x10"), FrameError::Text),
            (&[FIN | 0x40 | BINARY], FrameError::ReservedBits),
            (&[FIN | 0x10 | BINARY], FrameError::ReservedBits),
            (&[FIN | 0x3], FrameError::UnknownOpcode),
            (&[FIN | 0xB], FrameError::UnknownOpcode),
            (&[FIN | CONTINUATION], FrameError::Fragmentation),
            (&[frame(BINARY, [1; 4], b""), binary(b"")].concat(), FrameError::Fragmentation),
            (&[PING], FrameError::ControlFrame),
            (&oversized_ping, FrameError::ControlFrame),
            (&endless, FrameError::Length),
            (&long_form_16, FrameError::Length),
            (&long_form_64.concat(), FrameError::Length),
        ] {
            let decoded = decode(&[&binary(b"before")[..], bad].concat());
            assert_eq!((decoded.error, &decoded.payload[..]), (Some(error), &b"before"[..]));
        }
        assert_eq!(FrameError::Text.close_code() as u16, 1003);
        assert_eq!(FrameError::Unmasked.close_code() as u16, 1002);
    }

    #[test]
    fn a_frame_of_any_length_takes_no_memory() {
        let mut decoder = FrameDecoder::default();
        let mut header = [&[FIN | BINARY, MASKED | LENGTH_64, 0x7F][..], &[0xFF; 7], &[0; 4]].concat();
        assert_eq!(decoder.decode(&mut header, |_| {}), Ok(0));
        for _ in 0..3 {
            assert_eq!(decoder.decode(&mut [7; 1000], |_| {}), Ok(1000));
        }
        assert_eq!(decoder.control.capacity(), 0);
    }

    #[test]
    fn headers_to_the_client_have_the_shortest_form() {
        for (length, header) in [
            (0, &[0x82, 0][..]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (0xFFFF, &[0x82, 126, 0xFF, 0xFF]),
            (0x1_0000, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            assert_eq!(FrameHeader::binary(length).as_bytes(), header);
        }
        let mut out = Vec::new();
        encode_close(None, &mut out);
        encode_close(Some(1000), &mut out);
        encode_pong(b"x", &mut out);
        assert_eq!(out, [0x88, 0, 0x88, 2, 0x03, 0xE8, 0x8A, 1, b'x']);
    }

    /// Frames as clients may send them, and the payload and pings in them.
    fn frames() -> impl Strategy<Value = (Vec<u8>, Vec<u8>, Vec<ControlFrame>)> {
        let payload = prop::collection::vec(any::<u8>(), 0..300);
        let one = (any::<[u8; 4]>(), payload, any::<bool>(), any::<bool>());
        prop::collection::vec(one, 0..12).prop_map(|parts| {
            let (mut bytes, mut joined, mut control) = (Vec::new(), Vec::new(), Vec::new());
            let mut in_message = false;
            for (mask, payload, is_ping, is_last) in parts {
                if is_ping {
                    let payload = &payload[..payload.len().min(CONTROL_PAYLOAD_MAX)];
                    bytes.extend(frame(FIN | PING, mask, payload));
                    control.push(ControlFrame::Ping(payload.to_vec()));
                } else {
                    let opcode = if in_message { CONTINUATION } else { BINARY };
                    bytes.extend(frame(if is_last { FIN | opcode } else { opcode }, mask, &payload));
                    joined.extend(payload);
                    in_message = !is_last;
                }
            }
            (bytes, joined, control)
        })
    }

    proptest! {
        #[test]
        fn portions_make_no_difference(
            (bytes, payload, control) in frames(),
            portions in prop::collection::vec(1_usize..40, 1..20),
        ) {
            let decoded = decode_in(&bytes, &portions);
            prop_assert_eq!(decoded, Decoded { payload, control, error: None });
        }

        #[test]
        fn garbage_in_portions_fails_as_it_does_whole(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            portions in prop::collection::vec(1_usize..40, 1..20),
        ) {
            prop_assert_eq!(decode_in(&bytes, &portions), decode_in(&bytes, &[usize::MAX]));
        }
    }
}
