use std::fmt;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{
    AlpnError, Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslRef,
    SslSessionCacheMode, SslVersion,
};

use super::super::{PskOptions, TlsError, TlsVersion};
use super::Claim;
use super::key_file::Keys;
use super::session::PskSession;

/// Of TLS 1.2: keys that are agreed on anew for each connection first. None without encryption, none that is not
/// authenticated by the key, and none with SHA-1.
const CIPHERS_TLS12: &str = "kECDHEPSK:kPSK:!eNULL:!aNULL:!SHA1:!3DES:!RC4";

/// Of TLS 1.3: the hash that a key without a hash of its own has is SHA-256 (RFC 8446, section 4.2.11).
const CIPHERS_TLS13: &str = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";

/// Bytes of the keys that are made up.
const DECOY_BYTES: usize = 32;

/// The identities of a listener, for the connections that come.
#[derive(Clone)]
pub(crate) struct PskContext(SslContext);

impl PskContext {
    pub(crate) fn new(options: &PskOptions, protocols: &[Vec<u8>]) -> Result<Self, TlsError> {
        let keys = Keys::read(&options.file)?;
        let unusable = |error: ErrorStack| unusable(&options.file, &error);
        let mut context = SslContextBuilder::new(SslMethod::tls_server()).map_err(unusable)?;
        context
            .set_min_proto_version(Some(match options.minimum_version {
                TlsVersion::V12 => SslVersion::TLS1_2,
                TlsVersion::V13 => SslVersion::TLS1_3,
            }))
            .map_err(unusable)?;
        context.set_cipher_list(CIPHERS_TLS12).map_err(unusable)?;
        context.set_ciphersuites(CIPHERS_TLS13).map_err(unusable)?;
        context.set_options(
            SslOptions::CIPHER_SERVER_PREFERENCE | SslOptions::NO_RENEGOTIATION | SslOptions::NO_COMPRESSION,
        );
        // A session that is resumed would outlive the key in the file.
        context.set_options(SslOptions::NO_TICKET);
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
        context.set_num_tickets(0).map_err(unusable)?;
        // An idle connection keeps no buffer.
        context.set_mode(SslMode::RELEASE_BUFFERS);
        let index = claim_index().map_err(unusable)?;
        context.set_psk_server_callback(move |ssl, identity, key| {
            find_key(&keys, ssl, index, identity.unwrap_or_default(), key)
        });
        let protocols = protocols.to_vec();
        context.set_alpn_select_callback(move |_, offered| {
            shared_protocol(&protocols, offered).ok_or(AlpnError::ALERT_FATAL)
        });
        Ok(Self(context.build()))
    }

    /// The state of one new connection.
    pub(crate) fn start(&self) -> io::Result<PskSession> {
        PskSession::new(Ssl::new(&self.0)?)
    }
}

impl fmt::Debug for PskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PskContext")
    }
}

/// Where a connection keeps its [`Claim`]; one place for the whole process.
pub(super) fn claim_index() -> Result<Index<Ssl, Claim>, ErrorStack> {
    static INDEX: OnceLock<Index<Ssl, Claim>> = OnceLock::new();
    if let Some(index) = INDEX.get() {
        return Ok(*index);
    }
    let made = Ssl::new_ex_index()?;
    Ok(*INDEX.get_or_init(|| made))
}

/// Whoever names an identity that is not there goes on with a key that nobody has, made up each time: it fails where a wrong
/// key does, with the same alert, so that nobody can find out which identities there are.
fn find_key(
    keys: &Keys,
    ssl: &mut SslRef,
    index: Index<Ssl, Claim>,
    identity: &[u8],
    room: &mut [u8],
) -> Result<usize, ErrorStack> {
    let known = keys.key(identity);
    let identity = String::from_utf8_lossy(identity).into_owned();
    ssl.set_ex_data(index, Claim { identity, is_known: known.is_some() });
    let mut decoy = [0; DECOY_BYTES];
    openssl::rand::rand_bytes(&mut decoy)?;
    let key = known.unwrap_or(&decoy);
    // No key at all, if there were no room for it: the handshake fails.
    let Some(room) = room.get_mut(..key.len()) else { return Ok(0) };
    room.copy_from_slice(key);
    Ok(key.len())
}

/// The first of ours that is offered; there each name is behind its length (RFC 7301, section 3.1).
fn shared_protocol<'a>(protocols: &[Vec<u8>], mut offered: &'a [u8]) -> Option<&'a [u8]> {
    let mut best: Option<(usize, &[u8])> = None;
    while let Some((length, rest)) = offered.split_first() {
        let (name, others) = rest.split_at_checked(usize::from(*length))?;
        let place = protocols.iter().position(|protocol| protocol == name);
        if let Some(place) = place.filter(|place| best.is_none_or(|(before, _)| *place < before)) {
            best = Some((place, name));
        }
        offered = others;
    }
    best.map(|(_, name)| name)
}

fn unusable(file: &Path, error: &ErrorStack) -> TlsError {
    TlsError::Unusable { file: file.to_owned(), detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_is_ours_first() {
        let ours = [b"http/1.1".to_vec(), b"mqtt".to_vec()];
        for (offered, chosen) in [
            (&b"\x04mqtt\x08http/1.1"[..], Some(&b"http/1.1"[..])),
            (b"\x02h2\x04mqtt", Some(b"mqtt")),
            (b"\x02h2", None),
            (b"\x04mq", None),
            (b"", None),
        ] {
            assert_eq!(shared_protocol(&ours, offered), chosen, "{offered:?}");
        }
    }
}
