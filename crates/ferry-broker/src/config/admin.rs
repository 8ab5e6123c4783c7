//! `[admin]`: the HTTP API of those who run the broker.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ferry_net::{ClientCertificates, ListenAddress, TlsOptions, TlsVersion};

use super::file_access::FileUse;
use super::option::{Field, choices, section};
use super::problem::{Place, Problem};
use super::quantity::{KIB, MIB};
use super::value::{Kind, Setting};

choices! {
    /// Whether `/metrics` can be read without a token.
    pub enum OpenMetrics {
        /// Only on a loopback address.
        Local = "local",
        /// Yes.
        Yes = "true",
        /// No.
        No = "false",
    }
}

choices! {
    /// What the holder of a token may do; each role may do what those before it may.
    #[derive(PartialOrd, Ord)]
    pub enum AdminRole {
        /// See everything but payloads of messages and secrets.
        Viewer = "viewer",
        /// Publish, read payloads, disconnect and ban clients, delete retained messages, change the level of the log.
        Operator = "operator",
        /// Delete sessions, manage users, reload the configuration.
        Admin = "admin",
    }
}

section! {
    /// The HTTP API of those who run the broker: `/health`, `/ready`, `/metrics` and `/api/v1`, which `ferry ctl` uses.
    pub struct Admin = "admin" {
        /// Where it listens for HTTP besides its Unix socket: `tcp://HOST:PORT`, usually `tcp://127.0.0.1:9883`, or
        /// `tls://HOST:PORT`. An address that other machines can reach needs a token and TLS.
        address: Option<ListenAddress> = None, Kind::Or("none", &Kind::Address), Restart;

        /// Whether it listens on the Unix socket `admin.sock` in the data directory, if there is one. Whoever may open the
        /// file, which is the user that runs the broker, may do everything there, without a token.
        unix_socket: bool = true, Kind::Flag, Restart;

        /// Who may use it by `address`, each a block of its own: `[[admin.token]]` with `name`, `role` (`"viewer"`,
        /// `"operator"` or `"admin"`), and either `file`, whose first line is the secret, or `hash`, which is `sha256:` and
        /// the SHA-256 of the secret in hexadecimal digits. As one text: `"NAME ROLE FILE"` or `"NAME ROLE sha256:DIGITS"`.
        token: Vec<AdminToken> = Vec::new(), Kind::AdminTokens, Live;

        /// Whether `/metrics` can be read without a token: `true`, `false`, or `"local"`, which is true on a loopback
        /// address. There are no names of clients, users or topics in it.
        metrics_without_token: OpenMetrics = OpenMetrics::Local, Kind::Choice(OpenMetrics::NAMES), Live;

        /// Names that browsers and other clients may call this machine by, besides `localhost`, the host of `address` and
        /// plain IP addresses. A request for any other name is refused, so that no web page can reach the API under a name
        /// of its own.
        hosts: Vec<HostName> = Vec::new(), Kind::HostNames, Live;

        /// Whether a `tcp` address that other machines can reach may be listened on, so that tokens travel unencrypted: in
        /// a network of one's own, or behind a proxy that speaks TLS.
        unencrypted_allowed: bool = false, Kind::Flag, Restart;

        /// The certificate chain, a PEM file, its own certificate first. Needed for `tls`.
        tls_certificate_file: Option<PathBuf> = None, Kind::Path, Live;

        /// The private key of the certificate, a PEM file. Needed for `tls`.
        tls_key_file: Option<PathBuf> = None, Kind::Path, Live;

        /// Connections at the same time; more are closed at once.
        connections_max: u16 = 64, Kind::Count { min: 1, max: 4_096 }, Restart;

        /// Request line and headers of one request. More is answered with 431.
        header_bytes_max: usize = (16 * KIB) as usize, Kind::Bytes { min: 8 * KIB, max: MIB }, Restart;

        /// Body of one request. More is answered with 413.
        body_bytes_max: usize = MIB as usize, Kind::Bytes { min: KIB, max: 256 * MIB }, Restart;

        /// Time for the headers of a request, and again for its body and the answer to it.
        request_timeout_seconds: u32 = 10, Kind::Seconds { min: 1, max: 600 }, Restart;
    }
}

impl Admin {
    /// Its TLS settings; `None` if it does not use TLS or lacks a file that it needs.
    pub(crate) fn tls_options(&self) -> Option<TlsOptions> {
        let Some(ListenAddress::Tls(_)) = &self.address else { return None };
        Some(TlsOptions {
            certificate_file: self.tls_certificate_file.clone()?,
            key_file: self.tls_key_file.clone()?,
            client_certificates: ClientCertificates::Off,
            minimum_version: TlsVersion::V12,
        })
    }

    /// Every file that it is read from.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let secrets = self.token.iter().filter_map(|token| match &token.secret {
            TokenSecret::File(path) => Some(path),
            TokenSecret::Hash(_) => None,
        });
        secrets.chain(&self.tls_certificate_file).chain(&self.tls_key_file)
    }
}

/// A name that the API may be called by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(pub String);

impl FromStr for HostName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = |character: char| character.is_ascii_alphanumeric() || "-._".contains(character);
        if text.is_empty() || text.len() > 253 || !text.chars().all(is_name) {
            return Err("not a host name; write it without scheme and port");
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Field for HostName {
    fn from_setting(setting: Setting) -> Option<Self> {
        String::from_setting(setting)?.parse().ok()
    }

    fn to_setting(&self) -> Setting {
        Setting::Text(self.to_string())
    }
}

/// Somebody who may use the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminToken {
    /// For the log.
    pub name: String,
    /// What it is good for.
    pub role: AdminRole,
    /// How the secret is known.
    pub secret: TokenSecret,
}

/// How the secret of a token is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSecret {
    /// The SHA-256 of it.
    Hash([u8; 32]),
    /// The first line of this file.
    File(PathBuf),
}

impl FromStr for AdminToken {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write NAME ROLE FILE or NAME ROLE sha256:DIGITS";
        let (name, rest) = text.trim().split_once(' ').ok_or(FORM)?;
        let (role, secret) = rest.trim_start().split_once(' ').ok_or(FORM)?;
        let role = AdminRole::from_setting(Setting::Text(role.to_owned()));
        let role = role.ok_or("the role is not \"viewer\", \"operator\" or \"admin\"")?;
        let secret = match secret.trim_start() {
            hash if hash.starts_with("sha256:") => TokenSecret::Hash(sha256_digits(hash)?),
            file => TokenSecret::File(PathBuf::from(file)),
        };
        Ok(Self { name: name.to_owned(), role, secret })
    }
}

fn sha256_digits(text: &str) -> Result<[u8; 32], &'static str> {
    let digits = text.trim_start_matches("sha256:");
    let mut hash = [0; 32];
    let is_whole = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !is_whole {
        return Err("a hash is sha256: and 64 hexadecimal digits");
    }
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let text = std::str::from_utf8(pair).unwrap_or_default();
        *byte = u8::from_str_radix(text, 16).unwrap_or_default();
    }
    Ok(hash)
}

impl fmt::Display for AdminToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} ", self.name, self.role.name())?;
        match &self.secret {
            TokenSecret::File(path) => write!(formatter, "{}", path.display()),
            TokenSecret::Hash(hash) => {
                formatter.write_str("sha256:")?;
                hash.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
            }
        }
    }
}

impl Field for AdminToken {
    fn from_setting(setting: Setting) -> Option<Self> {
        String::from_setting(setting)?.parse().ok()
    }

    fn to_setting(&self) -> Setting {
        Setting::Text(self.to_string())
    }
}

/// Characters that a secret has at least; fewer could be guessed.
pub(crate) const SECRET_CHARACTERS_MIN: usize = 16;

/// The secret in a token's file; what is doubtful goes to `warnings`.
///
/// # Errors
/// There is none.
pub(crate) fn read_secret(path: &Path, warnings: &mut Vec<Problem>) -> Result<String, Problem> {
    let whole = |message: String, remedy: &str| Problem {
        place: Place::WholeFile(path.display().to_string()),
        option: "admin.token".to_owned(),
        message,
        remedy: remedy.to_owned(),
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        let remedy =
            "make it with `head -c 32 /dev/urandom | base64 > FILE`, and let the broker's user read it";
        whole(format!("the secret cannot be read: {error}"), remedy)
    })?;
    let secret = text.lines().next().unwrap_or_default().trim();
    if secret.chars().count() < SECRET_CHARACTERS_MIN {
        let message = format!("the secret has fewer than {SECRET_CHARACTERS_MIN} characters");
        return Err(whole(message, "make a longer one with `head -c 32 /dev/urandom | base64 > FILE`"));
    }
    warnings.extend(FileUse::Secret.warning(path, "admin.token"));
    Ok(secret.to_owned())
}
