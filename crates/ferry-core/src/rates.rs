//! How fast a client, a user and an address may go. Whoever is faster is read more slowly, so that nothing it has sent is
//! lost; and who connects anew has used up already what it had used up before.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use ferry_codec::ReasonCode;
use ferry_session::{StoredWill, Timestamp};

use crate::conn::Paused;
use crate::fault::Fault;
use crate::meter::{Meter, MeterTable, Rate};
use crate::shard::Shard;
use crate::turn::Turn;
use crate::{ConnId, CoreConfig, Identity, ListenerPolicy, RateKind, RateLimits, RateScope};

/// The type of a PUBLISH in the fixed header (Table 2-1).
const PUBLISH: u8 = 3;

/// After a client was told of as one that is too fast, it is not told of again for so long.
const TOLD_SECONDS: u32 = 60;

/// A client that is read more slowly than it sends: words for the log. The counters have it already.
#[derive(Clone, Debug)]
pub struct SlowedClient {
    /// Where it came in.
    pub listener: Arc<ListenerPolicy>,
    /// Who it is, as far as the network knows.
    pub peer_address: Box<str>,
    /// Who it is.
    pub client_id: Arc<str>,
    /// The name that was proven.
    pub user_name: Option<Arc<str>>,
    /// Whose rate was exceeded.
    pub scope: RateScope,
    /// What there was too much of.
    pub kind: RateKind,
}

/// What a connection counts for: its client, the user, the address, as far as they have limits.
pub(crate) struct Rates {
    counted: Vec<Counted>,
    /// Until when nobody is told again that the connection is too fast.
    told_until: Timestamp,
}

struct Counted {
    scope: RateScope,
    limits: RateLimits,
    meter: Arc<Meter>,
}

/// When the next packet may be taken, and which of the limits says so.
type Next = Option<(Timestamp, RateScope, RateKind)>;

/// The meters of users and addresses, who may be on all shards at the same time. Asked once for each connection.
pub(crate) struct SharedMeters {
    users: Mutex<MeterTable<Arc<str>>>,
    addresses: Mutex<MeterTable<Address>>,
}

/// One address of IPv4, or 64 bits of one of IPv6: the least that a customer of a provider gets (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Address(IpAddr);

impl From<&Address> for Address {
    fn from(address: &Address) -> Self {
        *address
    }
}

impl Address {
    fn of(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            address @ IpAddr::V4(_) => address,
        })
    }
}

impl SharedMeters {
    pub(crate) fn new(seed: u64) -> Self {
        Self { users: Mutex::new(MeterTable::new(seed)), addresses: Mutex::new(MeterTable::new(!seed)) }
    }

    fn of_user(&self, user_name: &str, now: Timestamp) -> Option<Arc<Meter>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).meter(user_name, now)
    }

    fn of_address(&self, address: Address, now: Timestamp) -> Option<Arc<Meter>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).meter(&address, now)
    }
}

impl Counted {
    /// Counts, and tells when the next may come.
    fn charge(&self, kind: RateKind, amount: usize, now: Timestamp) -> Next {
        let (max, pace) = match kind {
            RateKind::Publishes => (self.limits.publishes_per_second_max, &self.meter.publishes),
            RateKind::ReceivedBytes => {
                (self.limits.received_bytes_per_second_max, &self.meter.received_bytes)
            }
            RateKind::Subscribes => (self.limits.subscribes_per_second_max, &self.meter.subscribes),
        };
        let next = pace.charge(amount, Rate::per_second(max?), now);
        (next > now).then_some((next, self.scope, kind))
    }
}

impl Rates {
    fn charge(&self, kind: RateKind, amount: usize, now: Timestamp) -> Next {
        self.counted.iter().filter_map(|counted| counted.charge(kind, amount, now)).max_by_key(|next| next.0)
    }

    /// A whole packet has come.
    fn charge_packet(&self, frame: &[u8], now: Timestamp) -> Next {
        let by_bytes = self.charge(RateKind::ReceivedBytes, frame.len(), now);
        let is_publish = frame.first().is_some_and(|first| first >> 4 == PUBLISH);
        let by_publishes = if is_publish { self.charge(RateKind::Publishes, 1, now) } else { None };
        by_bytes.into_iter().chain(by_publishes).max_by_key(|next| next.0)
    }

    /// Its client has connected, maybe not for the first time. A will counts like the PUBLISH that it may become: those who
    /// connect only to leave one are no faster by that.
    fn charge_connect(&self, will: Option<&StoredWill>, now: Timestamp) -> Next {
        let will_bytes = will.map_or(0, |will| will.topic.len() + will.payload.len());
        let amounts = [
            (RateKind::Publishes, usize::from(will.is_some())),
            (RateKind::ReceivedBytes, will_bytes),
            (RateKind::Subscribes, 0),
        ];
        let next = amounts.into_iter().filter_map(|(kind, amount)| self.charge(kind, amount, now));
        next.max_by_key(|next| next.0)
    }
}

impl CoreConfig {
    /// The limits that count for `address`; those of no address if it is exempt.
    fn address_rates_of(&self, address: IpAddr) -> RateLimits {
        let is_exempt = self.exempt_addresses.iter().any(|range| range.contains(&address));
        if is_exempt { RateLimits::default() } else { self.address_rates }
    }

    fn has_rates(&self) -> bool {
        [self.client_rates, self.user_rates, self.address_rates].iter().any(RateLimits::is_limited)
    }
}

impl Shard {
    /// What a client counts for from now on; `None` if nothing has a limit.
    pub(crate) fn rates_of(&mut self, id: ConnId, identity: &Identity, now: Timestamp) -> Option<Box<Rates>> {
        if !self.config.has_rates() {
            return None;
        }
        let mut counted = Vec::new();
        let mut count = |scope, limits: RateLimits, meter: Option<Arc<Meter>>| {
            // Who is not remembered counts for this connection.
            counted.push(Counted { scope, limits, meter: meter.unwrap_or_default() });
        };
        if self.config.client_rates.is_limited() {
            let meter = self.client_meters.meter(&*identity.client_id, now);
            count(RateScope::Client, self.config.client_rates, meter);
        }
        if let Some(user_name) = &identity.user_name
            && self.config.user_rates.is_limited()
        {
            count(RateScope::User, self.config.user_rates, self.shared.meters.of_user(user_name, now));
        }
        let address = self.conns.get(id).and_then(|conn| conn.info.peer_address().parse::<SocketAddr>().ok());
        if let Some(address) = address.map(|address| address.ip().to_canonical()) {
            let limits = self.config.address_rates_of(address);
            if limits.is_limited() {
                let meter = self.shared.meters.of_address(Address::of(address), now);
                count(RateScope::Address, limits, meter);
            }
        }
        let rates = Rates { counted, told_until: Timestamp(0) };
        (!rates.counted.is_empty()).then(|| Box::new(rates))
    }

    /// Reads no further from a client that sends more than it may in a second, until it may again.
    pub(crate) fn limit_rate(&mut self, turn: &mut Turn<'_>, id: ConnId, frame: &[u8]) {
        let rates = self.conns.get(id).and_then(|conn| conn.rates.as_deref());
        let next = rates.and_then(|rates| rates.charge_packet(frame, turn.now));
        self.read_again_at(turn, id, next);
    }

    /// The same for the filters that it subscribes to or unsubscribes from.
    pub(crate) fn limit_subscribes(&mut self, turn: &mut Turn<'_>, id: ConnId, filters: usize) {
        let rates = self.conns.get(id).and_then(|conn| conn.rates.as_deref());
        let next = rates.and_then(|rates| rates.charge(RateKind::Subscribes, filters, turn.now));
        self.read_again_at(turn, id, next);
    }

    /// The same for what its client had used up before it connected.
    pub(crate) fn limit_newcomer(&mut self, turn: &mut Turn<'_>, id: ConnId, will: Option<&StoredWill>) {
        let rates = self.conns.get(id).and_then(|conn| conn.rates.as_deref());
        let next = rates.and_then(|rates| rates.charge_connect(will, turn.now));
        self.read_again_at(turn, id, next);
    }

    fn read_again_at(&mut self, turn: &mut Turn<'_>, id: ConnId, next: Next) {
        let Some((next, scope, kind)) = next else { return };
        let Some(conn) = self.conns.get_mut(id).filter(|conn| !conn.is_closing()) else { return };
        conn.rate_limited_until =
            if conn.rate_limited_until.is_never() { next } else { conn.rate_limited_until.max(next) };
        self.counters.rate_pauses += 1;
        match scope {
            RateScope::Client => {}
            RateScope::User => self.counters.rate_pauses_by_user += 1,
            RateScope::Address => self.counters.rate_pauses_by_address += 1,
        }
        self.note_slowed_client(turn, id, scope, kind);
        self.pause(turn, id, Paused::RATE);
        self.arm_conn(id);
    }

    /// Tells of a client that is too fast, once a minute: it may be paused many times a second.
    fn note_slowed_client(&mut self, turn: &mut Turn<'_>, id: ConnId, scope: RateScope, kind: RateKind) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Some(session) = conn.session().and_then(|session| self.sessions.get(session)) else { return };
        let Some(rates) = conn.rates.as_deref_mut().filter(|rates| rates.told_until <= turn.now) else {
            return;
        };
        rates.told_until = turn.now.plus_seconds(TOLD_SECONDS);
        turn.effects.slowed_clients.push(SlowedClient {
            listener: Arc::clone(&conn.info.listener),
            peer_address: conn.info.peer_address().into(),
            client_id: Arc::clone(session.client_id()),
            user_name: session.identity.user_name.clone(),
            scope,
            kind,
        });
    }

    /// New limits hold for the connections that are there too: no client was told of them.
    pub(crate) fn renew_rates(&mut self, before: &CoreConfig) {
        let of = |config: &CoreConfig| {
            let exempt_addresses = config.exempt_addresses.clone();
            (config.client_rates, config.user_rates, config.address_rates, exempt_addresses)
        };
        if of(&self.config) == of(before) {
            return;
        }
        for id in self.conns.ids() {
            let session = self.conns.get(id).and_then(|conn| conn.session());
            let Some(session) = session.and_then(|session| self.sessions.get(session)) else { continue };
            let identity = session.identity.clone();
            let rates = self.rates_of(id, &identity, self.now);
            if let Some(conn) = self.conns.get_mut(id) {
                conn.rates = rates;
            }
        }
    }
}

/// Whether one more may connect, and counts it. Of who it is there is proof: nobody can use up what others may.
pub(crate) fn check_connect_rate(rates: Option<&Rates>, now: Timestamp) -> Result<(), Fault> {
    let counted = rates.map_or(&[][..], |rates| &rates.counted);
    let limited = || {
        counted.iter().filter_map(|counted| {
            let rate = Rate::per_minute(counted.limits.connects_per_minute_max?);
            Some((counted, rate))
        })
    };
    let too_fast = limited().find(|(counted, rate)| counted.meter.connects.next(*rate, now) > now);
    if let Some((counted, _)) = too_fast {
        let detail = match counted.scope {
            RateScope::Client => "the client identifier connects too often",
            RateScope::User => "the user connects too often",
            RateScope::Address => "the address connects too often",
        };
        return Err(Fault::new(ReasonCode::CONNECTION_RATE_EXCEEDED, detail));
    }
    for (counted, rate) in limited() {
        counted.meter.connects.charge(1, rate, now);
    }
    Ok(())
}
