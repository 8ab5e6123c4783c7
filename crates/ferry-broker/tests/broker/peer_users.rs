//! Clients of Unix sockets, known by the user that their processes run as.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use ferry_broker::Broker;
use ferry_broker::config::{AdminRole, AuthenticatorKind, Config};
use ferry_codec::{Connect, Packet, ProtocolVersion, encode};

use crate::admin::{Directory, bearer, with_api};
use crate::client::connect_packet;
use crate::http::tcp_door;

fn config(socket: &Path, peer_users: &[String]) -> Config {
    let mut config = with_api();
    config.listeners[0].address = format!("unix://{}", socket.display()).parse().expect("an address");
    config.listeners[0].authentication = Some(vec![AuthenticatorKind::Peer]);
    config.authentication.peer_users = peer_users.iter().map(|rule| rule.parse().expect("a rule")).collect();
    config
}

/// The reason code of the CONNACK, and the connection.
fn connect(socket: &Path) -> (u8, UnixStream) {
    let mut stream = UnixStream::connect(socket).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut bytes = Vec::new();
    let connect = Connect { user_name: Some("root"), password: Some(b"x"), ..connect_packet("local") };
    encode(&Packet::Connect(connect), ProtocolVersion::V5, &mut bytes);
    stream.write_all(&bytes).expect("written");
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).expect("a CONNACK");
    (connack[3], stream)
}

#[test]
fn the_process_decides_who_it_is_and_not_what_it_says() {
    let directory = Directory::new("peer-known");
    let socket = directory.0.join("mqtt.sock");
    let own_id = rustix::process::getuid().as_raw();
    let rules = [format!("uid={} somebody else", own_id + 1), format!("uid={own_id} plant")];
    let broker = Broker::start(config(&socket, &rules)).expect("started");
    let (reason_code, _connection) = connect(&socket);
    assert_eq!(reason_code, 0);
    let token = bearer(AdminRole::Viewer);
    let client = tcp_door(&broker).request("GET", "/api/v1/clients/local", &[&token], "").ok();
    assert_eq!(client["user_name"], "plant");
}

#[test]
fn whom_no_rule_fits_is_not_let_in() {
    let directory = Directory::new("peer-unknown");
    let socket = directory.0.join("mqtt.sock");
    let rule = format!("uid={} somebody", rustix::process::getuid().as_raw() + 1);
    let broker = Broker::start(config(&socket, &[rule])).expect("started");
    assert_eq!(connect(&socket).0, 0x87);
    drop(broker);
}

#[test]
fn by_tcp_nobody_can_be_known_so() {
    let mut config = with_api();
    config.listeners[0].authentication = Some(vec![AuthenticatorKind::Peer]);
    let error = Broker::start(config).map(|_| ()).expect_err("nobody knows who a client is").to_string();
    assert!(error.contains("which user of this machine"), "{error}");
}
