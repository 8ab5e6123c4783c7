//! Where a service is, by the SRV records of its domain (RFC 2782).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::dns_message::{Answer, parse, query};
use crate::clock::random_seed;

/// One server of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The lowest comes first.
    pub(super) priority: u16,
    /// How often it is chosen among those with the same priority.
    pub(super) weight: u16,
    pub(super) port: u16,
    pub(super) host: String,
}

/// How long a name server may take, before the next one or the same one once more.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// Questions to each name server by UDP, which loses some.
const ATTEMPTS: usize = 2;

const DNS_PORT: u16 = 53;

/// The servers of a service, in the order in which they are to be tried.
pub(super) async fn lookup(name: &str, name_servers: &[SocketAddr]) -> io::Result<Vec<Target>> {
    let of_system = if name_servers.is_empty() { system_name_servers() } else { Vec::new() };
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for server in name_servers.iter().chain(&of_system) {
        match ask(*server, name).await {
            // "." says that there is no such service here.
            Ok(Answer::Targets(mut targets)) => {
                targets.retain(|target| !target.host.is_empty());
                if targets.is_empty() {
                    return Err(not_found(format!("{name} has no SRV records")));
                }
                return Ok(in_order(targets));
            }
            Ok(Answer::Failed(3)) => return Err(not_found(format!("there is no {name}"))),
            Ok(Answer::Failed(code)) => {
                failed = io::Error::other(format!("{server} answers with code {code}"));
            }
            Ok(Answer::Truncated) => {
                failed = io::Error::other(format!("{server} has no room for its answer"));
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn not_found(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, why)
}

async fn ask(server: SocketAddr, name: &str) -> io::Result<Answer> {
    // A number and a port that nobody else can foretell, so that nobody else can answer.
    let id = (random_seed() & 0xffff) as u16;
    let question =
        query(id, name).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a domain"))?;
    let mut result = Err(io::ErrorKind::TimedOut.into());
    for _ in 0..ATTEMPTS {
        result = timeout(ANSWER_MAX, by_udp(server, id, &question)).await.unwrap_or(result);
        if result.is_ok() {
            break;
        }
    }
    match result {
        Ok(Answer::Truncated) => {
            let answer = timeout(ANSWER_MAX, by_tcp(server, id, &question)).await;
            answer.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
        }
        other => other,
    }
}

async fn by_udp(server: SocketAddr, id: u16, question: &[u8]) -> io::Result<Answer> {
    let any =
        if server.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // Something else may come, and then the answer.
        if let Some(answer) = parse(&buffer[..length], id) {
            return Ok(answer);
        }
    }
}

async fn by_tcp(server: SocketAddr, id: u16, question: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], question].concat()).await?;
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    parse(&message, id).ok_or_else(|| io::Error::other(format!("{server} answers something else")))
}

/// By priority; those of the same in a random order that their weights decide.
fn in_order(mut targets: Vec<Target>) -> Vec<Target> {
    targets.sort_by_key(|target| (target.priority, target.weight));
    let mut ordered = Vec::with_capacity(targets.len());
    while let Some(first) = targets.first() {
        let priority = first.priority;
        let count = targets.iter().take_while(|target| target.priority == priority).count();
        let total: u64 = targets[..count].iter().map(|target| u64::from(target.weight)).sum();
        let mut drawn = random_seed() % (total + 1);
        let chosen = targets[..count].iter().position(|target| {
            let is_it = drawn <= u64::from(target.weight);
            drawn = drawn.saturating_sub(target.weight.into());
            is_it
        });
        ordered.push(targets.remove(chosen.unwrap_or(0)));
    }
    ordered
}

fn system_name_servers() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = name_servers(&text);
    // As resolv.conf(5) says.
    if servers.is_empty() { vec![(Ipv4Addr::LOCALHOST, DNS_PORT).into()] } else { servers }
}

fn name_servers(text: &str) -> Vec<SocketAddr> {
    let addresses = text.lines().filter_map(|line| line.trim_start().strip_prefix("nameserver"));
    let addresses = addresses.filter_map(|address| address.trim().parse::<IpAddr>().ok());
    addresses.map(|address| SocketAddr::new(address, DNS_PORT)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(priority: u16, weight: u16) -> Target {
        Target { priority, weight, port: 1883, host: format!("{priority}-{weight}") }
    }

    #[test]
    fn priority_comes_first_and_then_weight() {
        let mut first = std::collections::HashMap::<u16, usize>::new();
        for _ in 0..1000 {
            let ordered = in_order(vec![target(2, 0), target(1, 30), target(1, 10), target(1, 60)]);
            assert_eq!(ordered.len(), 4);
            assert_eq!(ordered[3], target(2, 0));
            *first.entry(ordered[0].weight).or_default() += 1;
        }
        assert!(first[&60] > first[&30] && first[&30] > first[&10], "{first:?}");
    }

    #[test]
    fn the_system_says_who_is_asked() {
        let text =
            "# nameserver 9.9.9.9\nsearch example.com\nnameserver 10.0.0.1\n nameserver\t::1\nnameserver x\n";
        let expected: Vec<SocketAddr> = vec!["10.0.0.1:53".parse().unwrap(), "[::1]:53".parse().unwrap()];
        assert_eq!(name_servers(text), expected);
    }
}
