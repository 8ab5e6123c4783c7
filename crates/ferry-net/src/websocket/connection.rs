//! The WebSocket layer of a stream: frames in, frames out, and how the input ended.

use std::io;

use super::frame::{ControlFrame, FrameDecoder, FrameError};
use super::output::Output;
use crate::channel::Channel;
use crate::socket::ByteSocket;
use crate::stream::CloseCode;

/// Reads in one call that may bring control frames only, before other connections get their turn.
const CONTROL_READS_MAX: usize = 8;

#[derive(Debug)]
pub(crate) struct WebSocket {
    decoder: FrameDecoder,
    /// What the decoder found and the driver has not been told, because payload came before it.
    verdict: Verdict,
    output: Output,
}

/// How the input ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Open,
    /// A close frame came, with this code.
    Closed(Option<u16>),
    Broken(FrameError),
}

impl WebSocket {
    pub(crate) fn new() -> Self {
        Self { decoder: FrameDecoder::default(), verdict: Verdict::Open, output: Output::default() }
    }

    pub(crate) fn has_verdict(&self) -> bool {
        self.verdict != Verdict::Open
    }

    pub(crate) fn try_read<S: ByteSocket>(
        &mut self,
        channel: &mut Channel<S>,
        scratch: &mut [u8],
    ) -> io::Result<usize> {
        for _ in 0..CONTROL_READS_MAX {
            match self.verdict {
                Verdict::Open => {}
                Verdict::Closed(_) => {
                    self.answer(channel);
                    return Ok(0);
                }
                Verdict::Broken(error) => {
                    self.answer(channel);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
            let read = channel.try_read(scratch)?;
            if read == 0 {
                return Ok(0);
            }
            let length = self.decode(&mut scratch[..read]);
            self.flush_answers(channel);
            if length > 0 {
                return Ok(length);
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    pub(crate) fn try_write<S: ByteSocket>(
        &mut self,
        channel: &mut Channel<S>,
        bytes: &[u8],
    ) -> io::Result<usize> {
        self.output.try_write(channel, bytes)
    }

    pub(crate) fn try_flush<S: ByteSocket>(&mut self, channel: &mut Channel<S>) -> io::Result<()> {
        self.output.try_flush(channel)?;
        channel.try_flush()
    }

    pub(crate) fn wants_write(&self) -> bool {
        self.output.wants_write()
    }

    pub(crate) fn start_close(&mut self, code: CloseCode) {
        self.answer_verdict();
        self.output.start_close(code as u16);
    }

    fn decode(&mut self, bytes: &mut [u8]) -> usize {
        let Self { decoder, verdict, output } = self;
        let decoded = decoder.decode(bytes, |frame| match frame {
            ControlFrame::Ping(payload) => output.answer_ping(payload),
            ControlFrame::Close(code) => *verdict = Verdict::Closed(code),
        });
        decoded.unwrap_or_else(|(length, error)| {
            *verdict = Verdict::Broken(error);
            length
        })
    }

    /// Says the close frame that the end of the input asks for. Not before the end is told: until then the
    /// answers to the packets before it may still be written.
    fn answer<S: ByteSocket>(&mut self, channel: &mut Channel<S>) {
        self.answer_verdict();
        self.flush_answers(channel);
    }

    fn answer_verdict(&mut self) {
        match self.verdict {
            Verdict::Open => {}
            Verdict::Closed(code) => self.output.answer_close(code),
            Verdict::Broken(error) => self.output.answer_close(Some(error.close_code() as u16)),
        }
    }

    fn flush_answers<S: ByteSocket>(&mut self, channel: &mut Channel<S>) {
        if self.output.wants_write() {
            // What was read must not be lost to a failure to write, which the next call finds again.
            let _ = self.try_flush(channel);
        }
    }
}
