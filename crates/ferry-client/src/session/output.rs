use std::sync::Arc;

use ferry_codec::wire_shape::encode_publish_head;
use ferry_codec::{ProtocolVersion, Publish};
use ferry_session::Message;

/// What is to be sent, in its order. A large payload is not copied into it, but given out piece by piece.
#[derive(Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    /// Comes behind them.
    payload: Option<Payload>,
    /// Comes behind the payload; empty without one.
    behind: Vec<u8>,
}

/// A payload that is being sent.
struct Payload {
    message: Arc<Message>,
    given_bytes: usize,
}

/// Bytes of a piece, and of the smallest payload that is sent in pieces.
pub(super) const PIECE_BYTES: usize = 256 * 1024;

impl Output {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.payload.is_none()
    }

    /// Whether messages had better wait where they are.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= PIECE_BYTES || self.payload.is_some()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.payload = None;
        self.behind = Vec::new();
    }

    /// Where the next packet is to be written.
    pub(super) fn end(&mut self) -> &mut Vec<u8> {
        if self.payload.is_some() { &mut self.behind } else { &mut self.bytes }
    }

    /// Appends a PUBLISH of this message without copying its payload. There must be no other one that is being sent.
    pub(super) fn append_in_pieces(
        &mut self,
        publish: &Publish<'_>,
        version: ProtocolVersion,
        message: &Arc<Message>,
    ) {
        debug_assert!(self.payload.is_none(), "it is full");
        encode_publish_head(publish, version, &mut self.bytes);
        self.payload = Some(Payload { message: Arc::clone(message), given_bytes: 0 });
    }

    /// Gives what comes next, in exchange for an empty buffer. True if it was a piece of a payload.
    pub(super) fn take(&mut self, buffer: &mut Vec<u8>) -> bool {
        let is_piece = self.bytes.is_empty() && self.payload.is_some();
        if let Some(payload) = self.payload.as_mut().filter(|_| is_piece) {
            let rest = payload.message.payload.get(payload.given_bytes..).unwrap_or_default();
            let piece = &rest[..rest.len().min(PIECE_BYTES)];
            self.bytes.extend_from_slice(piece);
            payload.given_bytes += piece.len();
            if piece.len() == rest.len() {
                self.payload = None;
                self.bytes.append(&mut self.behind);
            }
        }
        std::mem::swap(&mut self.bytes, buffer);
        is_piece
    }
}
