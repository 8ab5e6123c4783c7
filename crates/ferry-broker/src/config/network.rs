use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::option::Field;
use super::value::Setting;

/// An Internet address, or all that begin with the same bits, such as `192.0.2.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    /// Without the bits behind the prefix.
    address: IpAddr,
    prefix_bits: u8,
}

impl Network {
    /// The network of the addresses that share `prefix_bits` bits with `address`; more bits than it has are all.
    #[must_use]
    pub fn new(address: IpAddr, prefix_bits: u8) -> Self {
        let address = address.to_canonical();
        let prefix_bits = prefix_bits.min(bits(address));
        Self { address: masked(address, prefix_bits), prefix_bits }
    }

    /// One address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self::new(address, u8::MAX)
    }

    /// What one client can choose its addresses from: one address of IPv4, but 64 bits of IPv6, which is the least that
    /// a customer of a provider gets (RFC 6177).
    #[must_use]
    pub fn of_client(address: IpAddr) -> Self {
        match address.to_canonical() {
            address @ IpAddr::V4(_) => Self::of(address),
            address @ IpAddr::V6(_) => Self::new(address, 64),
        }
    }

    /// How many bits the addresses share.
    #[must_use]
    pub fn prefix_bits(&self) -> u8 {
        self.prefix_bits
    }

    /// From the first to the last of its addresses.
    #[must_use]
    pub fn addresses(&self) -> RangeInclusive<IpAddr> {
        let last = match self.address {
            IpAddr::V4(address) => {
                let rest = u32::MAX.checked_shr(u32::from(self.prefix_bits)).unwrap_or(0);
                IpAddr::V4((address.to_bits() | rest).into())
            }
            IpAddr::V6(address) => {
                let rest = u128::MAX.checked_shr(u32::from(self.prefix_bits)).unwrap_or(0);
                IpAddr::V6((address.to_bits() | rest).into())
            }
        };
        self.address..=last
    }

    /// Whether the address is one of the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        bits(address) == bits(self.address) && masked(address, self.prefix_bits) == self.address
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn masked(address: IpAddr, prefix_bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix_bits)).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix_bits)).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "not an address such as 192.0.2.7 or a network such as 192.0.2.0/24";
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong)?;
        let Some(prefix) = prefix else { return Ok(Self::of(address)) };
        let prefix_bits: u8 = prefix.parse().map_err(|_| wrong)?;
        if prefix_bits > bits(address) {
            return Err("more bits than the address has");
        }
        let network = Self::new(address, prefix_bits);
        if network.address != address {
            return Err("there are bits behind the prefix");
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix_bits == bits(self.address) {
            return self.address.fmt(formatter);
        }
        write!(formatter, "{}/{}", self.address, self.prefix_bits)
    }
}

impl Field for Network {
    fn from_setting(setting: Setting) -> Option<Self> {
        String::from_setting(setting)?.parse().ok()
    }

    fn to_setting(&self) -> Setting {
        Setting::Text(self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().expect("a network")
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_contains_what_begins_like_it() {
        for (text, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "192.0.2.7"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("127.0.0.0/8", "::ffff:127.0.0.1", "128.0.0.1"),
        ] {
            assert_eq!(network(text).to_string(), text);
            assert!(network(text).contains(address(inside)), "{text} {inside}");
            assert!(!network(text).contains(address(outside)), "{text} {outside}");
        }
    }

    #[test]
    fn what_is_no_network() {
        for text in ["", "host", "192.0.2.0/33", "192.0.2.1/24", "192.0.2.0/", "::/129", "192.0.2.0/-1"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_client_of_ipv6_has_many_addresses() {
        let client = Network::of_client(address("2001:db8::1"));
        assert!(client.contains(address("2001:db8::ffff:0:0:2")));
        assert_eq!(Network::of_client(address("::ffff:192.0.2.7")), network("192.0.2.7"));
    }
}
