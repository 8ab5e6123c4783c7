use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ferry_codec::DecodeLimits;
use ferry_core::ListenerPolicy;
use ferry_net::{Accepted, HandshakeLimits, ListenerOptions, PeerAddress};
use ferry_session::Timestamp;

use super::addresses::{AddressLimits, AddressPlace, AddressRefusal, Addresses};
use super::ban_keeper::BanKeeper;
use super::ban_list::BanList;
use super::gauge::{Gauge, Place};
use super::misbehaviour::MisbehaviourLimits;
use super::overload::{Overload, OverloadLimits};
use super::per_minute::PerMinute;
use super::rate_limit::RateLimit;
use crate::config::{Ban, Network};

/// How many connections may come, and how long they may take to say who they are. Shared by all shards.
pub(crate) struct Accepting {
    connections: Arc<Gauge>,
    handshakes: Arc<Gauge>,
    unauthenticated: Arc<Gauge>,
    pub(super) addresses: Arc<Addresses>,
    pub(super) faults: Mutex<PerMinute<Network>>,
    pub(super) reconnects: Mutex<PerMinute<(String, Option<Network>)>>,
    pub(crate) bans: Arc<BanList>,
    pub(crate) overload: Overload,
    /// `None`: what is banned at run time ends with the process.
    pub(super) ban_keeper: Option<BanKeeper>,
    rate: RateLimit,
    limits: RwLock<Arc<AcceptLimits>>,
}

/// The limits of [`Accepting`].
#[derive(Clone, Debug)]
pub(crate) struct AcceptLimits {
    pub(crate) connections_max: usize,
    pub(crate) connects_per_second_max: u32,
    pub(crate) handshakes_max: usize,
    pub(crate) unauthenticated_max: usize,
    pub(crate) address: AddressLimits,
    pub(crate) misbehaviour: MisbehaviourLimits,
    pub(crate) bans: Vec<Ban>,
    pub(crate) overload: OverloadLimits,
    pub(crate) handshake: HandshakeLimits,
    /// From the end of the handshakes to a whole CONNECT.
    pub(crate) connect_timeout: Duration,
    /// What a CONNECT may hold.
    pub(crate) decode: DecodeLimits,
}

/// A listener, as all shards that accept from it see it.
pub(crate) struct ListenerSetup {
    pub(crate) policy: Arc<ListenerPolicy>,
    /// The limits in it are those of [`AcceptLimits`] instead.
    pub(crate) options: ListenerOptions,
    pub(crate) connections: Arc<Gauge>,
}

/// A connection that was let in, with the places it takes up.
pub(crate) struct Arrival {
    pub(crate) accepted: Accepted,
    pub(crate) places: ConnectionPlaces,
    pub(crate) handshake: Place,
}

/// Why a connection was turned away at the door.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TurnedAway {
    Limit {
        /// The name of its counter.
        counter: &'static str,
        /// The option that sets it.
        option: &'static str,
    },
    /// Its address is banned.
    Banned,
}

/// A connection whose address may connect.
#[derive(Debug)]
pub(crate) struct Screened(Option<AddressPlace>);

/// The places of a connection of which it is not known who it is.
#[derive(Debug)]
pub(crate) struct Unauthenticated {
    _in_broker: Place,
    of_address: Option<AddressPlace>,
}

/// The places a connection takes up until it is closed.
pub(crate) struct ConnectionPlaces {
    _in_broker: Place,
    _on_listener: Place,
    unauthenticated: Cell<Option<Box<Unauthenticated>>>,
}

impl ConnectionPlaces {
    /// The address is known only now, behind a PROXY header.
    pub(crate) fn screened(&mut self, screened: Screened) {
        if let Some(unauthenticated) = self.unauthenticated.get_mut() {
            unauthenticated.of_address = screened.0;
        }
    }

    /// It is known who it is: the places are free for others.
    pub(crate) fn authenticated(&self) {
        self.unauthenticated.take();
    }
}

impl ListenerSetup {
    pub(crate) fn new(
        policy: ListenerPolicy,
        options: ListenerOptions,
        connections_max: Option<u32>,
    ) -> Self {
        Self { policy: Arc::new(policy), options, connections: Gauge::new(gauge_max(connections_max)) }
    }

    /// The same listener with new rules. Its connections keep their places.
    pub(crate) fn changed(
        &self,
        policy: ListenerPolicy,
        options: ListenerOptions,
        connections_max: Option<u32>,
    ) -> Self {
        self.connections.set_max(gauge_max(connections_max));
        Self { policy: Arc::new(policy), options, connections: Arc::clone(&self.connections) }
    }
}

fn gauge_max(connections_max: Option<u32>) -> usize {
    connections_max.map_or(usize::MAX, |max| max as usize)
}

impl Accepting {
    /// `bans` are those of the run time; `ban_keeper` keeps them.
    pub(crate) fn new(limits: AcceptLimits, bans: Arc<BanList>, ban_keeper: Option<BanKeeper>) -> Self {
        bans.configure(&limits.bans);
        Self {
            connections: Gauge::new(limits.connections_max),
            handshakes: Gauge::new(limits.handshakes_max),
            unauthenticated: Gauge::new(limits.unauthenticated_max),
            addresses: Addresses::new(limits.address.clone()),
            faults: Mutex::default(),
            reconnects: Mutex::default(),
            bans,
            overload: Overload::new(limits.overload),
            ban_keeper,
            rate: RateLimit::new(limits.connects_per_second_max),
            limits: RwLock::new(Arc::new(limits)),
        }
    }

    /// The limits for a connection that comes now.
    pub(crate) fn limits(&self) -> Arc<AcceptLimits> {
        Arc::clone(&self.limits.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// New limits, for the connections that come from now on.
    pub(crate) fn reload(&self, limits: AcceptLimits) {
        self.connections.set_max(limits.connections_max);
        self.handshakes.set_max(limits.handshakes_max);
        self.unauthenticated.set_max(limits.unauthenticated_max);
        self.bans.configure(&limits.bans);
        self.addresses.set_limits(limits.address.clone());
        self.rate.set_max(limits.connects_per_second_max);
        self.overload.set_limits(limits.overload);
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(limits);
    }

    /// Whether an address may connect now.
    pub(crate) fn screen(&self, now: Timestamp, address: &PeerAddress) -> Result<Screened, TurnedAway> {
        let Some(address) = address.ip() else { return Ok(Screened(None)) };
        if self.bans.of_address(now, address.ip()).is_some() {
            return Err(TurnedAway::Banned);
        }
        self.addresses.arrive(now, address.ip()).map(Screened).map_err(|refusal| match refusal {
            AddressRefusal::ConnectRate => TurnedAway::Limit {
                counter: "address_connect_rate",
                option: "abuse.connects_per_second_per_address_max",
            },
            AddressRefusal::Unauthenticated => TurnedAway::Limit {
                counter: "address_unauthenticated_max",
                option: "abuse.unauthenticated_per_address_max",
            },
        })
    }

    /// Lets a connection in, or says at which limit it failed.
    pub(super) fn admit(
        &self,
        now: Timestamp,
        listener: &ListenerSetup,
        accepted: Accepted,
    ) -> Result<Arrival, TurnedAway> {
        let full = |counter, option| TurnedAway::Limit { counter, option };
        // That of a proxy says nothing; the client's own comes later.
        let screened = match listener.options.proxy_protocol {
            true => Screened(None),
            false => self.screen(now, accepted.peer())?,
        };
        // Others are told in CONNACK; here the handshake is what costs.
        if listener.options.tls.is_some()
            && let Some(strain) = self.overload.strain(now)
        {
            return Err(full("overload", strain.option()));
        }
        if !self.rate.allows(now) {
            return Err(full("connect_rate", "limits.connects_per_second_max"));
        }
        let in_broker = self.connections.take().ok_or(full("connections_max", "limits.connections_max"))?;
        let on_listener = listener.connections.take();
        let on_listener =
            on_listener.ok_or(full("listener_connections_max", "the listener's connections_max"))?;
        let handshake = self.handshakes.take().ok_or(full("handshakes_max", "limits.handshakes_max"))?;
        let unauthenticated =
            self.unauthenticated.take().ok_or(full("unauthenticated_max", "limits.unauthenticated_max"))?;
        let unauthenticated = Unauthenticated { _in_broker: unauthenticated, of_address: screened.0 };
        let unauthenticated = Cell::new(Some(Box::new(unauthenticated)));
        let places = ConnectionPlaces { _in_broker: in_broker, _on_listener: on_listener, unauthenticated };
        Ok(Arrival { accepted, places, handshake })
    }
}
