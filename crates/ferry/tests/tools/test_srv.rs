use std::net::{SocketAddr, UdpSocket};

use crate::broker::{Broker, Kind};
use crate::program::{ferry, run};
use crate::test_tls;

/// Answers every question for SRV records: nothing at `localhost:closed`, which comes first, then `localhost:open`. Gives back
/// the names that were asked for.
fn name_server(closed: u16, open: u16) -> (SocketAddr, std::sync::mpsc::Receiver<String>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address");
    let (sender, names) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            let (mut name, mut at) = (Vec::new(), 12);
            while question[at] != 0 {
                let end = at + 1 + usize::from(question[at]);
                name.push(String::from_utf8_lossy(&question[at + 1..end]).into_owned());
                at = end;
            }
            let mut answer = question[..length].to_vec();
            answer[2] |= 0x80;
            answer[7] = 2;
            for (priority, port) in [(1, closed), (2, open)] {
                answer.extend_from_slice(&[0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, 17, 0, priority, 0, 0]);
                answer.extend_from_slice(&port.to_be_bytes());
                answer.extend_from_slice(b"\x09localhost\0");
            }
            socket.send_to(&answer, from).expect("sent");
            if sender.send(name.join(".")).is_err() {
                return;
            }
        }
    });
    (address, names)
}

/// A port on which nobody listens.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn srv_records_name_the_servers() {
    let broker = Broker::start(Kind::Ferry);
    let port = broker.port().parse().expect("a number");
    let (address, names) = name_server(closed_port(), port);
    let address = address.to_string();
    for (client, place) in [
        ("pub", ["-S", "-h", "example.test"].as_slice()),
        ("sub", &["-S", "-h", "example.test"]),
        ("sub", &["-S", "-L", "mqtt://example.test/a"]),
        ("sub", &["-L", "mqtt+srv://ada@example.test/a"]),
        ("rr", &["-S", "-h", "example.test", "-e", "a", "-n"]),
    ] {
        let of_client: &[&str] = match client {
            "pub" => &["-t", "a", "-m", "found", "-r", "-q", "1"],
            "sub" if place.contains(&"-L") => &["-C", "1"],
            "sub" => &["-t", "a", "-C", "1"],
            _ => &["-t", "b"],
        };
        let outcome =
            run(ferry().arg(client).args(place).args(["--name-server", &address]).args(of_client), b"");
        assert_eq!(outcome.code, Some(0), "{client} {place:?}: {outcome:?}");
        assert_eq!(outcome.output, if client == "pub" { "" } else { "found\n" }, "{client} {place:?}");
        assert_eq!(names.recv().expect("it asks"), "_mqtt._tcp.example.test");
    }
}

/// As with mosquitto_pub another service is asked for. The certificate is for the domain.
#[test]
fn with_tls_it_is_another_service() {
    let (scratch, broker) = test_tls::broker_and_certificates();
    let port = broker.port().parse().expect("a number");
    let (address, names) = name_server(closed_port(), port);
    let (address, authority) = (address.to_string(), scratch.path("authority.pem"));
    for (domain, code) in [("localhost", 0), ("example.test", 1)] {
        let place = ["-S", "-h", domain, "--name-server", &address, "--cafile", &authority];
        let outcome = run(ferry().arg("pub").args(place).args(["-t", "a", "-n", "-q", "1"]), b"");
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        assert_eq!(names.recv().expect("it asks"), format!("_secure-mqtt._tcp.{domain}"));
    }
}

#[test]
fn what_does_not_go_with_srv_records_is_said() {
    for (options, code, words) in [
        ("-S", 2, "-S needs a domain to ask for: -h"),
        ("-S -h a -p 1883", 2, "cannot be used with"),
        ("-S -h a --ws", 2, "cannot be used with"),
        ("-S -L mqtt://a:1883/t", 2, "the port of a service is in its SRV records"),
        ("-S -L ws://a/t", 2, "there are no SRV records for ws"),
        ("-S -h a --name-server example", 2, "not the address of a name server"),
    ] {
        let outcome = run(ferry().args(["pub", "-t", "a", "-n"]).args(options.split(' ')), b"");
        assert_eq!(outcome.code, Some(code), "{options}: {outcome:?}");
        assert!(outcome.error.contains(words), "{options}: {outcome:?}");
    }
}
