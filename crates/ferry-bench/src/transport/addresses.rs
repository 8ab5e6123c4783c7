use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

use crate::BenchError;
use crate::plan::{Plan, Scheme};

/// Where connections go to and come from.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    /// None for a Unix socket.
    broker: Option<SocketAddr>,
    sources: Option<SourceRange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SourceRange {
    first: u32,
    count: u32,
}

impl Addresses {
    /// # Errors
    /// The broker's name has no address, or the range of sources is not one.
    pub(crate) fn of(plan: &Plan) -> Result<Self, BenchError> {
        let sources = plan.source_addresses.as_deref().map(SourceRange::parse).transpose()?;
        let target = &plan.target;
        if target.scheme == Scheme::Unix {
            return Ok(Self { broker: None, sources: None });
        }
        let found = (target.host.as_str(), target.port).to_socket_addrs();
        let mut found = found.map_err(|error| BenchError::new(format!("{target}: {error}")))?;
        let broker = found.find(|address| sources.is_none() || address.is_ipv4());
        let broker = broker.ok_or_else(|| BenchError::new(format!("{target}: the name has no address")))?;
        Ok(Self { broker: Some(broker), sources })
    }

    /// Where the broker is; none for a Unix socket.
    pub(crate) fn broker(&self) -> Option<SocketAddr> {
        self.broker
    }

    /// The address that a client connects from; none: the system's choice.
    pub(crate) fn source(&self, client: usize) -> Option<SocketAddr> {
        let SourceRange { first, count } = self.sources?;
        let address = Ipv4Addr::from(first + (client % count as usize) as u32);
        Some(SocketAddr::new(IpAddr::V4(address), 0))
    }

    /// How many addresses clients connect from.
    pub(crate) fn source_count(&self) -> usize {
        self.sources.map_or(1, |sources| sources.count as usize)
    }
}

impl SourceRange {
    /// `127.0.0.0/24` or one address. Network and broadcast address are left out.
    fn parse(text: &str) -> Result<Self, BenchError> {
        let wrong =
            || BenchError::new(format!("--source-addresses {text}: give IPv4 addresses, as 127.0.0.0/24"));
        let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
        let address = u32::from(address.parse::<Ipv4Addr>().map_err(|_| wrong())?);
        let bits: u32 = bits.parse().ok().filter(|bits| (8..=32).contains(bits)).ok_or_else(wrong)?;
        let size = 1_u32.checked_shl(32 - bits).unwrap_or(u32::MAX);
        let network = address & !(size - 1);
        if size < 4 {
            return Ok(Self { first: network, count: size });
        }
        Ok(Self { first: network + 1, count: size - 2 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_sources() {
        let range =
            |text: &str| SourceRange::parse(text).map(|r| (Ipv4Addr::from(r.first).to_string(), r.count));
        assert_eq!(range("127.0.0.0/24"), Ok(("127.0.0.1".to_owned(), 254)));
        assert_eq!(range("127.0.0.9"), Ok(("127.0.0.9".to_owned(), 1)));
        assert_eq!(range("10.1.2.3/30"), Ok(("10.1.2.1".to_owned(), 2)));
        assert!(range("::1/64").is_err() && range("1.2.3.4/40").is_err() && range("1.2.3.4/0").is_err());
    }
}
