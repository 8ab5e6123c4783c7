use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use ferry_client::{ClientOptions, Message};
use tokio::sync::oneshot;

/// More than a system keeps between two sockets.
const PAYLOAD_BYTES: usize = 32 * 1024 * 1024;

/// A message of QoS 0 is on its way when the system has it, not when the client has made bytes of it: whoever ends the
/// program then must not cut it off.
#[test]
fn flush_waits_until_everything_is_written() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mqtt://{}", listener.local_addr().unwrap());
    let (begun, has_begun) = oneshot::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = vec![0; 64 * 1024];
        let _connect = stream.read(&mut bytes).unwrap();
        stream.write_all(&[0x20, 3, 0, 0, 0]).unwrap();
        let mut received = stream.read(&mut bytes).unwrap();
        begun.send(()).unwrap();
        may_go_on.recv().unwrap();
        while let Ok(length @ 1..) = stream.read(&mut bytes) {
            received += length;
        }
        received
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = ClientOptions::new(&url).unwrap().connect().await.unwrap();
        client.publish(Message::new("a", vec![0; PAYLOAD_BYTES])).await.unwrap();
        has_begun.await.unwrap();
        let flush = client.flush();
        tokio::pin!(flush);
        let is_flushed = std::future::poll_fn(|context| std::task::Poll::Ready(flush.as_mut().poll(context)));
        assert!(is_flushed.await.is_pending(), "not all of it can be written");
        go_on.send(()).unwrap();
        flush.await.unwrap();
        client.disconnect().await;
    });
    assert!(server.join().unwrap() > PAYLOAD_BYTES);
}
