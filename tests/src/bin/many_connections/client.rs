//! A client of MQTT 3.1.1 that says one thing after the other.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use ferry_tests::wire::{Field, PacketKind, Value, encode};
use socket2::{Domain, Protocol, Socket, Type};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Client(TcpStream);

impl Client {
    /// Connects from the loopback address with this number, if the broker is on this machine.
    pub(crate) fn connect(broker: SocketAddr, number: u8) -> Result<Self, String> {
        let connect = || {
            let socket = Socket::new(Domain::for_address(broker), Type::STREAM, Some(Protocol::TCP))?;
            if broker.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
                socket.bind(&SocketAddr::from(([127, 0, 0, number], 0)).into())?;
            }
            socket.connect(&broker.into())?;
            socket.set_tcp_nodelay(true)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok(TcpStream::from(socket))
        };
        connect().map(Self).map_err(|error: std::io::Error| format!("{broker}: {error}"))
    }

    /// Connects and is accepted, with a session that ends with the connection.
    pub(crate) fn log_in(broker: SocketAddr, id: &str) -> Result<Self, String> {
        let mut client = Self::connect(broker, 1)?;
        client.send(&connect(id, false)?)?;
        client.expect(&CONNACK)?;
        Ok(client)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.0.write_all(bytes).map_err(|error| format!("sending: {error}"))
    }

    pub(crate) fn expect(&mut self, expected: &[u8]) -> Result<(), String> {
        let mut bytes = vec![0; expected.len()];
        self.0.read_exact(&mut bytes).map_err(|error| format!("awaiting {expected:02x?}: {error}"))?;
        if bytes == expected { Ok(()) } else { Err(format!("{bytes:02x?} came instead of {expected:02x?}")) }
    }

    /// Reads and forgets so many bytes.
    pub(crate) fn skip(&mut self, mut count: usize) -> Result<(), String> {
        let mut scratch = vec![0; 64 * 1024];
        while count > 0 {
            let room = count.min(scratch.len());
            match self.0.read(&mut scratch[..room]) {
                Ok(0) => return Err("the broker has closed the connection".to_owned()),
                Ok(read) => count -= read,
                Err(error) => return Err(format!("awaiting {count} bytes: {error}")),
            }
        }
        Ok(())
    }
}

/// CONNACK: accepted, no session.
pub(crate) const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// SUBACK of one filter at QoS 0, for [`subscribe`].
pub(crate) const SUBACK: [u8; 5] = [0x90, 3, 0, 1, 0];

/// CONNECT with a long keep alive.
pub(crate) fn connect(id: &str, is_durable: bool) -> Result<Vec<u8>, String> {
    let clean = Value::Number(u64::from(!is_durable));
    let keep_alive = Value::Number(3600);
    packet(PacketKind::Connect, [("client_id", text(id)), ("keep_alive", keep_alive), ("clean_start", clean)])
}

/// SUBSCRIBE with packet identifier 1 and QoS 0.
pub(crate) fn subscribe(filter: &str) -> Result<Vec<u8>, String> {
    packet(PacketKind::Subscribe, [("id", Value::Number(1)), ("filter", text(filter))])
}

/// PUBLISH at QoS 0; the broker sends it on as it is, if it is not retained.
pub(crate) fn publish(topic: &str, payload: &str, is_retained: bool) -> Result<Vec<u8>, String> {
    let retain = Value::Number(u64::from(is_retained));
    packet(PacketKind::Publish, [("topic", text(topic)), ("payload", text(payload)), ("retain", retain)])
}

fn packet<const N: usize>(kind: PacketKind, fields: [(&'static str, Value); N]) -> Result<Vec<u8>, String> {
    let fields: Vec<Field> = fields.into_iter().map(|(name, value)| Field { name, value }).collect();
    encode(kind, &fields, 4)
}

fn text(text: &str) -> Value {
    Value::Bytes(text.as_bytes().to_vec())
}
