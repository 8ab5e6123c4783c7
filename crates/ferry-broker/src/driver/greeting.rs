use std::rc::Rc;
use std::sync::Arc;
use std::{fmt, io};

use ferry_auth::ClientCertificate;
use ferry_codec::DecodeLimits;
use ferry_core::{CloseCause, ConnInfo, FirstPacketHome, ListenerPolicy, ShardId, first_packet_home};
use ferry_net::{
    Accepted, CertificateNames, CloseCode, DetachedStream, HandshakeError, HandshakeLimits, HandshakeReason,
    ListenerOptions, PeerAddress, PeerInfo, Stream, Transport,
};
use ferry_session::Timestamp;
use tokio::time::timeout;

use super::conn::{Conn, Link, Unread};
use super::flush::LINGER_MAX;
use super::{Command, Driver};
use crate::accept::{Arrival, ConnectionPlaces, ListenerSetup, TurnedAway};
use crate::config::AuthenticatorKind;

/// Bytes read at a time while the home of a connection is not known.
const FIRST_READ_BYTES: usize = 4096;

/// A connection whose handshakes are done and whose home is known, on its way there.
pub(crate) struct Greeted {
    /// From now on the socket is watched together with all others.
    stream: DetachedStream,
    peer: PeerInfo,
    /// What was read already.
    first_bytes: Vec<u8>,
    policy: Arc<ListenerPolicy>,
    places: ConnectionPlaces,
    connect_deadline: Timestamp,
}

/// Why there will be no CONNECT.
enum Rude {
    /// What came is not MQTT.
    Stranger(HandshakeError),
    /// The transport has failed.
    Broken(io::Error),
}

impl Driver {
    /// From an accepted socket to a connection on its home shard: PROXY, TLS and WebSocket handshakes, then, if
    /// there are several shards, the CONNECT, which names the client. All of it within limits of time and size.
    pub(crate) async fn greet(self: Rc<Self>, listener: Arc<ListenerSetup>, arrival: Arrival) {
        let Arrival { accepted, mut places, handshake } = arrival;
        let limits = self.accepting.limits();
        let shaken = self.shake_hands(&listener, accepted, limits.handshake, &mut places).await;
        drop(handshake);
        let Some(mut stream) = shaken else { return };
        let connect_deadline = self.now().plus_milliseconds(limits.connect_timeout.as_millis() as u64);
        let greeting = async {
            stream.expect_mqtt().await.map_err(Rude::Stranger)?;
            self.read_home(&mut stream, &limits.decode).await.map_err(Rude::Broken)
        };
        match timeout(limits.connect_timeout, greeting).await {
            Ok(Ok((first_bytes, home))) => {
                let policy = Arc::clone(&listener.policy);
                match stream.into_detached() {
                    Ok((stream, peer)) => {
                        let greeted = Greeted { stream, peer, first_bytes, policy, places, connect_deadline };
                        self.settle(greeted, home);
                    }
                    Err(error) => tracing::debug!(%error, "a connection could not be taken from the runtime"),
                }
            }
            Ok(Err(Rude::Stranger(error))) => self.refuse_stranger(&listener, &error),
            Ok(Err(Rude::Broken(error))) => {
                self.refuse_broken(stream.peer().address, &error);
                stream.close(CloseCode::ProtocolError, LINGER_MAX).await;
            }
            Err(_) => {
                let (peer, listener) = (stream.peer().address, &listener.policy.name);
                self.refuse(
                    "connect_timeout",
                    format_args!("refused {peer} on {listener}: no whole CONNECT in time"),
                );
                self.accepting.fault(self.now(), peer.ip().map(|address| address.ip()));
                // Where there is nothing to be said, its place is free at once.
                if !matches!(stream.peer().transport, Transport::Tcp | Transport::Unix) {
                    stream.close(CloseCode::PolicyViolation, LINGER_MAX).await;
                }
            }
        }
    }

    /// Counts and explains that a connection is closed at the door.
    pub(crate) fn turn_away(&self, peer: &PeerAddress, listener: &ListenerSetup, turned_away: TurnedAway) {
        let listener = &listener.policy.name;
        match turned_away {
            TurnedAway::Limit { counter, option } => {
                self.refuse(counter, format_args!("refused {peer} on {listener}: {option} is reached"));
            }
            TurnedAway::Banned => {
                self.refuse("banned", format_args!("refused {peer} on {listener}: its address is banned"));
            }
        }
    }

    /// Whoever comes to the wrong door hears at most from the transport.
    fn refuse_stranger(&self, listener: &ListenerSetup, error: &HandshakeError) {
        let name = error.reason.name();
        if error.reason == HandshakeReason::Disconnected {
            // Those who only look whether somebody is there are not refused.
            tracing::debug!(listener = %listener.policy.name, "{error}");
            return self.count_refusal(name);
        }
        self.refuse(name, format_args!("refused {error} ({})", listener.policy.name));
        self.accepting.fault(self.now(), error.peer.ip().map(|address| address.ip()));
    }

    /// The input has ended as it must not.
    pub(super) fn refuse_broken(&self, peer: impl fmt::Display, error: &io::Error) {
        let name = ferry_net::failure_name(error);
        if error.kind() != io::ErrorKind::InvalidData {
            // The network's fault, or nobody's.
            tracing::debug!(%peer, %error, "reading failed");
            return self.count_refusal(name);
        }
        self.refuse(name, format_args!("disconnected {peer}: {error}"));
    }

    async fn shake_hands(
        &self,
        listener: &ListenerSetup,
        accepted: Accepted,
        limits: HandshakeLimits,
        places: &mut ConnectionPlaces,
    ) -> Option<Stream> {
        let options = ListenerOptions { limits, ..listener.options.clone() };
        // Boxed: of all that is kept for a connection this is the largest part, and it is soon over.
        let admits = |address: &PeerAddress| match self.accepting.screen(self.now(), address) {
            Ok(screened) => {
                places.screened(screened);
                true
            }
            Err(turned_away) => {
                self.turn_away(address, listener, turned_away);
                false
            }
        };
        match Box::pin(accepted.handshake_if(&options, admits)).await {
            Ok(stream) => Some(stream),
            // Counted and explained when it was decided.
            Err(error) if error.reason == HandshakeReason::NotAdmitted => None,
            Err(error) => {
                self.refuse_stranger(listener, &error);
                None
            }
        }
    }

    /// Reads until it is known where the client is at home.
    async fn read_home(
        &self,
        stream: &mut Stream,
        limits: &DecodeLimits,
    ) -> io::Result<(Vec<u8>, FirstPacketHome)> {
        let mut first_bytes = Vec::new();
        loop {
            let home = first_packet_home(&first_bytes, limits, self.shard_count());
            if home != FirstPacketHome::Unknown {
                return Ok((first_bytes, home));
            }
            stream.readable().await?;
            let mut scratch = self.scratch.borrow_mut();
            match stream.try_read(&mut scratch[..FIRST_READ_BYTES]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => first_bytes.extend_from_slice(&scratch[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn settle(self: &Rc<Self>, greeted: Greeted, home: FirstPacketHome) {
        let shard = match home {
            FirstPacketHome::Shard(shard) => shard,
            FirstPacketHome::Any | FirstPacketHome::Unknown => self.next_shard(),
        };
        if shard == self.id {
            return self.adopt(greeted);
        }
        self.mailboxes[usize::from(shard.0)].command(Command::Adopt(Box::new(greeted)));
    }

    /// For a client that may live anywhere. Where it was accepted does not tell who has little to do: on a quiet broker
    /// it is always the same shard.
    fn next_shard(&self) -> ShardId {
        let next = (self.next_shard.get().0 + 1) % self.shard_count();
        self.next_shard.replace(ShardId(next))
    }

    /// Makes a connection known to the core.
    pub(super) fn adopt(self: &Rc<Self>, greeted: Greeted) {
        if self.stopping.get().is_some() {
            return;
        }
        let Greeted { stream, peer, first_bytes, policy, places, connect_deadline } = greeted;
        let peer_user_id = peer_user_id(&peer, &policy);
        let info = conn_info(&peer, policy, connect_deadline);
        let id = self.shard.borrow_mut().open(self.now(), info, &mut self.effects.borrow_mut());
        if let Some(user_id) = peer_user_id {
            self.peer_user_ids.borrow_mut().insert(id, user_id);
        }
        let watched = self.sockets.borrow().watch(&stream, id);
        let resumed = !first_bytes.is_empty();
        let conn = Rc::new(Conn::new(id, Link { stream, places, unread: Unread::new(first_bytes) }));
        conn.resumed.set(resumed);
        self.conns.borrow_mut().insert(Rc::clone(&conn));
        // Of what is here already no event will tell.
        self.queue(&conn);
        self.want_turn();
        if let Err(error) = watched {
            tracing::debug!(%error, "a socket cannot be watched");
            self.lose(&conn, CloseCause::Error);
        }
    }
}

/// The user that the client's process runs as, if its listener asks for it.
fn peer_user_id(peer: &PeerInfo, policy: &ListenerPolicy) -> Option<u32> {
    let PeerAddress::Unix { user_id, .. } = peer.address else { return None };
    user_id.filter(|_| policy.authenticators.iter().any(|name| **name == *AuthenticatorKind::Peer.name()))
}

fn certificate(der: &[u8]) -> ferry_core::Certificate {
    let names = CertificateNames::of(der);
    ferry_core::Certificate(Arc::new(ClientCertificate {
        subject: names.subject.into(),
        alternative_names: names.alternative_names.into_iter().map(Into::into).collect(),
        fingerprint: names.fingerprint.into(),
    }))
}

/// The common name of the client's certificate, and the whole of it: shown to us, else to the proxy, as far as that tells.
fn client_certificate(peer: &PeerInfo) -> (Option<&str>, Option<&[u8]>) {
    let shown = peer.tls.as_deref().and_then(|tls| Some((tls, tls.certificates.first()?)));
    match (shown, peer.proxy_tls.as_deref()) {
        (Some((tls, der)), _) => (tls.common_name.as_deref(), Some(der)),
        (None, Some(proxied)) => (proxied.common_name.as_deref(), proxied.certificate.as_deref()),
        (None, None) => (None, None),
    }
}

fn conn_info(peer: &PeerInfo, policy: Arc<ListenerPolicy>, connect_deadline: Timestamp) -> ConnInfo {
    let (common_name, der) = client_certificate(peer);
    ConnInfo {
        listener: policy,
        peer_address: peer.address.to_string().into(),
        certificate_common_name: common_name.map(Box::from),
        certificate: der.map(certificate),
        psk_identity: peer.tls.as_ref().and_then(|tls| tls.psk_identity.as_deref()).map(Box::from),
        transport: match peer.transport {
            Transport::Tcp => ferry_core::Transport::Tcp,
            Transport::Tls => ferry_core::Transport::Tls,
            Transport::Ws => ferry_core::Transport::WebSocket,
            Transport::Wss => ferry_core::Transport::SecureWebSocket,
            Transport::Unix => ferry_core::Transport::Unix,
        },
        connect_deadline: Some(connect_deadline),
    }
}
