use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ferry_session::Timestamp;

use crate::config::Network;

/// Addresses known at the same time; a stranger beyond it is not counted.
const ADDRESSES_MAX: usize = 65_536;

/// Between two searches for addresses that nothing needs to be known of any more.
const SWEEP_INTERVAL_SECONDS: u32 = 1;

const SECOND_MICROSECONDS: u64 = 1_000_000;

/// What has come from each address lately. Shared by all shards; not used while nothing has a limit.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    is_limited: AtomicBool,
    table: Mutex<Table>,
}

/// The limits of [`Addresses`].
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressLimits {
    pub(crate) exempt_networks: Vec<Network>,
    pub(crate) connects_per_second_max: Option<u32>,
    pub(crate) unauthenticated_max: Option<u32>,
}

/// Why a connection of an address is not wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressRefusal {
    ConnectRate,
    Unauthenticated,
}

#[derive(Debug, Default)]
struct Table {
    limits: AddressLimits,
    known: HashMap<Network, Known>,
    swept_at: Timestamp,
}

/// What is known of one address.
#[derive(Debug, Default)]
struct Known {
    /// When all its connections would have come if they had been evenly spread, as in
    /// [`RateLimit`](super::rate_limit::RateLimit).
    spread_until_microseconds: u64,
    unauthenticated: u32,
}

/// A connection of which it is not known who it is, under the limit of its address, until it is dropped.
#[derive(Debug)]
pub(crate) struct AddressPlace {
    addresses: Arc<Addresses>,
    client: Network,
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        if let Some(known) = self.addresses.table().known.get_mut(&self.client) {
            known.unauthenticated = known.unauthenticated.saturating_sub(1);
        }
    }
}

impl Addresses {
    pub(crate) fn new(limits: AddressLimits) -> Arc<Self> {
        let addresses = Self::default();
        addresses.set_limits(limits);
        Arc::new(addresses)
    }

    /// New limits, for the connections that come from now on.
    pub(crate) fn set_limits(&self, limits: AddressLimits) {
        let is_limited = limits.connects_per_second_max.is_some() || limits.unauthenticated_max.is_some();
        self.table().limits = limits;
        self.is_limited.store(is_limited, Ordering::Relaxed);
    }

    /// A connection has come. `Ok(None)`: nothing has to be known of its address.
    pub(crate) fn arrive(
        self: &Arc<Self>,
        now: Timestamp,
        address: IpAddr,
    ) -> Result<Option<AddressPlace>, AddressRefusal> {
        if !self.is_limited.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let mut table = self.table();
        if table.is_exempt(address) {
            return Ok(None);
        }
        let client = Network::of_client(address);
        let AddressLimits { connects_per_second_max, unauthenticated_max, .. } = table.limits;
        let Some(known) = table.known(client, now) else { return Ok(None) };
        if unauthenticated_max.is_some_and(|max| known.unauthenticated >= max) {
            return Err(AddressRefusal::Unauthenticated);
        }
        if connects_per_second_max.is_some_and(|max| !known.may_connect(max, now)) {
            return Err(AddressRefusal::ConnectRate);
        }
        known.unauthenticated += 1;
        Ok(Some(AddressPlace { addresses: Arc::clone(self), client }))
    }

    /// Whether the limits do not apply to it.
    pub(crate) fn is_exempt(&self, address: IpAddr) -> bool {
        self.table().is_exempt(address)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn is_exempt(&self, address: IpAddr) -> bool {
        self.limits.exempt_networks.iter().any(|network| network.contains(address))
    }

    /// What is known of a client's address; `None` if there are too many others.
    fn known(&mut self, client: Network, now: Timestamp) -> Option<&mut Known> {
        if self.known.len() >= ADDRESSES_MAX && !self.known.contains_key(&client) {
            if now >= self.swept_at.plus_seconds(SWEEP_INTERVAL_SECONDS) {
                self.swept_at = now;
                self.known.retain(|_, known| known.is_needed(now));
            }
            if self.known.len() >= ADDRESSES_MAX {
                return None;
            }
        }
        Some(self.known.entry(client).or_default())
    }
}

impl Known {
    fn may_connect(&mut self, per_second_max: u32, now: Timestamp) -> bool {
        let now = now.0.saturating_mul(1000);
        let share = SECOND_MICROSECONDS / u64::from(per_second_max.max(1));
        let next = self.spread_until_microseconds.max(now).saturating_add(share);
        let may = next <= now.saturating_add(SECOND_MICROSECONDS);
        if may {
            self.spread_until_microseconds = next;
        }
        may
    }

    fn is_needed(&self, now: Timestamp) -> bool {
        self.unauthenticated > 0 || self.spread_until_microseconds > now.0.saturating_mul(1000)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

    fn addresses(connects_per_second_max: Option<u32>, unauthenticated_max: Option<u32>) -> Arc<Addresses> {
        let exempt_networks = vec!["10.0.0.0/8".parse().expect("a network")];
        Addresses::new(AddressLimits { exempt_networks, connects_per_second_max, unauthenticated_max })
    }

    #[test]
    fn each_address_has_its_own_rate() {
        let addresses = addresses(Some(3), None);
        let admitted = |address, now| (0..10).filter(|_| addresses.arrive(now, address).is_ok()).count();
        assert_eq!(admitted(HOST, Timestamp(5_000)), 3);
        assert_eq!(admitted(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 8)), Timestamp(5_000)), 3);
        assert_eq!(admitted(HOST, Timestamp(5_400)), 1);
        assert_eq!(admitted(HOST, Timestamp(60_000)), 3);
        assert_eq!(admitted(IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3)), Timestamp(5_000)), 10, "exempt");
    }

    #[test]
    fn places_of_an_address_are_given_back() {
        let addresses = addresses(None, Some(2));
        let arrive = || addresses.arrive(Timestamp(1), HOST);
        let first = arrive();
        let _second = arrive();
        assert_eq!(arrive().map(drop), Err(AddressRefusal::Unauthenticated));
        drop(first);
        assert!(arrive().is_ok());
    }

    #[test]
    fn without_limits_nothing_is_remembered() {
        let addresses = addresses(None, None);
        assert!(addresses.arrive(Timestamp(1), HOST).is_ok_and(|place| place.is_none()));
        assert!(addresses.table().known.is_empty());
    }

    #[test]
    fn the_table_is_bounded_and_forgets_who_is_quiet() {
        let addresses = addresses(Some(1), None);
        let host = |number: u32| IpAddr::V6(Ipv6Addr::from(u128::from(number) << 64));
        for number in 0..ADDRESSES_MAX as u32 + 10 {
            assert!(addresses.arrive(Timestamp(1_000), host(number)).is_ok());
        }
        assert_eq!(addresses.table().known.len(), ADDRESSES_MAX);
        assert!(addresses.arrive(Timestamp(10_000), HOST).is_ok_and(|place| place.is_some()));
        assert_eq!(addresses.table().known.len(), 1);
    }
}
