//! The bytes under WebSocket: a socket, encrypted or not.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use crate::detached_socket::DetachedSocket;
use crate::socket::{ByteSocket, Socket, TlsSide};
use crate::tls::TlsSession;

/// Plaintext bytes encrypted at a time; what does not fit into the socket waits encrypted, so this bounds it.
const ENCRYPT_BYTES_MAX: usize = 32 * 1024;

/// Reads of records, 4 KiB each, that may bring no plaintext before other connections get their turn. A record
/// takes five of them; a flood of key updates brings none at all.
const RECORD_READS_MAX: usize = 32;

#[derive(Debug)]
pub(crate) struct Channel<S = Socket> {
    socket: S,
    tls: Option<Box<TlsSession>>,
    /// Decrypted bytes that a handshake step read beyond its own end; empty once they are read.
    early_input: Box<[u8]>,
    closing: Closing,
}

/// How far our side of the channel is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    Open,
    /// Everything that is left is to be written, then the socket shut down.
    Flushing,
    Shut,
}

impl Channel {
    pub(crate) fn plain(socket: Socket) -> Self {
        Self { socket, tls: None, early_input: Box::default(), closing: Closing::Open }
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        if self.has_buffered_input() {
            return Ok(());
        }
        self.socket.readable().await
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }

    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.has_buffered_input() {
            return Poll::Ready(Ok(()));
        }
        self.socket.poll_read_ready(context)
    }

    pub(crate) fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_write_ready(context)
    }

    pub(crate) fn into_detached(self) -> io::Result<Channel<DetachedSocket>> {
        let Self { socket, tls, early_input, closing } = self;
        Ok(Channel { socket: socket.into_detached()?, tls, early_input, closing })
    }
}

impl<S: ByteSocket> Channel<S> {
    pub(crate) fn socket(&self) -> &S {
        &self.socket
    }

    pub(crate) fn tls(&self) -> Option<&TlsSession> {
        self.tls.as_deref()
    }

    /// Encrypts from here on; the handshake is still to be done.
    pub(crate) fn start_tls(&mut self, session: TlsSession) {
        self.tls = Some(Box::new(session));
    }

    /// Gives back bytes that were read too far; they are the next to be read.
    pub(crate) fn unread(&mut self, bytes: &[u8]) {
        self.early_input = [bytes, &self.early_input].concat().into();
    }

    /// What was given back by [`Channel::unread`], to be taken by TLS.
    pub(crate) fn take_early_input(&mut self) -> Box<[u8]> {
        std::mem::take(&mut self.early_input)
    }

    /// Whether `try_read` has something to say although the socket may be silent.
    pub(crate) fn has_buffered_input(&self) -> bool {
        !self.early_input.is_empty() || self.tls.as_ref().is_some_and(|tls| tls.has_buffered_input())
    }

    /// Reads what has arrived. `Ok(0)`: the other end has finished, in an orderly way or not.
    pub(crate) fn try_read(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        if !self.early_input.is_empty() {
            return Ok(take_front(&mut self.early_input, scratch));
        }
        match &mut self.tls {
            None => self.socket.try_read(scratch),
            Some(tls) => try_read_tls(tls, &self.socket, scratch),
        }
    }

    /// Passes on `head` and then `body`; returns how many bytes of both together are on their way. TLS may
    /// keep up to [`ENCRYPT_BYTES_MAX`] of them encrypted until [`Channel::try_flush`] succeeds.
    pub(crate) fn try_write(&mut self, head: &[u8], body: &[u8]) -> io::Result<usize> {
        if self.closing != Closing::Open {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let Some(tls) = &mut self.tls else {
            return match (head.is_empty(), body.is_empty()) {
                (true, _) => self.socket.try_write(body),
                (_, true) => self.socket.try_write(head),
                _ => self.socket.try_write_vectored(&[IoSlice::new(head), IoSlice::new(body)]),
            };
        };
        let mut taken = 0;
        loop {
            match tls.flush(&self.socket) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && taken > 0 => return Ok(taken),
                Err(error) => return Err(error),
            }
            let (head_left, body_left) = match head.split_at_checked(taken) {
                Some((_, head_left)) => (head_left, body),
                None => (&head[..0], &body[taken - head.len()..]),
            };
            if head_left.is_empty() && body_left.is_empty() {
                return Ok(taken);
            }
            let chunk = &body_left[..body_left.len().min(ENCRYPT_BYTES_MAX)];
            // Together, so that head and body share a TLS record.
            taken += tls.write_plaintext(head_left, chunk)?;
        }
    }

    /// Writes what TLS has encrypted, and after [`Channel::start_close`] shuts the socket down.
    pub(crate) fn try_flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.flush(&self.socket)?;
        }
        if self.closing == Closing::Flushing {
            self.closing = Closing::Shut;
            self.socket.shutdown_write()?;
        }
        Ok(())
    }

    /// Whether `try_flush` has something to do.
    pub(crate) fn wants_write(&self) -> bool {
        self.closing == Closing::Flushing || self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// After what is already accepted nothing more will be written; done by [`Channel::try_flush`].
    pub(crate) fn start_close(&mut self) {
        if self.closing != Closing::Open {
            return;
        }
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.closing = Closing::Flushing;
    }

    /// Reads TLS records from the socket and processes them, once; for the handshake. `Ok(0)`: end.
    pub(crate) fn try_read_records(&mut self) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => tls.read_records(&mut TlsSide(&self.socket), &self.socket),
            None => Ok(0),
        }
    }

    /// Takes TLS records that were read before TLS started.
    pub(crate) fn process_early_records(&mut self, mut records: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while !records.is_empty() {
            tls.read_records(&mut records, &self.socket)?;
        }
        Ok(())
    }
}

impl Channel<DetachedSocket> {
    pub(crate) fn attach(self) -> io::Result<Channel> {
        let Self { socket, tls, early_input, closing } = self;
        Ok(Channel { socket: socket.attach()?, tls, early_input, closing })
    }
}

fn take_front(input: &mut Box<[u8]>, scratch: &mut [u8]) -> usize {
    let length = input.len().min(scratch.len());
    scratch[..length].copy_from_slice(&input[..length]);
    *input = input[length..].into();
    length
}

fn try_read_tls<S: ByteSocket>(tls: &mut TlsSession, socket: &S, scratch: &mut [u8]) -> io::Result<usize> {
    for _ in 0..RECORD_READS_MAX {
        match tls.read_plaintext(scratch) {
            Ok(Some(read)) => return Ok(read),
            Ok(None) => tls.read_records(&mut TlsSide(socket), socket)?,
            Err(error) => {
                // There may be an alert that tells the other end.
                let _ = tls.flush(socket);
                return Err(error);
            }
        };
    }
    Err(io::ErrorKind::WouldBlock.into())
}
