//! What a client or an address does too often bans it for a while.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::PoisonError;

use ferry_codec::ReasonCode;
use ferry_session::Timestamp;
use tokio::sync::oneshot;

use super::Accepting;
use super::ban_keeper::{BanKeeper, Kept};
use super::ban_list::BanOrigin;
use crate::config::{Ban, Network};

/// Bytes of a client identifier that are told in a reason.
const CLIENT_ID_CHARACTERS_MAX: usize = 64;

/// When an address, or a client from one, is banned without an operator. `None`: never.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MisbehaviourLimits {
    pub(crate) faults_per_minute_per_address_max: Option<u32>,
    pub(crate) reconnects_per_minute_max: Option<u32>,
    pub(crate) ban_seconds: u32,
    /// Takeovers of one client identifier in a minute above which it is two devices that have it.
    pub(crate) takeovers_per_minute_max: u32,
    /// How long such a client waits for its CONNACK.
    pub(crate) duel_pause_seconds: Option<u32>,
}

/// The address in the text that the core keeps of a peer.
pub(crate) fn ip_of(peer_address: &str) -> Option<IpAddr> {
    peer_address.parse::<SocketAddr>().ok().map(|address| address.ip())
}

/// Whether a client that is refused for this reason has done something that honest clients do not do often, rather than
/// come at a bad time.
pub(crate) fn is_fault(reason_code: ReasonCode) -> bool {
    matches!(
        reason_code,
        ReasonCode::UNSPECIFIED_ERROR
            | ReasonCode::MALFORMED_PACKET
            | ReasonCode::PROTOCOL_ERROR
            | ReasonCode::UNSUPPORTED_PROTOCOL_VERSION
            | ReasonCode::CLIENT_IDENTIFIER_NOT_VALID
            | ReasonCode::BAD_USER_NAME_OR_PASSWORD
            | ReasonCode::NOT_AUTHORIZED
            | ReasonCode::BAD_AUTHENTICATION_METHOD
            | ReasonCode::PACKET_TOO_LARGE
    )
}

impl Accepting {
    /// Why this client may not connect. Bans of its address alone are asked for when it comes.
    pub(crate) fn ban_of_client(
        &self,
        now: Timestamp,
        peer_address: &str,
        user_name: Option<&str>,
        client_id: &str,
    ) -> Option<Ban> {
        if self.bans.is_empty() {
            return None;
        }
        self.bans.of_client(now, ip_of(peer_address), user_name, client_id)
    }

    /// Why this client may not connect, by whatever part of what is known of it.
    pub(crate) fn ban_of(
        &self,
        now: Timestamp,
        peer_address: &str,
        user_name: Option<&str>,
        client_id: &str,
    ) -> Option<Ban> {
        let of_address = ip_of(peer_address).and_then(|address| self.bans.of_address(now, address));
        of_address.or_else(|| self.ban_of_client(now, peer_address, user_name, client_id))
    }

    /// A connection of this address has failed, or its client was refused.
    pub(crate) fn fault(&self, now: Timestamp, address: Option<IpAddr>) {
        let limits = self.limits().misbehaviour;
        let (Some(max), Some(address)) = (limits.faults_per_minute_per_address_max, address) else { return };
        if self.addresses.is_exempt(address) {
            return;
        }
        let network = Network::of_client(address);
        if !self.faults.lock().unwrap_or_else(PoisonError::into_inner).exceeds(network, max, now) {
            return;
        }
        let ban = Ban {
            network: Some(network),
            reason: format!("more than {max} connections that failed in a minute"),
            ..Ban::default()
        };
        self.ban_for_a_while(now, ban, limits.ban_seconds, "abuse.faults_per_minute_per_address_max");
    }

    /// A client has sent its CONNECT.
    pub(crate) fn connects(&self, now: Timestamp, peer_address: &str, client_id: &str) {
        let limits = self.limits().misbehaviour;
        let Some(max) = limits.reconnects_per_minute_max else { return };
        let address = ip_of(peer_address);
        if address.is_some_and(|address| self.addresses.is_exempt(address)) {
            return;
        }
        let network = address.map(Network::of_client);
        let key = (client_id.to_owned(), network);
        if !self.reconnects.lock().unwrap_or_else(PoisonError::into_inner).exceeds(key, max, now) {
            return;
        }
        let ban = Ban {
            network,
            client_id: Some(client_id.to_owned()),
            reason: format!("connected more than {max} times in a minute"),
            ..Ban::default()
        };
        self.ban_for_a_while(now, ban, limits.ban_seconds, "abuse.reconnects_per_minute_max");
    }

    /// Has the bans written, if they are kept; the answer comes when they are on the disk.
    pub(crate) fn keep_bans(&self) -> Option<oneshot::Receiver<Kept>> {
        self.ban_keeper.as_ref().map(BanKeeper::keep)
    }

    fn ban_for_a_while(&self, now: Timestamp, ban: Ban, seconds: u32, option: &str) {
        let whom = Whom(&ban).to_string();
        let reason = ban.reason.clone();
        let ban = Ban { until: Some(now.plus_seconds(seconds)), ..ban };
        match self.bans.add(now, ban, BanOrigin::Automatic) {
            Ok(()) => {
                tracing::info!(
                    "banned {whom} for {seconds} seconds: {reason} ({option}); if that is wrong, name its network in \
                     abuse.exempt_networks"
                );
                // Nobody waits for it.
                let _ = self.keep_bans();
            }
            Err(full) => tracing::info!("{whom} is not banned: {full}"),
        }
    }
}

/// Who is banned, for the log.
struct Whom<'a>(&'a Ban);

impl fmt::Display for Whom<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(client_id) = &self.0.client_id {
            let shown: String = client_id.chars().take(CLIENT_ID_CHARACTERS_MAX).collect();
            write!(formatter, "client {shown:?}")?;
            if self.0.network.is_some() {
                formatter.write_str(" from ")?;
            }
        }
        self.0.network.map_or(Ok(()), |network| network.fmt(formatter))
    }
}
