//! A blocking client, just enough to talk to a broker in tests: everything waits for an event, at most
//! [`PATIENCE`].

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use ferry_broker::RunningBroker;
use ferry_codec::{
    Ack, Connack, Connect, DecodeLimits, Direction, Packet, PacketId, ProtocolVersion, Publish, QoS,
    ReasonCode, Subscribe, SubscribeFiltersBuf, SubscriptionOptions, decode, encode, frame_length,
};

/// What comes at all comes much sooner.
const PATIENCE: Duration = Duration::from_secs(45);

pub(crate) struct Client {
    socket: Box<dyn Socket>,
    version: ProtocolVersion,
    input: Vec<u8>,
}

/// Bytes to and from the broker.
pub(crate) trait Socket: Read + Write + Send {}

impl<T: Read + Write + Send> Socket for T {}

/// The address of a broker's first TCP listener.
pub(crate) fn tcp_address(broker: &RunningBroker) -> SocketAddr {
    let host_ports = broker.local_addresses().iter().filter_map(|address| address.host_port());
    let host_port = host_ports.into_iter().next().expect("a TCP listener").to_string();
    host_port.to_socket_addrs().expect("resolved").next().expect("an address")
}

pub(crate) fn connect_packet(client_id: &str) -> Connect<'_> {
    Connect {
        protocol_version: ProtocolVersion::V5,
        bridge: false,
        clean_start: true,
        keep_alive_seconds: 0,
        client_id,
        will: None,
        user_name: None,
        password: None,
        properties: Default::default(),
    }
}

impl Client {
    /// A socket that has sent nothing.
    pub(crate) fn open(broker: &RunningBroker) -> Self {
        Self::over(TcpStream::connect(tcp_address(broker)).expect("connected"), |socket| Box::new(socket))
    }

    /// By what `layers` makes of a socket.
    pub(crate) fn over(socket: TcpStream, layers: impl FnOnce(TcpStream) -> Box<dyn Socket>) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.set_nodelay(true).expect("no delay");
        Self { socket: layers(socket), version: ProtocolVersion::V5, input: Vec::new() }
    }

    /// Of another version than 5.0.
    pub(crate) fn speaking(self, version: ProtocolVersion) -> Self {
        Self { version, ..self }
    }

    /// A client with a CONNACK.
    pub(crate) fn connect(broker: &RunningBroker, client_id: &str) -> Self {
        let mut client = Self::open(broker);
        client.send(&Packet::Connect(connect_packet(client_id)));
        client.receive(|packet| {
            let Packet::Connack(Connack { reason_code, .. }) = packet else { panic!("{packet:?}") };
            assert!(!reason_code.is_error(), "{reason_code:?}");
        });
        client
    }

    pub(crate) fn send(&mut self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        encode(packet, self.version, &mut bytes);
        self.send_bytes(&bytes);
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("written");
    }

    /// Waits for the next packet.
    pub(crate) fn receive<T>(&mut self, look: impl FnOnce(&Packet<'_>) -> T) -> T {
        let frame = self.frame().expect("a packet, not the end");
        let packet = decode(&frame, self.version, Direction::FromServer, &DecodeLimits::UNLIMITED)
            .expect("a valid packet");
        look(&packet)
    }

    /// The next packet as text.
    pub(crate) fn receive_text(&mut self) -> String {
        self.receive(|packet| format!("{packet:?}"))
    }

    /// Takes the next packet; `false` at the end.
    pub(crate) fn has_more(&mut self) -> bool {
        self.frame().is_some()
    }

    /// Waits for the end of the connection.
    pub(crate) fn receive_end(&mut self) {
        if let Some(frame) = self.frame() {
            panic!("a packet instead of the end: {frame:?}");
        }
    }

    pub(crate) fn subscribe(&mut self, filter: &str, maximum_qos: QoS) {
        let mut filters = SubscribeFiltersBuf::default();
        filters.push(filter, SubscriptionOptions { maximum_qos, ..SubscriptionOptions::default() });
        let packet_id = id(1);
        self.send(&Packet::Subscribe(Subscribe {
            packet_id,
            subscription_id: None,
            user_properties: Default::default(),
            filters: filters.as_filters(),
        }));
        self.receive(|packet| {
            let Packet::Suback(suback) = packet else { panic!("{packet:?}") };
            assert_eq!(suback.reason_codes, [maximum_qos as u8]);
        });
    }

    pub(crate) fn publish(&mut self, topic: &str, payload: &[u8], qos: QoS, packet_id: Option<PacketId>) {
        self.send(&Packet::Publish(Publish { topic, payload, qos, packet_id, ..Publish::default() }));
    }

    /// Waits for a PUBLISH, acknowledges it if it is QoS 1, and returns its topic and payload.
    pub(crate) fn receive_publish(&mut self) -> (String, Vec<u8>) {
        let (topic, payload, packet_id) = self.receive(|packet| {
            let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
            (publish.topic.to_owned(), publish.payload.to_owned(), publish.packet_id)
        });
        if let Some(packet_id) = packet_id {
            self.send(&Packet::Puback(Ack::new(packet_id, ReasonCode::SUCCESS)));
        }
        (topic, payload)
    }

    pub(crate) fn receive_puback(&mut self, packet_id: PacketId) {
        self.receive(|packet| {
            let Packet::Puback(ack) = packet else { panic!("{packet:?}") };
            assert_eq!((ack.packet_id, ack.reason_code.is_error()), (packet_id, false));
        });
    }

    /// Sends a ping and waits for its answer: whatever was sent before has been dealt with.
    pub(crate) fn ping(&mut self) {
        self.send(&Packet::Pingreq);
        self.receive(|packet| assert!(matches!(packet, Packet::Pingresp), "{packet:?}"));
    }

    /// Whether the broker talks to this connection, which has sent nothing, or has closed it.
    pub(crate) fn is_served(&mut self) -> bool {
        let mut connect = Vec::new();
        encode(&Packet::Connect(connect_packet("probe")), self.version, &mut connect);
        let mut answer = [0; 1];
        self.socket.write_all(&connect).is_ok() && matches!(self.socket.read(&mut answer), Ok(1))
    }

    /// The next packet, or `None` at the end of the connection.
    fn frame(&mut self) -> Option<Vec<u8>> {
        loop {
            let length = frame_length(&self.input, &DecodeLimits::UNLIMITED).expect("a valid header");
            if let Some(length) = length.filter(|length| *length <= self.input.len()) {
                return Some(self.input.drain(..length).collect());
            }
            let mut bytes = [0; 64 * 1024];
            let read = match self.socket.read(&mut bytes) {
                Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
                result => result.expect("bytes within the patience of the test"),
            };
            if read == 0 {
                return None;
            }
            self.input.extend_from_slice(&bytes[..read]);
        }
    }
}

/// Of connections that come at the same moment, one at least is closed; one after the other, they would keep to a rate of one
/// a second on a machine that is slow.
pub(crate) fn not_all_are_served(open: impl Fn() -> Client) {
    let mut crowd: Vec<Client> = (0..10).map(|_| open()).collect();
    assert!(!crowd.iter_mut().all(Client::is_served));
}

pub(crate) fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not 0")
}
