//! An encrypted connection, whichever library encrypts it.

use std::io::{self, BufRead, IoSlice, Read, Write};

use rustls::ServerConnection;

use super::TlsPeer;
#[cfg(feature = "psk")]
use super::psk::PskSession;
use crate::socket::{ByteSocket, TlsSide};

/// The server's side of TLS. It never touches the socket by itself: records go in and come out here.
#[derive(Debug)]
#[cfg_attr(
    feature = "psk",
    expect(
        clippy::large_enum_variant,
        reason = "boxed as a whole, so that a plain connection keeps one word"
    )
)]
pub(crate) enum TlsSession {
    /// By rustls.
    Certificate(ServerConnection),
    /// By OpenSSL.
    #[cfg(feature = "psk")]
    Psk(PskSession),
}

impl TlsSession {
    pub(crate) fn is_handshaking(&self) -> bool {
        match self {
            Self::Certificate(connection) => connection.is_handshaking(),
            #[cfg(feature = "psk")]
            Self::Psk(session) => session.is_handshaking(),
        }
    }

    /// What the handshake agreed on, once it is over.
    pub(crate) fn peer(&self) -> TlsPeer {
        match self {
            Self::Certificate(connection) => TlsPeer::from_connection(connection),
            #[cfg(feature = "psk")]
            Self::Psk(session) => session.peer(),
        }
    }

    /// Whether [`TlsSession::read_plaintext`] has something to say without more records.
    pub(crate) fn has_buffered_input(&self) -> bool {
        match self {
            Self::Certificate(connection) => !connection.wants_read(),
            #[cfg(feature = "psk")]
            Self::Psk(session) => session.has_buffered_input(),
        }
    }

    /// Whether [`TlsSession::flush`] has something to do.
    pub(crate) fn wants_write(&self) -> bool {
        match self {
            Self::Certificate(connection) => connection.wants_write(),
            #[cfg(feature = "psk")]
            Self::Psk(session) => session.wants_write(),
        }
    }

    /// Reads records, once; returns how many bytes there were. `Ok(0)`: the end.
    pub(crate) fn read_records<S: ByteSocket>(
        &mut self,
        input: &mut dyn Read,
        socket: &S,
    ) -> io::Result<usize> {
        let (read, processed) = match self {
            Self::Certificate(connection) => {
                let read = connection.read_tls(input)?;
                let processed = connection.process_new_packets();
                let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
                (read, processed.map(drop).map_err(invalid))
            }
            #[cfg(feature = "psk")]
            Self::Psk(session) => (session.read_records(input)?, session.handshake()),
        };
        // The answer may be an alert or a key update; whatever does not fit is left for a later flush. What was read
        // must not be lost to a failure to write, which the next call finds again.
        let _ = self.flush(socket);
        processed.map(|()| read)
    }

    /// Decrypted bytes, as many as there are. `None`: more records are needed. `Some(0)`: the end, in an orderly way or
    /// not.
    pub(crate) fn read_plaintext(&mut self, scratch: &mut [u8]) -> io::Result<Option<usize>> {
        match self {
            Self::Certificate(connection) => read_plaintext(connection, scratch),
            #[cfg(feature = "psk")]
            Self::Psk(session) => session.read_plaintext(scratch),
        }
    }

    /// Encrypts `head` and then `body`, together, so that they share a record; returns how many bytes of both were
    /// taken.
    pub(crate) fn write_plaintext(&mut self, head: &[u8], body: &[u8]) -> io::Result<usize> {
        match self {
            Self::Certificate(connection) => {
                connection.writer().write_vectored(&[IoSlice::new(head), IoSlice::new(body)])
            }
            #[cfg(feature = "psk")]
            Self::Psk(session) => session.write_plaintext(head, body),
        }
    }

    pub(crate) fn send_close_notify(&mut self) {
        match self {
            Self::Certificate(connection) => connection.send_close_notify(),
            #[cfg(feature = "psk")]
            Self::Psk(session) => session.send_close_notify(),
        }
    }

    /// Writes the records that are here.
    pub(crate) fn flush<S: ByteSocket>(&mut self, socket: &S) -> io::Result<()> {
        while self.wants_write() {
            let written = match self {
                Self::Certificate(connection) => connection.write_tls(&mut TlsSide(socket))?,
                #[cfg(feature = "psk")]
                Self::Psk(session) => session.write_records(&mut TlsSide(socket))?,
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

fn read_plaintext(connection: &mut ServerConnection, scratch: &mut [u8]) -> io::Result<Option<usize>> {
    let mut read = 0;
    let mut reader = connection.reader();
    // Several records are joined: one call decodes all that has been decrypted.
    while read < scratch.len() {
        match reader.fill_buf() {
            Ok([]) => return Ok(Some(read)),
            Ok(plaintext) => {
                let length = plaintext.len().min(scratch.len() - read);
                scratch[read..read + length].copy_from_slice(&plaintext[..length]);
                reader.consume(length);
                read += length;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            // Many clients just close the socket; MQTT itself tells how long a packet is.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(read)),
            Err(error) => return Err(error),
        }
    }
    Ok((read > 0 || scratch.is_empty()).then_some(read))
}
