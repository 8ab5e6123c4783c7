//! `[abuse]`: how much one address, and one user, may ask of the broker.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ban::Ban;
use super::network::Network;
use super::option::section;
use super::quantity::KIB;
use super::value::Kind;

section! {
    /// How much one address, and one user, may ask of the broker. An address is one of IPv4, or the first 64 bits of one of
    /// IPv6; behind the PROXY protocol it is the client's own. What is about connections of an address is kept before TLS and
    /// passwords cost anything. A rate holds for all connections together and for those that were before: nobody gains by
    /// connecting anew.
    pub struct Abuse = "abuse" {
        /// Addresses and networks to which none of the limits for one address apply, such as
        /// `["127.0.0.0/8", "10.20.0.0/16"]`.
        exempt_networks: Vec<Network> = loopback(), Kind::Networks, Live;

        /// Connections of one address in one second. Those above it are closed at once. Many devices may share an address
        /// behind a router, and all come back at the same time.
        connects_per_second_per_address_max: Option<u32> = None,
            Kind::Or("none", &Kind::Count { min: 1, max: 1_000_000 }), Live;

        /// Connections of one address of which it is not known yet who it is: in a handshake, without a CONNECT, or in the
        /// middle of an authentication. Those above it are closed at once.
        unauthenticated_per_address_max: Option<u32> = None,
            Kind::Or("none", &Kind::Count { min: 1, max: 1_000_000 }), Live;

        /// Connections of one address in one minute that fail: handshakes that are broken off, no CONNECT in time,
        /// malformed packets, wrong passwords. An address above it is banned for `ban_seconds`.
        faults_per_minute_per_address_max: Option<u32> = None,
            Kind::Or("none", &Kind::Count { min: 1, max: 1_000_000 }), Live;

        /// CONNECTs with one client identifier from one address in one minute. Above it this client identifier is banned
        /// for `ban_seconds` from this address, and from no other.
        reconnects_per_minute_max: Option<u32> = None,
            Kind::Or("none", &Kind::Count { min: 1, max: 1_000_000 }), Live;

        /// How long who was banned by the two options above may not connect.
        ban_seconds: u32 = 600, Kind::Seconds { min: 1, max: 31_536_000 }, Live;

        /// CONNECTs with one client identifier in one minute, wherever they come from. Those above it are refused with 0x9F;
        /// a minute's worth may come at once.
        connects_per_minute_per_client_max: Option<u32> = None,
            Kind::Or("none", &Kind::Count { min: 1, max: 100_000_000 }), Live;

        /// CONNECTs of one user in one minute, on all its clients together. Those above it are refused with 0x9F; a
        /// minute's worth may come at once, which should be enough for all its clients to come back.
        connects_per_minute_per_user_max: Option<u32> = None,
            Kind::Or("none", &Kind::Count { min: 1, max: 100_000_000 }), Live;

        /// PUBLISH packets that all clients of one user together may send in one second, wills included. Above it
        /// they are read more slowly.
        publishes_per_second_per_user_max: Option<u32> = None,
            Kind::Or("none", &Kind::Count { min: 1, max: 100_000_000 }), Live;

        /// Bytes of packets that all clients of one user together may send in one second. Above it they are read
        /// more slowly.
        received_bytes_per_second_per_user_max: Option<u32> = None,
            Kind::Or("none", &Kind::Bytes { min: KIB, max: 1 << 31 }), Live;

        /// Topic filters that all clients of one user together may subscribe to and unsubscribe from in one
        /// second. Above it they are read more slowly.
        subscribes_per_second_per_user_max: Option<u32> = None,
            Kind::Or("none", &Kind::Count { min: 1, max: 100_000_000 }), Live;

        /// PUBLISH packets that all clients of one address together may send in one second, wills included. Above it
        /// they are read more slowly.
        publishes_per_second_per_address_max: Option<u32> = None,
            Kind::Or("none", &Kind::Count { min: 1, max: 100_000_000 }), Live;

        /// Bytes of packets that all clients of one address together may send in one second. Above it they are read
        /// more slowly.
        received_bytes_per_second_per_address_max: Option<u32> = None,
            Kind::Or("none", &Kind::Bytes { min: KIB, max: 1 << 31 }), Live;

        /// Topic filters that all clients of one address together may subscribe to and unsubscribe from in one
        /// second. Above it they are read more slowly.
        subscribes_per_second_per_address_max: Option<u32> = None,
            Kind::Or("none", &Kind::Count { min: 1, max: 100_000_000 }), Live;

        /// How often a client identifier may be taken over in one minute by another connection. Above it two devices have
        /// the same one, and the log names the addresses of both.
        takeovers_per_minute_max: u32 = 5, Kind::Count { min: 1, max: 1_000_000 }, Live;

        /// How long a client whose identifier is taken over more often than that waits for its CONNACK: shorter than
        /// `limits.authentication_timeout_seconds`. Until then the other one is connected.
        duel_pause_seconds: Option<u32> = None, Kind::Or("none", &Kind::Seconds { min: 1, max: 3_600 }), Live;

        /// Who may not connect, each a block of its own: `[[abuse.ban]]` with any of `address` (or a network), `user` and
        /// `client_id`, of which all must fit, and if wanted `until`, such as `"2026-12-31T18:00:00Z"`, and `reason`, which
        /// only the log tells. As one text: `"address=192.0.2.0/24; until=2026-12-31; reason=it floods"`.
        ban: Vec<Ban> = Vec::new(), Kind::Bans, Live;
    }
}

fn loopback() -> Vec<Network> {
    vec![Network::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8), Network::of(IpAddr::V6(Ipv6Addr::LOCALHOST))]
}
