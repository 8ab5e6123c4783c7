//! `[[listener]]`: where clients connect, and what is asked of them there.

use std::path::PathBuf;

use ferry_codec::{ProtocolVersion, QoS};
use ferry_net::{
    BindOptions, ClientCertificates, HostPort, ListenAddress, OriginRule, PskOptions, TlsAcceptor, TlsError,
    TlsOptions, TlsVersion, Transport,
};

use super::authentication::{Authentication, AuthenticatorKind};
use super::option::{Field, choices, section};
use super::value::{Kind, Setting};

choices! {
    /// Whether clients may connect without a user name.
    pub enum AllowAnonymous {
        /// Only if the listener cannot be reached from other machines (a loopback address or a Unix socket), and nobody
        /// judges clients there.
        Local = "local",
        /// Yes.
        Yes = "true",
        /// No.
        No = "false",
    }
}

choices! {
    /// Whether clients must show a certificate.
    pub enum ClientCertificate {
        /// It is not asked for.
        None = "none",
        /// It is asked for, and checked if the client has one.
        Optional = "optional",
        /// A client without a valid certificate cannot connect.
        Required = "required",
    }
}

/// The versions' names in the file.
const PROTOCOL_VERSIONS: &[&str] = &["3.1", "3.1.1", "5.0"];

impl Field for ProtocolVersion {
    fn from_setting(setting: Setting) -> Option<Self> {
        match String::from_setting(setting)?.as_str() {
            "3.1" => Some(Self::V31),
            "3.1.1" => Some(Self::V311),
            "5.0" => Some(Self::V5),
            _ => None,
        }
    }

    fn to_setting(&self) -> Setting {
        let name = match self {
            Self::V31 => "3.1",
            Self::V311 => "3.1.1",
            Self::V5 => "5.0",
        };
        Setting::Text(name.to_owned())
    }
}

/// The names of the versions of TLS in the file.
const TLS_VERSIONS: &[&str] = &[TlsVersion::V12.name(), TlsVersion::V13.name()];

impl Field for TlsVersion {
    fn from_setting(setting: Setting) -> Option<Self> {
        let name = String::from_setting(setting)?;
        [Self::V12, Self::V13].into_iter().find(|version| version.name() == name)
    }

    fn to_setting(&self) -> Setting {
        Setting::Text(self.name().to_owned())
    }
}

impl Field for QoS {
    fn from_setting(setting: Setting) -> Option<Self> {
        u8::from_setting(setting).and_then(Self::from_byte)
    }

    fn to_setting(&self) -> Setting {
        self.to_byte().to_setting()
    }
}

impl Field for ListenAddress {
    fn from_setting(setting: Setting) -> Option<Self> {
        String::from_setting(setting)?.parse().ok()
    }

    fn to_setting(&self) -> Setting {
        Setting::Text(self.to_string())
    }
}

impl Field for OriginRule {
    fn from_setting(setting: Setting) -> Option<Self> {
        String::from_setting(setting)?.parse().ok()
    }

    fn to_setting(&self) -> Setting {
        Setting::Text(self.to_string())
    }
}

/// The access mode of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl Field for FileMode {
    fn from_setting(setting: Setting) -> Option<Self> {
        parse_file_mode(&String::from_setting(setting)?).map(Self)
    }

    fn to_setting(&self) -> Setting {
        Setting::Text(format!("{:04o}", self.0))
    }
}

section! {
    /// One address where clients connect; write one `[[listener]]` block for each. Without any, Ferry listens on
    /// `tcp://127.0.0.1:1883` and `ws://127.0.0.1:8083/mqtt`. A reload opens new listeners and closes those that are
    /// gone; what it changes of others holds for the connections that come after it. No connection is closed.
    pub struct Listener = "listener" {
        /// Where to listen: `tcp://HOST:PORT`, `tls://HOST:PORT`, `ws://HOST:PORT/PATH`, `wss://HOST:PORT/PATH` or
        /// `unix:///PATH`. The host `*` means every address of the machine; IPv6 addresses stand in brackets:
        /// `tcp://[::1]:1883`. Port 0 takes any free port. The path of a WebSocket is `/mqtt` if none is given.
        address: ListenAddress = ListenAddress::Tcp(loopback(1883)), Kind::Address, Live;

        /// Who judges clients here, in this order; the first that can has decided. `"password_file"` compares user name and
        /// password with `authentication.password_file`; `"certificate"` takes the common name of a client's certificate
        /// for its user name, and leaves a client without one to the next; `"psk"` takes the identity of a client's pre-shared key
        /// for its user name; `"jwt"` takes a token in the place of the password, and leaves other passwords to the next;
        /// `"hook"` asks `authentication.hook_url`, which may leave a client to the next; `"peer"`, on a Unix socket, takes the
        /// user that the client's process runs as, by `authentication.peer_users`, and leaves others to the next; `"users"`
        /// compares with the users of `authentication.users`; `"sql"` asks `authentication.sql_url`; `"kerberos"` takes a ticket, and
        /// leaves clients that authenticate otherwise to the next. `"auto"`: `"psk"` where there is a `tls_psk_file`; elsewhere
        /// tickets if there is an `authentication.kerberos_keytab_file`, then tokens if `authentication.jwt_key_file` or `jwt_jwks_url`
        /// is set, then the hook, then the database, then these users, then the password file, as far as they are there.
        authentication: Option<Vec<AuthenticatorKind>> = None,
            Kind::Or("auto", &Kind::Choices(AuthenticatorKind::NAMES)), Live;

        /// Whether clients that offer neither user name nor password nor certificate may connect: `true`, `false`, or
        /// `"local"`, which is true on loopback addresses and Unix sockets if nobody judges clients there. Where nobody
        /// does, user names and passwords say nothing. A listener that other machines can reach does not start without a
        /// way to tell who a client is, unless this is `true`.
        allow_anonymous: AllowAnonymous = AllowAnonymous::Local, Kind::Choice(AllowAnonymous::NAMES), Live;

        /// The versions of MQTT that are served here.
        protocol_versions: Vec<ProtocolVersion> = vec![ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5],
            Kind::Choices(PROTOCOL_VERSIONS), Live;

        /// The highest QoS that clients may publish with. Told to MQTT 5.0 clients as Maximum QoS.
        maximum_qos: QoS = QoS::ExactlyOnce, Kind::Count { min: 0, max: 2 }, Live;

        /// Connections on this listener.
        connections_max: Option<u32> = None, Kind::Or("none", &Kind::Count { min: 1, max: 100_000_000 }), Live;

        /// The longest keep alive here; `"none"`: as `session.keep_alive_seconds_max` says.
        keep_alive_seconds_max: Option<u16> = None, Kind::Or("none", &Kind::Seconds { min: 1, max: 65_535 }), Live;

        /// Whether every connection starts with a PROXY protocol header, version 1 or 2, that names the client's
        /// address, and maybe its certificate. Switch it on only if all connections come from such a proxy: the header is believed.
        proxy_protocol: bool = false, Kind::Flag, Live;

        /// Whether a WebSocket client must offer the subprotocol `mqtt` or `mqttv3.1`, as the standard says. One that
        /// offers only others is refused either way.
        websocket_subprotocol_required: bool = true, Kind::Flag, Live;

        /// Web pages that may connect by WebSocket: a list of origins such as `"https://example.org"`; `"local"` stands
        /// for pages of the machine on which the browser runs (`http://localhost:3000`), `"*"` for all pages. `"auto"`:
        /// `["local"]` on a loopback address, so that no other page can reach the broker through a browser on this
        /// machine, and `["*"]` on others. Only browsers, and few other clients, say an origin; those that do not are not
        /// affected.
        websocket_origins: Option<Vec<OriginRule>> = None, Kind::Or("auto", &Kind::Origins), Live;

        /// The access mode of a Unix socket's file, in octal. Connecting needs the right to write.
        unix_socket_mode: FileMode = FileMode(0o660), Kind::FileMode, Restart;

        /// Whether small packets are sent at once (TCP_NODELAY).
        tcp_nodelay: bool = true, Kind::Flag, Live;

        /// Silence on a TCP connection after which the system asks whether the other end is still there (TCP keepalive).
        /// If there is no answer, the connection ends after half that time more. It finds dead clients without a keep
        /// alive of MQTT; `"none"`: it is not asked.
        tcp_keepalive_seconds: Option<u16> = Some(600), Kind::Or("none", &Kind::Seconds { min: 1, max: 32_767 }), Live;

        /// Connections that the system keeps waiting until they are accepted.
        backlog: u32 = 4_096, Kind::Count { min: 1, max: 65_535 }, Restart;

        /// The server's certificate chain, a PEM file, its own certificate first. Needed for `tls` and `wss`.
        tls_certificate_file: Option<PathBuf> = None, Kind::Path, Live;

        /// The private key of the certificate, a PEM file. Needed for `tls` and `wss`.
        tls_key_file: Option<PathBuf> = None, Kind::Path, Live;

        /// Certificates of the authorities that sign clients' certificates, a PEM file.
        tls_client_ca_file: Option<PathBuf> = None, Kind::Path, Live;

        /// Certificate revocation lists, a PEM file; it must hold one of every authority in a client's chain.
        tls_client_crl_file: Option<PathBuf> = None, Kind::Path, Live;

        /// Whether clients are asked for a certificate.
        tls_client_certificate: ClientCertificate = ClientCertificate::None,
            Kind::Choice(ClientCertificate::NAMES), Live;

        /// Identities and pre-shared keys in the place of certificates (TLS-PSK): a file as Mosquitto's `psk_file`, a line
        /// `identity:key` for each, the key in hexadecimal digits. Nobody has a certificate then; who has not the key of an
        /// identity cannot connect. A change of the file takes effect at once, for the clients that connect from then on.
        /// Only in a program that is built with `--features psk`, which needs OpenSSL.
        tls_psk_file: Option<PathBuf> = None, Kind::Path, Live;

        /// The oldest version of TLS allowed.
        tls_version_min: TlsVersion = TlsVersion::V12, Kind::Choice(TLS_VERSIONS), Live;
    }
}

impl Listener {
    /// Whether clients speak TLS here.
    pub fn uses_tls(&self) -> bool {
        matches!(self.address.transport(), Transport::Tls | Transport::Wss)
    }

    /// Who judges clients here, with `"auto"` resolved.
    pub fn authenticators(&self, authentication: &Authentication) -> Vec<AuthenticatorKind> {
        match &self.authentication {
            Some(kinds) => kinds.clone(),
            None if self.tls_psk_file.is_some() => vec![AuthenticatorKind::Psk],
            None => {
                let tokens = authentication.takes_tokens().then_some(AuthenticatorKind::Jwt);
                let users = authentication.users.then_some(AuthenticatorKind::Users);
                let passwords =
                    authentication.password_file.as_ref().map(|_| AuthenticatorKind::PasswordFile);
                // Where there are passwords, nobody who has one is left for those behind it.
                let hook = authentication.hook_url.as_ref().map(|_| AuthenticatorKind::Hook);
                let sql = authentication.sql_url.as_ref().map(|_| AuthenticatorKind::Sql);
                let tickets =
                    authentication.kerberos_keytab_file.as_ref().map(|_| AuthenticatorKind::Kerberos);
                let first = tickets.into_iter().chain(tokens).chain(hook).chain(sql);
                first.chain(users).chain(passwords).collect()
            }
        }
    }

    /// Whether clients may connect that prove nothing, with `"local"` resolved.
    pub fn anonymous_allowed(&self, authentication: &Authentication) -> bool {
        match self.allow_anonymous {
            AllowAnonymous::Yes => true,
            AllowAnonymous::No => false,
            AllowAnonymous::Local => {
                self.address.is_local_only() && self.authenticators(authentication).is_empty()
            }
        }
    }

    /// The web pages that may connect, with `"auto"` resolved.
    pub fn origin_rules(&self) -> Vec<OriginRule> {
        match &self.websocket_origins {
            Some(rules) => rules.clone(),
            None if self.address.is_local_only() => vec![OriginRule::Local],
            None => vec![OriginRule::Any],
        }
    }

    /// How to bind it.
    pub fn bind_options(&self) -> BindOptions {
        BindOptions { backlog: self.backlog, unix_socket_mode: self.unix_socket_mode.0 }
    }

    /// The files that it is read from, for those who watch them.
    pub(crate) fn tls_files(&self) -> impl Iterator<Item = &PathBuf> {
        let files = [
            &self.tls_certificate_file,
            &self.tls_key_file,
            &self.tls_client_ca_file,
            &self.tls_client_crl_file,
            &self.tls_psk_file,
        ];
        files.into_iter().flatten().filter(|_| self.uses_tls())
    }

    /// Makes what starts TLS for its connections, of the files as they are now; `None` if it does not use TLS or lacks a
    /// file that it needs.
    ///
    /// # Errors
    /// A file cannot be used.
    pub fn tls_acceptor(&self) -> Result<Option<TlsAcceptor>, TlsError> {
        let transport = self.address.transport();
        if let Some(options) = self.psk_options() {
            return TlsAcceptor::with_psk(&options, transport).map(Some);
        }
        self.tls_options().map(|options| TlsAcceptor::new(&options, transport)).transpose()
    }

    fn psk_options(&self) -> Option<PskOptions> {
        let file = self.tls_psk_file.clone().filter(|_| self.uses_tls())?;
        Some(PskOptions { file, minimum_version: self.tls_version_min })
    }

    /// Its settings for certificates; `None` if it has none, or lacks a file that it needs.
    pub fn tls_options(&self) -> Option<TlsOptions> {
        if !self.uses_tls() {
            return None;
        }
        let crl_file = self.tls_client_crl_file.clone();
        let client_certificates = match self.tls_client_certificate {
            ClientCertificate::None => ClientCertificates::Off,
            ClientCertificate::Optional => {
                ClientCertificates::Optional { ca_file: self.tls_client_ca_file.clone()?, crl_file }
            }
            ClientCertificate::Required => {
                ClientCertificates::Required { ca_file: self.tls_client_ca_file.clone()?, crl_file }
            }
        };
        Some(TlsOptions {
            certificate_file: self.tls_certificate_file.clone()?,
            key_file: self.tls_key_file.clone()?,
            client_certificates,
            minimum_version: self.tls_version_min,
        })
    }

    /// The default listener for browsers.
    pub(super) fn default_websocket() -> Self {
        Self { address: ListenAddress::Ws(loopback(8083), "/mqtt".to_owned()), ..Self::default() }
    }
}

fn loopback(port: u16) -> HostPort {
    HostPort { host: "127.0.0.1".to_owned(), port }
}

/// Reads up to four octal digits, such as `0660`.
pub(super) fn parse_file_mode(text: &str) -> Option<u32> {
    let octal = (1..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    if octal { u32::from_str_radix(text, 8).ok() } else { None }
}
