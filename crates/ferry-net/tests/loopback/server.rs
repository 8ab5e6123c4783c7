//! The broker's side of a test: listens, shakes hands, reads and writes.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ferry_net::{BindOptions, BoundListener, CloseCode, HandshakeError, Listener, ListenerOptions, Stream};

/// A test that waits longer than this for something has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a test on a runtime like that of a shard.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("the test hangs") })
}

/// Listens; needs the runtime of [`run`].
pub(crate) fn listen(address: &str) -> Listener {
    let address = address.parse().expect("an address");
    let bound = BoundListener::bind(&address, &BindOptions::default()).expect("a free port");
    bound.attach().expect("registers")
}

/// Where clients on this machine find the listener by IPv4.
pub(crate) fn ipv4(listener: &Listener) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port(listener)).into()
}

pub(crate) fn port(listener: &Listener) -> u16 {
    listener.address().host_port().expect("not a Unix socket").port
}

pub(crate) async fn accept(listener: &Listener, options: &ListenerOptions) -> Result<Stream, HandshakeError> {
    let mut stream = listener.accept().await.expect("accepts").handshake(options).await?;
    stream.expect_mqtt().await?;
    Ok(stream)
}

/// A client on a thread of its own.
pub(crate) fn client<T: Send + 'static>(
    address: SocketAddr,
    script: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> JoinHandle<T> {
    thread::spawn(move || {
        let socket = TcpStream::connect(address).expect("connects");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        script(socket)
    })
}

/// Waits for a client to finish while the runtime goes on.
pub(crate) async fn join<T: Send + 'static>(client: JoinHandle<T>) -> T {
    tokio::task::spawn_blocking(|| client.join()).await.expect("joins").expect("the client failed")
}

/// Reads what comes next, as a driver does.
pub(crate) async fn read(stream: &mut Stream, scratch: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.try_read(scratch) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.readable().await?,
            result => return result,
        }
    }
}

/// Reads so many bytes, in portions of at most `portion`.
pub(crate) async fn read_exactly(stream: &mut Stream, length: usize, portion: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut scratch = vec![0; portion];
    while bytes.len() < length {
        let wanted = portion.min(length - bytes.len());
        let read = read(stream, &mut scratch[..wanted]).await.expect("reads");
        assert!(read > 0, "end after {} of {length} bytes", bytes.len());
        bytes.extend_from_slice(&scratch[..read]);
    }
    bytes
}

/// Writes everything, as a driver does.
pub(crate) async fn write(stream: &mut Stream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                stream.writable().await.expect("writable");
            }
            Err(error) => panic!("{error}"),
        }
    }
    flush(stream).await;
}

pub(crate) async fn flush(stream: &mut Stream) {
    while let Err(error) = stream.try_flush() {
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
        stream.writable().await.expect("writable");
    }
    assert!(!stream.wants_write());
}

/// Sends back what comes until the end, then closes.
pub(crate) async fn echo(mut stream: Stream) {
    let mut scratch = vec![0; 16 * 1024];
    loop {
        let length = read(&mut stream, &mut scratch).await.expect("reads");
        if length == 0 {
            break;
        }
        write(&mut stream, &scratch[..length]).await;
    }
    stream.close(CloseCode::Normal, PATIENCE).await;
}

/// Bytes in which a mistake shows.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251) as u8).collect()
}
