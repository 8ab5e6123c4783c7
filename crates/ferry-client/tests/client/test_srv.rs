use std::net::SocketAddr;
use std::time::Duration;

use ferry_client::{ClientOptions, ConnectionError, Message, QoS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::brokers::{Broker, BrokerKind, Scheme, free_port};
use crate::run;

/// What a question is answered with.
#[derive(Clone)]
struct Records {
    /// The name that is asked for, as it is written in a message.
    name: &'static [u8],
    /// Priority and port of servers on `localhost`.
    servers: Vec<(u16, u16)>,
    /// Answers by UDP are cut off.
    is_long: bool,
}

impl Records {
    fn answer(&self, question: &[u8], by_udp: bool) -> Vec<u8> {
        let mut message = question.to_vec();
        message[2] |= 0x80;
        if !question[12..].starts_with(self.name) {
            message[3] |= 0x03;
            return message;
        }
        if self.is_long && by_udp {
            message[2] |= 0x02;
            return message;
        }
        message[7] = u8::try_from(self.servers.len()).expect("a few");
        for (priority, port) in &self.servers {
            message.extend_from_slice(&[0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, 17]);
            for word in [*priority, 0, *port] {
                message.extend_from_slice(&word.to_be_bytes());
            }
            message.extend_from_slice(b"\x09localhost\0");
        }
        message
    }

    /// A name server.
    async fn serve(self) -> SocketAddr {
        let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = tcp.local_addr().expect("an address");
        let udp = UdpSocket::bind(address).await.expect("the same port");
        let records = self.clone();
        tokio::spawn(async move {
            let mut question = [0; 512];
            while let Ok((length, from)) = udp.recv_from(&mut question).await {
                let answer = records.answer(&question[..length], true);
                udp.send_to(&answer, from).await.expect("sent");
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let mut question = vec![0; usize::from(stream.read_u16().await.expect("a length"))];
                stream.read_exact(&mut question).await.expect("a question");
                let answer = self.answer(&question, false);
                stream.write_u16(u16::try_from(answer.len()).expect("short")).await.expect("sent");
                stream.write_all(&answer).await.expect("sent");
            }
        });
        address
    }
}

/// The servers are tried in the order of their priorities; a long answer comes by TCP.
#[test]
fn records_lead_to_a_server() {
    let broker = Broker::start(BrokerKind::Ferry);
    run(async {
        for is_long in [false, true] {
            let servers = vec![(20, broker.port(Scheme::Tcp)), (10, free_port())];
            let records = Records { name: b"\x05_mqtt\x04_tcp\x07example\0", servers, is_long };
            let mut options = ClientOptions::new("mqtt+srv://example").unwrap();
            options.transport.dns_servers = vec![records.serve().await];
            let client = options.connect().await.unwrap();
            client.publish(Message::new("found", "x").qos(QoS::AtLeastOnce)).await.unwrap();
            client.disconnect().await;
        }
    });
}

/// The certificate must be for the domain, whatever host the records name.
#[test]
fn records_are_not_trusted() {
    let broker = Broker::start(BrokerKind::Ferry);
    run(async {
        let attempt = async |domain: &str, name: &'static [u8]| {
            let servers = vec![(10, broker.port(Scheme::Tls))];
            let records = Records { name, servers, is_long: false };
            let mut options = ClientOptions::new(&format!("mqtts+srv://{domain}")).unwrap();
            options.transport.dns_servers = vec![records.serve().await];
            options.transport.tls.ca_file = Some(broker.certificates.authority.clone());
            options.connect().await.map(drop)
        };
        attempt("localhost", b"\x0c_secure-mqtt\x04_tcp\x09localhost\0").await.unwrap();
        let other = attempt("example", b"\x0c_secure-mqtt\x04_tcp\x07example\0").await;
        assert!(matches!(other, Err(ConnectionError::Tls(_))), "{other:?}");
    });
}

#[test]
fn a_domain_without_records_is_told() {
    run(async {
        let records =
            Records { name: b"\x05_mqtt\x04_tcp\x07example\0", servers: Vec::new(), is_long: false };
        let address = records.serve().await;
        for (domain, expected) in
            [("example", "has no SRV records"), ("other", "there is no _mqtt._tcp.other")]
        {
            let mut options = ClientOptions::new(&format!("mqtt+srv://{domain}")).unwrap();
            options.transport.dns_servers = vec![address];
            options.transport.connect_timeout = Duration::from_secs(10);
            let error = options.connect().await.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(ClientOptions::new("mqtt+srv://example:1883").is_err());
        assert!(ClientOptions::new("ws+srv://example").is_err());
    });
}
