use std::io::{self, Read, Write};

use openssl::ssl::{Error, ErrorCode, NameType, Ssl, SslStream, SslVersion};

use super::context::claim_index;
use super::{super::TlsPeer, super::TlsVersion, PskFailure};

/// Bytes of records read at a time.
const READ_BYTES: usize = 4096;

/// One connection. What OpenSSL reads and writes is in memory.
#[derive(Debug)]
pub(crate) struct PskSession {
    stream: SslStream<Records>,
    is_established: bool,
    /// How the input has ended, if that is not told yet.
    end: Option<End>,
}

/// How the input of a connection ends.
#[derive(Debug)]
enum End {
    /// With a `close_notify`, or with that of the socket: many clients just close it, and MQTT itself tells how long a
    /// packet is.
    Closed,
    Broken(PskFailure),
}

/// Records that have come and are not taken, and those that are to be sent.
#[derive(Debug, Default)]
struct Records {
    input: Vec<u8>,
    input_taken: usize,
    has_ended: bool,
    output: Vec<u8>,
    output_written: usize,
}

impl PskSession {
    pub(super) fn new(ssl: Ssl) -> io::Result<Self> {
        Ok(Self { stream: SslStream::new(ssl, Records::default())?, is_established: false, end: None })
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        !self.is_established
    }

    pub(crate) fn has_buffered_input(&self) -> bool {
        self.end.is_some() || self.stream.ssl().pending() > 0 || self.stream.get_ref().has_input()
    }

    pub(crate) fn wants_write(&self) -> bool {
        let records = self.stream.get_ref();
        records.output_written < records.output.len()
    }

    pub(crate) fn peer(&self) -> TlsPeer {
        let ssl = self.stream.ssl();
        let claim = claim_index().ok().and_then(|index| ssl.ex_data(index));
        let alpn = ssl.selected_alpn_protocol();
        TlsPeer {
            version: match ssl.version2() {
                Some(SslVersion::TLS1_3) => TlsVersion::V13,
                _ => TlsVersion::V12,
            },
            cipher_suite: ssl.current_cipher().and_then(|cipher| cipher.standard_name()),
            alpn: alpn.map(|name| String::from_utf8_lossy(name).into_owned()),
            server_name: ssl.servername(NameType::HOST_NAME).map(str::to_owned),
            certificates: Vec::new(),
            common_name: None,
            psk_identity: claim.filter(|claim| claim.is_known).map(|claim| claim.identity.clone()),
        }
    }

    /// Reads records, once. `Ok(0)`: the end.
    pub(crate) fn read_records(&mut self, input: &mut dyn Read) -> io::Result<usize> {
        let mut scratch = [0; READ_BYTES];
        let read = input.read(&mut scratch)?;
        let records = self.stream.get_mut();
        records.has_ended = read == 0;
        records.input.extend_from_slice(&scratch[..read]);
        Ok(read)
    }

    pub(crate) fn write_records(&mut self, output: &mut dyn Write) -> io::Result<usize> {
        let records = self.stream.get_mut();
        let written = output.write(&records.output[records.output_written..])?;
        records.output_written += written;
        if records.output_written == records.output.len() {
            (records.output, records.output_written) = (Vec::new(), 0);
        }
        Ok(written)
    }

    /// Goes on with the handshake, if it is not over, as far as the records lead.
    pub(crate) fn handshake(&mut self) -> io::Result<()> {
        if self.is_established {
            return Ok(());
        }
        match self.stream.accept() {
            Ok(()) => self.is_established = true,
            Err(error) if error.code() == ErrorCode::WANT_READ || self.stream.get_ref().has_ended => {}
            Err(error) => return Err(invalid(PskFailure::of_handshake(&error, self.stream.ssl()))),
        }
        Ok(())
    }

    /// As [`TlsSession::read_plaintext`](crate::tls::TlsSession::read_plaintext).
    pub(crate) fn read_plaintext(&mut self, scratch: &mut [u8]) -> io::Result<Option<usize>> {
        let mut read = 0;
        while read < scratch.len() && self.end.is_none() {
            match self.stream.ssl_read(&mut scratch[read..]) {
                Ok(length) => read += length,
                Err(error) if error.code() == ErrorCode::WANT_READ => break,
                Err(error) => self.end = Some(self.end_of(&error)),
            }
        }
        if read > 0 || scratch.is_empty() {
            return Ok(Some(read));
        }
        match self.end.take() {
            None => Ok(None),
            Some(End::Closed) => Ok(Some(0)),
            Some(End::Broken(failure)) => Err(invalid(failure)),
        }
    }

    fn end_of(&self, error: &Error) -> End {
        if error.code() == ErrorCode::ZERO_RETURN || self.stream.get_ref().has_ended {
            End::Closed
        } else {
            End::Broken(PskFailure::new(error))
        }
    }

    /// As [`TlsSession::write_plaintext`](crate::tls::TlsSession::write_plaintext).
    pub(crate) fn write_plaintext(&mut self, head: &[u8], body: &[u8]) -> io::Result<usize> {
        let joined;
        let bytes = match head.is_empty() {
            true => body,
            false => {
                joined = [head, body].concat();
                &joined
            }
        };
        if bytes.is_empty() {
            return Ok(0);
        }
        self.stream.ssl_write(bytes).map_err(|error| invalid(PskFailure::new(&error)))
    }

    pub(crate) fn send_close_notify(&mut self) {
        // Fails before the end of the handshake, when there is nobody to be told.
        let _ = self.stream.shutdown();
    }
}

fn invalid(failure: PskFailure) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, failure)
}

impl Records {
    fn has_input(&self) -> bool {
        self.input_taken < self.input.len()
    }
}

impl Read for Records {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = &self.input[self.input_taken..];
        if left.is_empty() {
            return if self.has_ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let length = left.len().min(buffer.len());
        buffer[..length].copy_from_slice(&left[..length]);
        self.input_taken += length;
        if !self.has_input() {
            (self.input, self.input_taken) = (Vec::new(), 0);
        }
        Ok(length)
    }
}

impl Write for Records {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
