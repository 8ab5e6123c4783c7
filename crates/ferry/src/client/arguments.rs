//! The options that `ferry pub`, `sub` and `rr` share: those of Mosquitto's clients, under the same letters.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{ArgAction, Args, ValueEnum};
use ferry_client::ScramHash;

/// Where to connect to, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArguments {
    /// The server [default: localhost]
    #[arg(short = 'h', long, value_name = "HOST")]
    pub(super) host: Option<String>,

    /// Its port [default: 1883, with TLS 8883, with --ws 8083]
    #[arg(short, long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) port: Option<u16>,

    /// Have the SRV records of -h name the servers: those of _mqtt._tcp, with TLS _secure-mqtt._tcp
    #[arg(short = 'S', conflicts_with_all = ["port", "unix", "ws"])]
    pub(super) by_srv_records: bool,

    /// Who is asked for SRV records: an address, perhaps with a port [default: the name servers of the system]
    #[arg(long, value_name = "ADDRESS", value_parser = name_server)]
    pub(super) name_server: Option<SocketAddr>,

    /// Everything at once: mqtt://USER:PASSWORD@HOST:PORT/TOPIC, mqtts://..., mqtt+srv://..., or ws://USER:PASSWORD@HOST:PORT/PATH and wss://... with the topic in -t
    #[arg(short = 'L', long, value_name = "URL", conflicts_with_all = ["host", "port", "ws"])]
    pub(super) url: Option<String>,

    /// Connect to this Unix socket
    #[arg(long, value_name = "PATH", conflicts_with_all = ["host", "port", "url", "ws", "proxy"])]
    pub(super) unix: Option<PathBuf>,

    /// Speak MQTT over WebSocket
    #[arg(long)]
    pub(super) ws: bool,

    /// The path of the WebSocket
    #[arg(long, value_name = "PATH", default_value = "/mqtt", requires = "ws")]
    pub(super) ws_path: String,

    /// The Client Identifier [default: chosen by the server in MQTT 5.0, ferry- and something random before]
    #[arg(short, long, value_name = "ID", allow_hyphen_values = true)]
    pub(super) id: Option<String>,

    /// Make the Client Identifier of this and the number of the process
    #[arg(short = 'I', long, value_name = "PREFIX", conflicts_with = "id", allow_hyphen_values = true)]
    pub(super) id_prefix: Option<String>,

    /// User name
    #[arg(short, long, value_name = "NAME", allow_hyphen_values = true)]
    pub(super) username: Option<String>,

    /// Password; others on this machine can see it
    #[arg(short = 'P', long = "pw", value_name = "PASSWORD", allow_hyphen_values = true)]
    pub(super) password: Option<OsString>,

    /// Prove with the user name and the password who this is, without showing the password: SCRAM-SHA-256, SCRAM-SHA-512 or
    /// SCRAM-SHA-1; or by a Kerberos ticket, where this program is built with it: GS2-KRB5; MQTT 5.0
    #[arg(long, value_name = "METHOD", value_parser = auth_method)]
    pub(super) auth_method: Option<AuthMethod>,

    /// The server's service that the Kerberos ticket is for, or SERVICE@HOST where the host is not that of the address
    #[cfg(feature = "kerberos")]
    #[arg(long, value_name = "SERVICE", default_value = "mqtt", requires = "auth_method")]
    pub(super) kerberos_service: String,

    /// Go on with the session of this Client Identifier, and leave it to the server at the end
    #[arg(short = 'c', long = "disable-clean-session")]
    pub(super) disable_clean_session: bool,

    /// Seconds that the session is to outlive the connection, -1 for ever; MQTT 5.0 [default: 0, with -c for ever]
    #[arg(short = 'x', long, value_name = "SECONDS", value_parser = session_expiry, allow_hyphen_values = true)]
    pub(super) session_expiry_interval: Option<u32>,

    /// Seconds of silence before a ping; 0 for never
    #[arg(short, long, value_name = "SECONDS", default_value_t = 60)]
    pub(super) keepalive: u16,

    /// mqttv31, mqttv311 or mqttv5 [default: mqttv311, or mqttv5 where an option needs it; for rr mqttv5]
    #[arg(short = 'V', long, value_name = "VERSION")]
    pub(super) protocol_version: Option<Version>,

    /// Messages of QoS 1 and 2 that may be on their way at the same time [default: 20, in 5.0 what the server allows]
    #[arg(short = 'M', value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) max_inflight: Option<u16>,

    /// Connect through this proxy: socks5h://USER:PASSWORD@HOST:PORT, or http://...
    #[arg(long, value_name = "URL")]
    pub(super) proxy: Option<String>,

    /// Connect from this address of the machine, or from that of this name
    #[arg(short = 'A', value_name = "ADDRESS", value_parser = bind_address)]
    pub(super) bind_address: Option<IpAddr>,

    /// Send small packets at once; always so
    #[arg(long)]
    pub(super) nodelay: bool,

    /// A property of MQTT 5.0: what it is for (connect, publish, subscribe, unsubscribe, will, disconnect), its name, its value; for user-property
    /// two values. May be given several times
    #[arg(short = 'D', long, value_name = "FOR NAME VALUE", action = ArgAction::Append)]
    pub(super) property: Vec<OsString>,

    /// Tell what happens on the connection
    #[arg(short, long)]
    pub(crate) debug: bool,

    /// No messages about errors; the exit code tells
    #[arg(long)]
    pub(crate) quiet: bool,

    /// Do not read the files with options in ~/.config/ferry
    #[arg(long = "no-options-file")]
    _no_options_file: bool,

    #[command(flatten)]
    pub(super) will: WillArguments,

    #[command(flatten)]
    pub(super) tls: TlsArguments,

    #[command(flatten)]
    pub(super) refused: RefusedArguments,

    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,

    /// Print the version
    #[arg(long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// The message that the server publishes when this client is lost.
#[derive(Debug, Args)]
#[command(next_help_heading = "Will")]
pub(crate) struct WillArguments {
    /// Have the server publish on this topic if the connection is lost
    #[arg(long, value_name = "TOPIC", allow_hyphen_values = true)]
    pub(super) will_topic: Option<String>,

    /// The message [default: an empty one]
    #[arg(long, value_name = "TEXT", requires = "will_topic", allow_hyphen_values = true)]
    pub(super) will_payload: Option<OsString>,

    /// Its QoS
    #[arg(long, value_name = "QOS", requires = "will_topic", default_value = "0", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(super) will_qos: u8,

    /// Retain it
    #[arg(long, requires = "will_topic")]
    pub(super) will_retain: bool,
}

/// Whom to trust, and what to show.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsArguments {
    /// Use TLS with this key, which the server has too, in the place of certificates: hexadecimal digits. Others on this
    /// machine can see it
    #[cfg(feature = "psk")]
    #[arg(long, value_name = "HEX", requires = "psk_identity", conflicts_with_all = ["cafile", "capath"])]
    pub(super) psk: Option<String>,

    /// The name under which the server has the key
    #[cfg(feature = "psk")]
    #[arg(long, value_name = "NAME", requires = "psk", allow_hyphen_values = true)]
    pub(super) psk_identity: Option<String>,

    /// Use TLS, and trust the authorities in this PEM file
    #[arg(long, value_name = "FILE")]
    pub(super) cafile: Option<PathBuf>,

    /// Use TLS, and trust the authorities in the PEM files of this directory
    #[arg(long, value_name = "DIR")]
    pub(super) capath: Option<PathBuf>,

    /// Use TLS, and trust the authorities of the system; so too with mqtts:// and with port 8883
    #[arg(long)]
    pub(super) tls_use_os_certs: bool,

    /// Certificate of this client, a PEM file
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(super) cert: Option<PathBuf>,

    /// Its private key, a PEM file
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,

    /// Take a certificate with another name than the server's: whoever has one of the same authority can pass for it
    #[arg(long)]
    pub(super) insecure: bool,

    /// The oldest version of TLS to accept: tlsv1.2 or tlsv1.3 [default: tlsv1.2]
    #[arg(long, value_name = "VERSION", value_parser = tls_version)]
    pub(super) tls_version: Option<String>,

    /// The protocol to offer (ALPN)
    #[arg(long, value_name = "PROTOCOL")]
    pub(super) tls_alpn: Option<String>,
}

/// Options of Mosquitto's clients that are not possible here: each says why, and what to do instead.
#[derive(Debug, Args)]
pub(crate) struct RefusedArguments {
    #[cfg(not(feature = "psk"))]
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    psk: Option<String>,
    #[cfg(not(feature = "psk"))]
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    psk_identity: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    ciphers: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    tls_engine: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    tls_engine_kpass_sha1: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    keyform: Option<String>,
}

impl RefusedArguments {
    /// # Errors
    /// What is not possible about an option that is there.
    pub(super) fn check(&self) -> Result<(), String> {
        #[cfg(not(feature = "psk"))]
        const NO_PSK: &str = "this program is built without TLS-PSK; build it with `--features psk`, which needs OpenSSL, or use \
            certificates: --cafile, and --cert with --key";
        const NO_ENGINE: &str = "there are no engines of OpenSSL; give the private key as a PEM file: --key";
        let keyform = self.keyform.as_ref().filter(|form| *form != "pem");
        for (name, value, why) in [
            #[cfg(not(feature = "psk"))]
            ("--psk", self.psk.as_ref(), NO_PSK),
            #[cfg(not(feature = "psk"))]
            ("--psk-identity", self.psk_identity.as_ref(), NO_PSK),
            (
                "--ciphers",
                self.ciphers.as_ref(),
                "cipher suites cannot be chosen, as there are only safe ones of TLS 1.2 and 1.3; leave it out",
            ),
            ("--tls-engine", self.tls_engine.as_ref(), NO_ENGINE),
            ("--tls-engine-kpass-sha1", self.tls_engine_kpass_sha1.as_ref(), NO_ENGINE),
            ("--keyform", keyform, NO_ENGINE),
        ] {
            if value.is_some() {
                return Err(format!("{name}: {why}"));
            }
        }
        Ok(())
    }
}

/// A version of MQTT, named as Mosquitto's clients name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V31,
    V311,
    V5,
}

impl ValueEnum for Version {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::V31, Self::V311, Self::V5]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::V31 => PossibleValue::new("mqttv31").aliases(["31", "3.1"]),
            Self::V311 => PossibleValue::new("mqttv311").aliases(["311", "3.1.1"]),
            Self::V5 => PossibleValue::new("mqttv5").aliases(["5", "5.0"]),
        })
    }
}

/// Seconds; -1, 4294967295 and ∞ are for ever.
fn session_expiry(text: &str) -> Result<u32, String> {
    match text {
        "-1" | "∞" => Ok(u32::MAX),
        _ => text.parse().map_err(|_| "not a number of seconds up to 4294967294, nor -1 for ever".to_owned()),
    }
}

/// A time such as `0.5`.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "not a time: negative, or too long".to_owned())
}

/// A time such as `0.5` that is not over at once.
pub(crate) fn seconds_above_0(text: &str) -> Result<Duration, String> {
    let time = seconds(text)?;
    if time.is_zero() { Err("not a time above 0".to_owned()) } else { Ok(time) }
}

/// Questions go to port 53 if no other is named.
fn name_server(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse().ok();
    let address = with_port.or_else(|| Some(SocketAddr::new(text.parse().ok()?, 53)));
    address.ok_or_else(|| {
        "not the address of a name server, such as 192.0.2.7, 192.0.2.7:5353 or [::1]:5353".to_owned()
    })
}

/// A method of enhanced authentication.
#[derive(Clone, Copy, Debug)]
pub(super) enum AuthMethod {
    Scram(ScramHash),
    #[cfg(feature = "kerberos")]
    Kerberos,
}

fn auth_method(text: &str) -> Result<AuthMethod, String> {
    let name = text.to_ascii_uppercase();
    if name == "GS2-KRB5" {
        #[cfg(feature = "kerberos")]
        return Ok(AuthMethod::Kerberos);
        #[cfg(not(feature = "kerberos"))]
        return Err("this program is built without Kerberos (`--features kerberos`)".to_owned());
    }
    ScramHash::of_method(&name).map(AuthMethod::Scram).ok_or_else(|| {
        "not a method; SCRAM-SHA-256, SCRAM-SHA-512 and SCRAM-SHA-1 are. Others: -D connect authentication-method".to_owned()
    })
}

fn bind_address(text: &str) -> Result<IpAddr, String> {
    let found = (text, 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    // Servers are more often there than on IPv6.
    let address = found.iter().find(|address| address.is_ipv4()).or(found.first());
    address
        .map(SocketAddr::ip)
        .ok_or_else(|| "neither an address, such as 192.0.2.7 or ::1, nor a name that has one".to_owned())
}

fn tls_version(text: &str) -> Result<String, String> {
    match text {
        "tlsv1.2" | "tlsv1.3" => Ok(text.to_owned()),
        "tlsv1.1" | "tlsv1" => Err("versions before 1.2 are not safe, and not here; say tlsv1.2".to_owned()),
        _ => Err("not a version of TLS; tlsv1.2 and tlsv1.3 are".to_owned()),
    }
}
