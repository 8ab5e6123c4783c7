//! Frames on their way to the client.

use std::io;

use super::frame::{FrameHeader, encode_close, encode_pong};
use crate::channel::Channel;
use crate::socket::ByteSocket;

/// What is on its way to the client: binary frames whose payload the caller keeps, and between them answers to
/// control frames.
#[derive(Debug, Default)]
pub(super) struct Output {
    header: FrameHeader,
    header_written: usize,
    /// Bytes of payload that the header has promised and the caller is still to give; not 0 in a frame.
    payload_remaining: usize,
    /// Control frames being written.
    control: Vec<u8>,
    control_written: usize,
    /// The payload of the last ping that is not answered. Only the last one must be (RFC 6455, section 5.5.3),
    /// so a flood of pings takes no memory.
    ping: Option<Vec<u8>>,
    close_frame: CloseFrame,
    /// After the close frame the channel is to be ended.
    closing: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CloseFrame {
    #[default]
    NotDue,
    Due(Option<u16>),
    Encoded,
}

impl Output {
    /// A pong is due.
    pub(super) fn answer_ping(&mut self, payload: Vec<u8>) {
        self.ping = Some(payload);
    }

    /// The client's close frame is to be answered with its own code (RFC 6455, section 5.5.1).
    pub(super) fn answer_close(&mut self, code: Option<u16>) {
        if self.close_frame == CloseFrame::NotDue {
            self.close_frame = CloseFrame::Due(code);
        }
    }

    /// A close frame, unless there was one, and then the end.
    pub(super) fn start_close(&mut self, code: u16) {
        self.answer_close(Some(code));
        self.closing = true;
    }

    /// Whether [`Output::try_flush`] has something to do. In the middle of a frame only the caller can go on.
    pub(super) fn wants_write(&self) -> bool {
        self.closing || (self.payload_remaining == 0 && self.has_control())
    }

    /// Writes `bytes` as one frame, or as the rest of the frame that was begun with them.
    pub(super) fn try_write<S: ByteSocket>(
        &mut self,
        channel: &mut Channel<S>,
        bytes: &[u8],
    ) -> io::Result<usize> {
        if self.closing || self.close_frame != CloseFrame::NotDue {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.payload_remaining == 0 {
            self.write_control(channel)?;
            self.header = FrameHeader::binary(bytes.len());
            self.header_written = 0;
            self.payload_remaining = bytes.len();
        }
        let head = &self.header.as_bytes()[self.header_written..];
        let body = &bytes[..bytes.len().min(self.payload_remaining)];
        let written = match channel.try_write(head, body) {
            Ok(written) => written,
            Err(error) => {
                if self.header_written == 0 {
                    // Nothing is promised yet: by the next time more may have come to be sent.
                    self.payload_remaining = 0;
                }
                return Err(error);
            }
        };
        let head_written = written.min(head.len());
        self.header_written += head_written;
        let body_written = written - head_written;
        self.payload_remaining -= body_written;
        if body_written == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(body_written) }
    }

    /// Writes the control frames that are due, and tells the channel to end after [`Output::start_close`].
    pub(super) fn try_flush<S: ByteSocket>(&mut self, channel: &mut Channel<S>) -> io::Result<()> {
        if self.payload_remaining == 0 {
            self.write_control(channel)?;
        }
        if self.closing {
            // In the middle of a frame no close frame is possible: the end alone must do.
            channel.start_close();
            self.closing = false;
        }
        Ok(())
    }

    fn has_control(&self) -> bool {
        !self.control.is_empty() || self.ping.is_some() || matches!(self.close_frame, CloseFrame::Due(_))
    }

    fn write_control<S: ByteSocket>(&mut self, channel: &mut Channel<S>) -> io::Result<()> {
        while self.has_control() {
            if self.control.is_empty() {
                if let Some(payload) = self.ping.take() {
                    encode_pong(&payload, &mut self.control);
                } else if let CloseFrame::Due(code) = self.close_frame {
                    encode_close(code, &mut self.control);
                    self.close_frame = CloseFrame::Encoded;
                }
            }
            while self.control_written < self.control.len() {
                self.control_written += channel.try_write(&self.control[self.control_written..], &[])?;
            }
            // Not cleared: a waiting connection holds no buffer.
            self.control = Vec::new();
            self.control_written = 0;
        }
        Ok(())
    }
}
