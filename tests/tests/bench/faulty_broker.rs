use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What a broker does wrong with some messages, by their place in the stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    None,
    /// Message 50 is not delivered.
    Loses,
    /// Message 50 is delivered twice.
    Repeats,
    /// Message 50 is delivered after message 51.
    Swaps,
    /// Nothing of a publisher is acknowledged or delivered.
    Ignores,
    /// The connection of the publisher breaks off with message 50.
    Closes,
    /// A bit of message 50 is not what it was.
    Damages,
}

/// Begins to serve MQTT 3.1.1, at QoS 0 or 1, with a fault: to one who asks for the version, one subscriber and one
/// publisher, and a subscriber that comes back. Returns the port. It ends with the connections.
pub(crate) fn start(fault: Fault) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let subscriber = Arc::new(Mutex::new(None));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten().take(4) {
            let subscriber = Arc::clone(&subscriber);
            std::thread::spawn(move || serve(stream, &subscriber, fault));
        }
    });
    port
}

fn serve(mut stream: TcpStream, subscriber: &Mutex<Option<TcpStream>>, fault: Fault) -> Option<()> {
    let mut count = 0;
    let mut kept = Vec::new();
    loop {
        let packet = read_packet(&mut stream)?;
        match packet[0] & 0xF0 {
            0x10 => stream.write_all(&[0x20, 2, 0, 0]).ok()?,
            0x80 => {
                *subscriber.lock().ok()? = Some(stream.try_clone().ok()?);
                stream.write_all(&[0x90, 3, packet[2], packet[3], packet[packet.len() - 1]]).ok()?;
            }
            0x30 if matches!(fault, Fault::Ignores) => {}
            0x30 if matches!(fault, Fault::Closes) && count == 50 => {
                let _ = stream.shutdown(std::net::Shutdown::Both);
                return None;
            }
            0x30 => {
                if packet[0] & 0x06 != 0 {
                    let id = 4 + usize::from(packet[3]);
                    stream.write_all(&[0x40, 2, packet[id], packet[id + 1]]).ok()?;
                }
                let out = with_fault(fault, count, packet, &mut kept);
                subscriber.lock().ok()?.as_mut()?.write_all(&out).ok()?;
                count += 1;
            }
            _ => {}
        }
    }
}

fn with_fault(fault: Fault, place: usize, mut packet: Vec<u8>, kept: &mut Vec<u8>) -> Vec<u8> {
    match (fault, place) {
        (Fault::Loses, 50) => Vec::new(),
        (Fault::Repeats, 50) => packet.repeat(2),
        (Fault::Swaps, 50) => {
            *kept = packet;
            Vec::new()
        }
        (Fault::Swaps, 51) => [packet, std::mem::take(kept)].concat(),
        (Fault::Damages, 50) => {
            let last = packet.len() - 1;
            packet[last - 8] ^= 1;
            packet
        }
        _ => packet,
    }
}

/// Packets of a test are short: their Remaining Length is one byte.
fn read_packet(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut packet = vec![0; 2];
    stream.read_exact(&mut packet).ok()?;
    packet.resize(2 + usize::from(packet[1]), 0);
    stream.read_exact(&mut packet[2..]).ok()?;
    Some(packet)
}
