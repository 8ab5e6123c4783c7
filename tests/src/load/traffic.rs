use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio::time::sleep;

use super::packets::{CONNACK, PUBACK, connect, publish, suback, subscribe};
use super::{BrokerProcess, Scenario};

/// Before measuring, so that memory and caches are warm.
const WARM_UP: Duration = Duration::from_millis(500);

/// What one run came to.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Messages that arrived at subscribers.
    pub messages_per_second: f64,
    /// The broker's processor time for each of them.
    pub processor_microseconds_per_message: f64,
}

/// What a broker costs that has nothing to do.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// Memory of the process without connections.
    pub resident_bytes: u64,
    /// Memory for each connected client, without that of the kernel.
    pub bytes_per_connection: u64,
    /// How often its threads were woken, with all clients connected.
    pub wakeups: u64,
}

/// What is on its way on one topic.
#[derive(Default)]
struct Flow {
    outstanding: Cell<usize>,
    delivered: Cell<u64>,
    room: Notify,
}

/// Loads a broker for this long.
///
/// # Errors
/// The broker refuses a client, or is gone.
pub fn measure(broker: &BrokerProcess, scenario: Scenario, duration: Duration) -> Result<Measured, String> {
    on_runtime(async {
        let mut flows = Vec::new();
        for topic in 0..scenario.topics {
            flows.push(
                start_flow(broker.address(), scenario, topic).await.map_err(|error| error.to_string())?,
            );
        }
        sleep(WARM_UP).await;
        let delivered = || flows.iter().map(|flow| flow.delivered.get()).sum::<u64>();
        let before = (Instant::now(), delivered(), broker.figures().processor_seconds()?);
        sleep(duration).await;
        let messages = (delivered() - before.1) as f64;
        let processor_seconds = broker.figures().processor_seconds()? - before.2;
        if messages == 0.0 {
            return Err("nothing was delivered".to_owned());
        }
        Ok(Measured {
            messages_per_second: messages / before.0.elapsed().as_secs_f64(),
            processor_microseconds_per_message: processor_seconds * 1e6 / messages,
        })
    })
}

/// Connects so many clients that do nothing, and looks at the broker for this long.
///
/// # Errors
/// The broker refuses a client, or is gone.
pub fn idle(broker: &BrokerProcess, clients: usize, duration: Duration) -> Result<Idle, String> {
    on_runtime(async {
        let resident_bytes = broker.figures().resident_bytes()?;
        let mut connected = Vec::new();
        for client in 0..clients {
            let stream = log_in(broker.address(), &format!("idle-client-{client:06}")).await;
            connected.push(stream.map_err(|error| error.to_string())?);
        }
        let with_clients = broker.figures().resident_bytes()?;
        // What follows from the last connection is over by then.
        sleep(WARM_UP).await;
        let wakeups = broker.figures().wakeups()?;
        sleep(duration).await;
        Ok(Idle {
            resident_bytes,
            bytes_per_connection: with_clients.saturating_sub(resident_bytes) / clients.max(1) as u64,
            wakeups: broker.figures().wakeups()? - wakeups,
        })
    })
}

fn on_runtime<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    LocalSet::new().block_on(&runtime.map_err(|error| error.to_string())?, work)
}

async fn start_flow(address: SocketAddr, scenario: Scenario, number: usize) -> io::Result<Rc<Flow>> {
    let topic = format!("load/topic/{number:03}");
    let flow = Rc::new(Flow::default());
    for subscriber in 0..scenario.subscribers {
        let mut stream = log_in(address, &format!("subscriber-{number}-{subscriber}")).await?;
        stream.write_all(&subscribe(&topic, scenario.qos)).await?;
        expect(&mut stream, &suback(scenario.qos)).await?;
        let (publish, id_at) = publish(&topic, scenario.qos);
        tokio::task::spawn_local(receive(stream, Rc::clone(&flow), publish, id_at));
    }
    let (input, output) = log_in(address, &format!("publisher-{number}")).await?.into_split();
    tokio::task::spawn_local(ignore(input));
    tokio::task::spawn_local(send(output, Rc::clone(&flow), scenario, topic));
    Ok(flow)
}

async fn log_in(address: SocketAddr, client_id: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&connect(client_id)).await?;
    expect(&mut stream, &CONNACK).await?;
    Ok(stream)
}

async fn expect(stream: &mut TcpStream, answer: &[u8]) -> io::Result<()> {
    let mut found = vec![0; answer.len()];
    stream.read_exact(&mut found).await?;
    if found == answer { Ok(()) } else { Err(io::Error::other(format!("unexpected answer {found:x?}"))) }
}

/// Publishes whenever there is room for a good part of the window.
async fn send(
    mut output: OwnedWriteHalf,
    flow: Rc<Flow>,
    scenario: Scenario,
    topic: String,
) -> io::Result<()> {
    let (packet, id_at) = publish(&topic, scenario.qos);
    let mut packet_id: u16 = 0;
    let mut bytes = Vec::new();
    loop {
        let room = scenario.window.saturating_sub(flow.outstanding.get()) / scenario.subscribers;
        if room < (scenario.window / scenario.subscribers / 4).max(1) {
            flow.room.notified().await;
            continue;
        }
        bytes.clear();
        for _ in 0..room {
            let start = bytes.len();
            bytes.extend_from_slice(&packet);
            if let Some(at) = id_at {
                packet_id = packet_id.checked_add(1).unwrap_or(1);
                bytes[start + at..start + at + 2].copy_from_slice(&packet_id.to_be_bytes());
            }
        }
        flow.outstanding.set(flow.outstanding.get() + room * scenario.subscribers);
        output.write_all(&bytes).await?;
    }
}

/// Counts what arrives and acknowledges it.
async fn receive(
    mut stream: TcpStream,
    flow: Rc<Flow>,
    packet: Vec<u8>,
    id_at: Option<usize>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut kept = 0;
    let mut acknowledgements = Vec::new();
    loop {
        let read = stream.read(&mut buffer[kept..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let filled = kept + read;
        let frames = filled / packet.len();
        for frame in buffer[..frames * packet.len()].chunks_exact(packet.len()) {
            assert_eq!(frame[..2], packet[..2], "all messages are alike");
            if let Some(at) = id_at {
                acknowledgements.extend_from_slice(&PUBACK[..2]);
                acknowledgements.extend_from_slice(&frame[at..at + 2]);
            }
        }
        buffer.copy_within(frames * packet.len()..filled, 0);
        kept = filled - frames * packet.len();
        stream.write_all(&acknowledgements).await?;
        acknowledgements.clear();
        flow.delivered.set(flow.delivered.get() + frames as u64);
        flow.outstanding.set(flow.outstanding.get() - frames);
        flow.room.notify_one();
    }
}

/// Reads and forgets the acknowledgements of what was published.
async fn ignore(mut input: OwnedReadHalf) -> io::Result<()> {
    let mut scratch = [0; 16 * 1024];
    while input.read(&mut scratch).await? > 0 {}
    Ok(())
}
