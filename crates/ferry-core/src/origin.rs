use std::sync::Arc;

use crate::{Certificate, ClientOrigin, ConnInfo, Grants, ListenerPolicy, Transport};

/// Where a connection comes from: [`ConnInfo`] as it is kept, in less memory.
pub(crate) struct Origin {
    pub(crate) listener: Arc<ListenerPolicy>,
    peer: Peer,
}

/// The longest address of IPv4 with its port takes as many.
const SHORT_BYTES_MAX: usize = 21;

enum Peer {
    /// A short address, and neither certificate nor key.
    Short {
        transport: Transport,
        length: u8,
        bytes: [u8; SHORT_BYTES_MAX],
    },
    Other(Box<OtherPeer>),
}

struct OtherPeer {
    transport: Transport,
    address: Box<str>,
    certificate_common_name: Option<Box<str>>,
    certificate: Option<Certificate>,
    psk_identity: Option<Box<str>>,
}

impl Origin {
    pub(crate) fn new(info: ConnInfo) -> Self {
        let ConnInfo {
            listener,
            peer_address: address,
            certificate_common_name,
            certificate,
            psk_identity,
            transport,
            connect_deadline: _,
        } = info;
        let mut bytes = [0; SHORT_BYTES_MAX];
        let peer = match bytes.get_mut(..address.len()) {
            Some(short)
                if certificate_common_name.is_none() && certificate.is_none() && psk_identity.is_none() =>
            {
                short.copy_from_slice(address.as_bytes());
                Peer::Short { transport, length: address.len() as u8, bytes }
            }
            _ => Peer::Other(Box::new(OtherPeer {
                transport,
                address,
                certificate_common_name,
                certificate,
                psk_identity,
            })),
        };
        Self { listener, peer }
    }

    pub(crate) fn peer_address(&self) -> &str {
        match &self.peer {
            Peer::Short { length, bytes, .. } => {
                std::str::from_utf8(&bytes[..usize::from(*length)]).expect("it was copied from a string")
            }
            Peer::Other(other) => &other.address,
        }
    }

    pub(crate) fn certificate_common_name(&self) -> Option<&str> {
        match &self.peer {
            Peer::Short { .. } => None,
            Peer::Other(other) => other.certificate_common_name.as_deref(),
        }
    }

    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        match &self.peer {
            Peer::Short { .. } => None,
            Peer::Other(other) => other.certificate.as_ref(),
        }
    }

    pub(crate) fn psk_identity(&self) -> Option<&str> {
        match &self.peer {
            Peer::Short { .. } => None,
            Peer::Other(other) => other.psk_identity.as_deref(),
        }
    }

    /// What rules may be about.
    pub(crate) fn client_origin(&self, grants: Option<Grants>) -> ClientOrigin {
        ClientOrigin {
            peer_address: self.peer_address().into(),
            certificate_common_name: self.certificate_common_name().map(Into::into),
            certificate: self.certificate().cloned(),
            grants,
        }
    }

    pub(crate) fn transport(&self) -> Transport {
        match &self.peer {
            Peer::Short { transport, .. } => *transport,
            Peer::Other(other) => other.transport,
        }
    }

    /// What it was made from, but for the deadline.
    pub(crate) fn into_info(self) -> ConnInfo {
        ConnInfo {
            peer_address: self.peer_address().into(),
            certificate_common_name: self.certificate_common_name().map(Into::into),
            certificate: self.certificate().cloned(),
            psk_identity: self.psk_identity().map(Into::into),
            transport: self.transport(),
            listener: self.listener,
            connect_deadline: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost() {
        let long = "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:51000";
        for address in [
            "",
            "127.0.0.1:1",
            "255.255.255.255:65535",
            "123456789012345678901",
            "1234567890123456789012",
            long,
        ] {
            for (name, identity) in [(None, None), (Some("a name"), None), (None, Some("an identity"))] {
                let info = ConnInfo {
                    peer_address: address.into(),
                    certificate_common_name: name.map(Into::into),
                    psk_identity: identity.map(Into::into),
                    transport: Transport::Tls,
                    ..ConnInfo::default()
                };
                let origin = Origin::new(info);
                assert_eq!((origin.peer_address(), origin.certificate_common_name()), (address, name));
                assert_eq!(origin.psk_identity(), identity);
                let info = origin.into_info();
                assert_eq!(info.psk_identity.as_deref(), identity);
                assert_eq!((&*info.peer_address, info.certificate_common_name.as_deref()), (address, name));
                assert_eq!(info.transport, Transport::Tls);
            }
        }
    }
}
