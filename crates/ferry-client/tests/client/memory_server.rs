//! Servers in memory that say what a test wants them to.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use ferry_client::{ClientOptions, Connector, ProtocolVersion};
use ferry_codec::{Connack, ConnackProperties, DecodeLimits, Direction, Packet, ReasonCode};
use ferry_codec::{decode, encode, frame_length};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};

/// All servers that a client asks for by name; they speak 5.0.
#[derive(Clone)]
pub(crate) struct MemoryServers {
    answer: Arc<Answer>,
    /// The addresses asked for.
    asked: Arc<Mutex<Vec<String>>>,
    /// What the clients' ends were used for.
    pub(crate) uses: Arc<Uses>,
}

/// What the server at this address says to a packet. False closes the connection.
type Answer = dyn Fn(&str, &Packet<'_>, &mut Reply) -> bool + Send + Sync;

#[derive(Default)]
pub(crate) struct Reply(Vec<u8>);

/// How often something was asked of a stream.
#[derive(Default)]
pub(crate) struct Uses {
    pub(crate) reads: AtomicU64,
    pub(crate) writes: AtomicU64,
}

/// The client's end, counted.
struct Counted {
    stream: DuplexStream,
    uses: Arc<Uses>,
}

impl Reply {
    pub(crate) fn say(&mut self, packet: &Packet<'_>) {
        encode(packet, ProtocolVersion::V5, &mut self.0);
    }

    pub(crate) fn accept(&mut self) {
        self.say(&Packet::Connack(Connack::default()));
    }

    /// Refuses the connection, and names another server.
    pub(crate) fn refer(&mut self, reason_code: ReasonCode, server_reference: &str) {
        let properties =
            ConnackProperties { server_reference: Some(server_reference), ..ConnackProperties::default() };
        self.say(&Packet::Connack(Connack { reason_code, properties, ..Connack::default() }));
    }
}

impl MemoryServers {
    pub(crate) fn new(
        answer: impl Fn(&str, &Packet<'_>, &mut Reply) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { answer: Arc::new(answer), asked: Arc::default(), uses: Arc::default() }
    }

    /// Options for a client of the server with this name.
    pub(crate) fn options(&self, name: &str) -> ClientOptions {
        let servers = self.clone();
        let mut options = ClientOptions::new(&format!("mqtt://{name}")).expect("a name");
        options.transport.connector = Some(Connector::new(move |address| {
            let address = address.to_string();
            servers.asked.lock().expect("nobody panics with it").push(address.clone());
            let (near, far) = tokio::io::duplex(64 * 1024);
            tokio::spawn(serve(address, far, Arc::clone(&servers.answer)));
            std::future::ready(Ok(Counted { stream: near, uses: Arc::clone(&servers.uses) }))
        }));
        options
    }

    /// The addresses that were asked for, without their scheme.
    pub(crate) fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().expect("nobody panics with it");
        asked.iter().map(|address| address.trim_start_matches("mqtt://").to_owned()).collect()
    }
}

async fn serve(address: String, mut stream: DuplexStream, answer: Arc<Answer>) -> io::Result<()> {
    let mut input = Vec::new();
    loop {
        while let Ok(Some(length)) = frame_length(&input, &DecodeLimits::UNLIMITED)
            && length <= input.len()
        {
            let mut reply = Reply::default();
            let goes_on = {
                let (version, limits) = (ProtocolVersion::V5, &DecodeLimits::UNLIMITED);
                let packet = decode(&input[..length], version, Direction::FromClient, limits);
                answer(&address, &packet.expect("what a client may send"), &mut reply)
            };
            input.drain(..length);
            stream.write_all(&reply.0).await?;
            if !goes_on {
                return Ok(());
            }
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.uses.reads.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.uses.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
