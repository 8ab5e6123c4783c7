use ferry_client::{ClientOptions, ConnectionError, Message, Proxy, QoS};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::brokers::Scheme;
use crate::{Place, with_each_broker};

/// Serves one connection: what it asks for is given to `handshake`, which returns the port to connect to.
async fn proxy<F: Future<Output = Option<u16>> + Send + 'static>(
    handshake: impl Fn(TcpStream) -> F + Send + 'static,
) -> (u16, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serving = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(handshake(client));
        }
    });
    (port, serving)
}

async fn pass(mut client: TcpStream, port: u16, answer: &[u8]) -> Option<u16> {
    client.write_all(answer).await.ok()?;
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    copy_bidirectional(&mut client, &mut server).await.ok()?;
    Some(port)
}

/// RFC 1928 and RFC 1929, for user `me` with password `secret`.
async fn socks5(mut client: TcpStream) -> Option<u16> {
    let mut greeting = [0; 3];
    client.read_exact(&mut greeting).await.ok()?;
    if greeting != [5, 1, 2] {
        client.write_all(&[5, 0xFF]).await.ok()?;
        return None;
    }
    client.write_all(&[5, 2]).await.ok()?;
    let mut credentials = [0; 11];
    client.read_exact(&mut credentials).await.ok()?;
    let is_right = &credentials == b"\x01\x02me\x06secret";
    client.write_all(&[1, u8::from(!is_right)]).await.ok()?;
    let mut request = [0; 5];
    client.read_exact(&mut request).await.ok()?;
    let mut rest = vec![0; usize::from(request[4]) + 2];
    client.read_exact(&mut rest).await.ok()?;
    assert_eq!((&request[..4], &rest[..9]), (&[5, 1, 0, 3][..], &b"localhost"[..]));
    let port = u16::from_be_bytes([rest[9], rest[10]]);
    pass(client, port, &[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).await
}

async fn http(mut client: TcpStream) -> Option<u16> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(client.read_u8().await.ok()?);
    }
    let request = String::from_utf8(request).ok()?;
    if !request.contains("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n") {
        client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await.ok()?;
        return None;
    }
    let port = request.strip_prefix("CONNECT localhost:")?.split(' ').next()?.parse().ok()?;
    pass(client, port, b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").await
}

fn options(place: &Place, proxy: &str) -> ClientOptions {
    let mut options = ClientOptions::new(&place.broker.url(Scheme::Tcp)).expect("a URL");
    options.transport.proxy = Some(Proxy::new(proxy).expect("a proxy"));
    options.protocol_version(place.version)
}

#[test]
fn through_a_proxy() {
    with_each_broker(async |place| {
        let (socks_port, _socks) = proxy(socks5).await;
        let (http_port, _http) = proxy(http).await;
        for address in [
            format!("socks5://me:secret@127.0.0.1:{socks_port}"),
            format!("http://me:secret@127.0.0.1:{http_port}"),
        ] {
            let client = options(&place, &address)
                .connect()
                .await
                .unwrap_or_else(|error| panic!("{address}: {error}"));
            client.publish(Message::new("proxy", "x").qos(QoS::ExactlyOnce)).await.unwrap();
            client.disconnect().await;
        }
        for address in [
            format!("socks5://127.0.0.1:{socks_port}"),
            format!("socks5://me:public@127.0.0.1:{socks_port}"),
            format!("http://127.0.0.1:{http_port}"),
        ] {
            let error = options(&place, &address).connect().await.unwrap_err();
            assert!(matches!(error, ConnectionError::Proxy(_)), "{error}");
        }
    });
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    crate::run(async {
        let port = crate::brokers::free_port();
        for scheme in ["socks5", "http"] {
            let mut options = ClientOptions::new("mqtt://broker.example").unwrap();
            options.transport.proxy = Some(Proxy::new(&format!("{scheme}://127.0.0.1:{port}")).unwrap());
            let error = options.connect().await.unwrap_err();
            assert!(matches!(error, ConnectionError::Proxy(_)), "{error:?}");
            let words = error.to_string();
            assert!(
                words.starts_with(&format!("proxy: cannot connect through 127.0.0.1:{port}: ")),
                "{words}"
            );
        }
    });
}
