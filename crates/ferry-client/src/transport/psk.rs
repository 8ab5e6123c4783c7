use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;

use openssl::error::ErrorStack;
use openssl::ssl::{Error, ErrorCode, Ssl, SslContext, SslMethod, SslVerifyMode, SslVersion};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::TlsOptions;
use crate::ConnectionError;

/// A key that the client shares with the server, and the name under which the server knows it (TLS-PSK: RFC 4279, and RFC 8446,
/// section 2.2). There are no certificates then: whoever has the key is trusted, on both sides.
#[derive(Clone, PartialEq, Eq)]
pub struct PreSharedKey {
    identity: String,
    key: Vec<u8>,
}

/// Bytes of an identity that every server must take (RFC 4279, section 5.3).
const IDENTITY_BYTES_MAX: usize = 128;

/// Bytes of a key. Those of devices have 16 or 32.
const KEY_BYTES_MAX: usize = 256;

/// Of TLS 1.2: none without the key, without encryption, or with SHA-1.
const CIPHERS_TLS12: &str = "kECDHEPSK:kPSK:!eNULL:!aNULL:!SHA1:!3DES:!RC4";

/// Of TLS 1.3: the hash that a key without a hash of its own has is SHA-256 (RFC 8446, section 4.2.11).
const CIPHERS_TLS13: &str = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";

/// Codes of OpenSSL from here on are alerts that the server has sent (`SSL_AD_REASON_OFFSET`).
const ALERT_CODE_MIN: i32 = 1000;

impl PreSharedKey {
    /// # Errors
    /// The identity has not 1 to 128 bytes, or has a zero byte; the key has not 1 to 256 bytes.
    pub fn new(identity: impl Into<String>, key: impl Into<Vec<u8>>) -> Result<Self, ConnectionError> {
        let (identity, key) = (identity.into(), key.into());
        let wrong = |words: &str| Err(ConnectionError::Options(words.to_owned()));
        if identity.is_empty() || identity.len() > IDENTITY_BYTES_MAX || identity.contains('\0') {
            return wrong("the identity of a pre-shared key has 1 to 128 bytes, and no zero byte");
        }
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return wrong("a pre-shared key has 1 to 256 bytes");
        }
        Ok(Self { identity, key })
    }

    /// With the key in hexadecimal digits, as in the files of brokers. If their number is odd, the first one, a zero, is left
    /// out.
    ///
    /// # Errors
    /// As [`PreSharedKey::new`], or there is something else than digits.
    pub fn from_hex(identity: impl Into<String>, digits: &str) -> Result<Self, ConnectionError> {
        let values: Option<Vec<u8>> =
            digits.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
        // Nothing of it is repeated: it is a secret.
        let words = "a pre-shared key is written in hexadecimal digits, 0 to 9 and a to f, without 0x";
        let values = values.ok_or_else(|| ConnectionError::Options(words.to_owned()))?;
        let values = [&[0][..values.len() % 2], &values].concat();
        Self::new(identity, values.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect::<Vec<u8>>())
    }

    pub(super) async fn connect(
        &self,
        tcp: TcpStream,
        host: &str,
        options: &TlsOptions,
    ) -> Result<SslStream<TcpStream>, ConnectionError> {
        let context = self.context(options).map_err(stack_error)?;
        let mut ssl = Ssl::new(&context).map_err(stack_error)?;
        let name = options.server_name.as_deref().unwrap_or(host);
        // An address is no name to ask for (RFC 6066, section 3).
        if name.parse::<IpAddr>().is_err() {
            ssl.set_hostname(name).map_err(stack_error)?;
        }
        let mut stream = SslStream::new(ssl, tcp).map_err(stack_error)?;
        Pin::new(&mut stream).connect().await.map_err(|error| connect_error(&error))?;
        Ok(stream)
    }

    fn context(&self, options: &TlsOptions) -> Result<SslContext, ErrorStack> {
        let mut context = SslContext::builder(SslMethod::tls_client())?;
        let oldest = if options.only_tls13 { SslVersion::TLS1_3 } else { SslVersion::TLS1_2 };
        context.set_min_proto_version(Some(oldest))?;
        context.set_cipher_list(CIPHERS_TLS12)?;
        context.set_ciphersuites(CIPHERS_TLS13)?;
        // A server of TLS 1.3 may pass over the key and show a certificate: there is nobody who could have signed one that
        // is trusted.
        context.set_verify(SslVerifyMode::PEER);
        if !options.alpn_protocols.is_empty() {
            let names = options.alpn_protocols.iter().flat_map(|name| {
                let name = &name.as_bytes()[..name.len().min(usize::from(u8::MAX))];
                [&[name.len() as u8], name].concat()
            });
            context.set_alpn_protos(&names.collect::<Vec<u8>>())?;
        }
        let Self { identity, key } = self.clone();
        context.set_psk_client_callback(move |_, _hint, identity_room, key_room| {
            let name = [identity.as_bytes(), &[0]].concat();
            // No key at all, if there were no room for it: the handshake fails.
            let (Some(identity_room), Some(key_room)) =
                (identity_room.get_mut(..name.len()), key_room.get_mut(..key.len()))
            else {
                return Ok(0);
            };
            identity_room.copy_from_slice(&name);
            key_room.copy_from_slice(&key);
            Ok(key.len())
        });
        Ok(context.build())
    }
}

impl fmt::Debug for PreSharedKey {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreSharedKey").field("identity", &self.identity).finish_non_exhaustive()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err, which gives it away")]
fn stack_error(error: ErrorStack) -> ConnectionError {
    ConnectionError::Tls(error.to_string())
}

fn connect_error(error: &Error) -> ConnectionError {
    let Some(first) = error.ssl_error().and_then(|stack| stack.errors().first()) else {
        return match error.io_error() {
            Some(error) => ConnectionError::Tls(error.to_string()),
            None if error.code() == ErrorCode::SYSCALL => {
                ConnectionError::Tls("the server closed the connection in the handshake".to_owned())
            }
            None => ConnectionError::Tls(error.to_string()),
        };
    };
    let reason = first.reason().unwrap_or("unknown");
    ConnectionError::Tls(match first.reason_code() {
        ALERT_CODE_MIN.. => {
            format!("the server does not take the identity or its pre-shared key ({reason})")
        }
        _ if reason == "certificate verify failed" => {
            "the server does not use pre-shared keys here, but a certificate".to_owned()
        }
        _ => reason.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_in_digits() {
        let key = |digits: &str| PreSharedKey::from_hex("a", digits).map(|key| key.key);
        assert_eq!(key("00fF"), Ok(vec![0, 0xff]));
        assert_eq!(key("1ab"), Ok(vec![0x01, 0xab]));
        for wrong in ["", "0x1b", "1g", "1 b", "é", &"ab".repeat(257)] {
            let error = key(wrong).expect_err(wrong).to_string();
            assert!(!error.contains("1b") && !error.contains("1g"), "{error}");
        }
        for wrong in ["", "a\0", &"a".repeat(129)] {
            assert!(PreSharedKey::from_hex(wrong, "1b").is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = PreSharedKey::new("pump 7", b"secret").expect("right");
        assert_eq!(format!("{key:?}"), "PreSharedKey { identity: \"pump 7\", .. }");
    }
}
