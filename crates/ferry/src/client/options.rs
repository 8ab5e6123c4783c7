use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use ferry_client::{
    AuthMechanism, ClientCertificate, ClientOptions, ConnectOptions, DisconnectOptions, Message,
    ProtocolVersion, Proxy, QoS, Scram, ScramHash, TransportOptions, Will,
};

#[cfg(feature = "kerberos")]
use ferry_client::ServerAddress;

use super::Ending;
use super::address::Address;
use super::arguments::{AuthMethod, ConnectionArguments, TlsArguments, Version};
use super::properties::{ConnectProperties, PropertyArguments};
use super::sendable::{check_data, check_text};

/// What the options say, ready to connect.
pub(crate) struct Setup {
    pub(crate) options: ClientOptions,
    /// Where the server is, as a URL without credentials.
    pub(crate) server: String,
    /// The topic of the URL.
    pub(crate) topic: Option<String>,
    /// Properties of what is published.
    pub(crate) properties: ferry_client::Properties,
    pub(crate) disconnect: DisconnectOptions,
}

/// Which version it is if `-V` does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DefaultVersion {
    /// 3.1.1, unless an option needs 5.0.
    Oldest,
    /// 5.0.
    Newest,
}

impl ConnectionArguments {
    /// Puts everything together. `needs_v5` names the option that makes sense in 5.0 only, if there is one.
    ///
    /// # Errors
    /// What does not go together, in words; or a file with certificates or keys cannot be used.
    pub(crate) fn setup(
        &self,
        default: DefaultVersion,
        needs_v5: Option<&'static str>,
    ) -> Result<Setup, Ending> {
        let setup = self.transport().and_then(|transport| self.setup_with(transport, default, needs_v5));
        setup.map_err(Ending::wrong_command_line)
    }

    fn setup_with(
        &self,
        transport: TransportOptions,
        default: DefaultVersion,
        needs_v5: Option<&'static str>,
    ) -> Result<Setup, String> {
        self.refused.check()?;
        let properties = PropertyArguments::parse(&self.property)?;
        let needs_v5 = needs_v5
            .or((!self.property.is_empty()).then_some("-D"))
            .or(self.session_expiry_interval.map(|_| "-x"))
            .or(self.auth_method.map(|_| "--auth-method"));
        let version = self.version(default, needs_v5)?;
        let Address { server, user_name, password, topic } = self.address()?;
        let mut options = ClientOptions::from(server.clone()).transport(transport);
        if let Some(proxy) = &self.proxy {
            options.transport.proxy = Some(Proxy::new(proxy).map_err(|error| error.to_string())?);
        }
        options = self.connect(options, version, &properties)?;
        let (of_user, of_password) =
            (option_or_url(&self.username, "-u"), option_or_url(&self.password, "-P"));
        options.connect.user_name = one_of(self.username.clone(), user_name, "-u and -L", "user name")?;
        let said = self.password.clone().map(OsString::into_vec);
        options.connect.password = one_of(said, password.map(String::into_bytes), "-P and -L", "password")?;
        options.connect.user_name.as_ref().map_or(Ok(()), |name| check_text(of_user, name))?;
        options.connect.password.as_ref().map_or(Ok(()), |password| check_data(of_password, password))?;
        match self.auth_method {
            Some(AuthMethod::Scram(hash)) => options = with_scram(options, hash)?,
            #[cfg(feature = "kerberos")]
            Some(AuthMethod::Kerberos) => options = with_kerberos(options, &self.kerberos_service, &server)?,
            None => {}
        }
        if options.connect.password.is_some() && options.connect.user_name.is_none() && version.is_v3() {
            return Err("a password needs a user name (-u) before MQTT 5.0".to_owned());
        }
        let disconnect = DisconnectOptions {
            session_expiry_interval: properties.disconnect_session_expiry,
            user_properties: properties.disconnect_user_properties,
            ..DisconnectOptions::default()
        };
        Ok(Setup { options, server: server.to_string(), topic, properties: properties.publish, disconnect })
    }

    fn version(
        &self,
        default: DefaultVersion,
        needs_v5: Option<&'static str>,
    ) -> Result<ProtocolVersion, String> {
        match (self.protocol_version, needs_v5) {
            (Some(Version::V5), _) | (None, Some(_)) => Ok(ProtocolVersion::V5),
            (Some(_), Some(option)) => {
                Err(format!("{option} needs MQTT 5.0: leave -V out, or say -V mqttv5"))
            }
            (Some(Version::V31), None) => Ok(ProtocolVersion::V31),
            (Some(Version::V311), None) => Ok(ProtocolVersion::V311),
            (None, None) if default == DefaultVersion::Newest => Ok(ProtocolVersion::V5),
            (None, None) => Ok(ProtocolVersion::V311),
        }
    }

    fn transport(&self) -> Result<TransportOptions, String> {
        let mut transport =
            TransportOptions { bind_address: self.bind_address, ..TransportOptions::default() };
        transport.dns_servers.extend(self.name_server);
        let tls = &self.tls;
        transport.tls.ca_file.clone_from(&tls.cafile);
        transport.tls.system_authorities = tls.tls_use_os_certs;
        if let Some(directory) = &tls.capath {
            transport.tls.ca_pem = Some(all_of(directory)?);
        }
        if let (Some(certificate), Some(key)) = (&tls.cert, &tls.key) {
            transport.tls.client_certificate =
                Some(ClientCertificate::Files { certificate: certificate.clone(), key: key.clone() });
        }
        transport.tls.alpn_protocols.extend(tls.tls_alpn.clone());
        transport.tls.any_server_name = tls.insecure;
        transport.tls.only_tls13 = tls.tls_version.as_deref() == Some("tlsv1.3");
        #[cfg(feature = "psk")]
        if let (Some(key), Some(identity)) = (&tls.psk, &tls.psk_identity) {
            let psk = ferry_client::PreSharedKey::from_hex(identity.clone(), key);
            transport.tls.psk = Some(psk.map_err(|error| error.to_string())?);
        }
        if tls.cafile.is_some() || tls.capath.is_some() || tls.cert.is_some() {
            transport.tls.check().map_err(|error| error.to_string())?;
        }
        Ok(transport)
    }

    fn connect(
        &self,
        options: ClientOptions,
        version: ProtocolVersion,
        properties: &PropertyArguments,
    ) -> Result<ClientOptions, String> {
        let client_id = self.client_id(version)?;
        check_text(if self.id_prefix.is_some() { "-I" } else { "-i" }, &client_id)?;
        let mut options = options.protocol_version(version).client_id(client_id);
        let connect = &mut options.connect;
        connect.keep_alive_seconds = self.keepalive;
        connect.clean_start = !self.disable_clean_session;
        connect.inflight_max = self.max_inflight;
        connect.will = self.will(properties)?;
        let for_ever = self.disable_clean_session.then_some(u32::MAX);
        let expiry = self.session_expiry_interval.or(properties.connect.session_expiry_interval).or(for_ever);
        connect.session_expiry_interval = expiry.unwrap_or(0);
        properties.connect.apply(connect);
        connect.subscribe_user_properties.clone_from(&properties.subscribe_user_properties);
        connect.unsubscribe_user_properties.clone_from(&properties.unsubscribe_user_properties);
        let Some(method) = &properties.connect.authentication_method else {
            return match properties.connect.authentication_data {
                Some(_) => Err("-D connect authentication-data needs an authentication-method".to_owned()),
                None => Ok(options),
            };
        };
        if self.auth_method.is_some() {
            return Err("--auth-method and -D connect authentication-method are two methods".to_owned());
        }
        let data = properties.connect.authentication_data.clone().unwrap_or_default();
        let token = Token { method: method.clone(), data };
        Ok(options.authentication(move || token.clone()))
    }

    fn client_id(&self, version: ProtocolVersion) -> Result<String, String> {
        // A session that lasts needs one.
        if let Some(id) = self.id.as_ref().filter(|id| !id.is_empty() || !self.disable_clean_session) {
            return Ok(id.clone());
        }
        if !version.is_v3() && self.session_expiry_interval == Some(u32::MAX) {
            return Err(
                "-x for ever is about the session of a Client Identifier: say which with -i".to_owned()
            );
        }
        if self.disable_clean_session {
            return Err("-c is about the session of a Client Identifier: say which with -i".to_owned());
        }
        if let Some(prefix) = &self.id_prefix {
            return Ok(format!("{prefix}{}", std::process::id()));
        }
        if !version.is_v3() {
            return Ok(String::new());
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| format!("no random numbers: {error}"))?;
        Ok(format!("ferry-{:016x}", u64::from_ne_bytes(random)))
    }

    fn will(&self, properties: &PropertyArguments) -> Result<Option<Will>, String> {
        let Some(topic) = &self.will.will_topic else {
            return if properties.has_will() {
                Err("-D will needs --will-topic".to_owned())
            } else {
                Ok(None)
            };
        };
        check_topic_name(topic).map_err(|words| format!("--will-topic: {words}"))?;
        let payload = self.will.will_payload.clone().unwrap_or_default().into_vec();
        check_data("--will-payload", &payload)?;
        let mut message = Message::new(topic, payload).retain(self.will.will_retain);
        message.qos = qos(self.will.will_qos);
        *message.properties_mut() = properties.will.clone();
        Ok(Some(Will::new(message).delay_seconds(properties.will_delay_seconds.unwrap_or(0))))
    }
}

impl TlsArguments {
    /// Whether an option says that there is to be TLS.
    pub(super) fn is_wanted(&self) -> bool {
        #[cfg(feature = "psk")]
        if self.psk.is_some() {
            return true;
        }
        self.cafile.is_some()
            || self.capath.is_some()
            || self.tls_use_os_certs
            || self.cert.is_some()
            || self.insecure
            || self.tls_version.is_some()
            || self.tls_alpn.is_some()
    }
}

impl ConnectProperties {
    fn apply(&self, connect: &mut ConnectOptions) {
        connect.receive_maximum = self.receive_maximum.unwrap_or(connect.receive_maximum);
        connect.maximum_packet_size = self.maximum_packet_size;
        connect.topic_alias_maximum = self.topic_alias_maximum.unwrap_or(connect.topic_alias_maximum);
        connect.request_problem_information = self.request_problem_information.unwrap_or(true);
        connect.request_response_information = self.request_response_information.unwrap_or(false);
        connect.user_properties.clone_from(&self.user_properties);
    }
}

/// Where something comes from that may stand in an option or in the URL.
fn option_or_url<T>(value: &Option<T>, option: &'static str) -> &'static str {
    if value.is_some() { option } else { "-L" }
}

/// What one of two places says. Mosquitto's clients take the last one, whichever was meant.
fn one_of<T>(option: Option<T>, of_url: Option<T>, places: &str, what: &str) -> Result<Option<T>, String> {
    match (option, of_url) {
        (Some(_), Some(_)) => Err(format!("{places}: both have a {what}; say it once")),
        (option, of_url) => Ok(option.or(of_url)),
    }
}

/// Proves who it is by what CONNECT would have shown otherwise.
fn with_scram(mut options: ClientOptions, hash: ScramHash) -> Result<ClientOptions, String> {
    let user_name = options.connect.user_name.take().filter(|name| !name.is_empty());
    let (Some(user_name), Some(password)) = (user_name, options.connect.password.take()) else {
        return Err("--auth-method needs a user name (-u) and a password (-P)".to_owned());
    };
    let scram = Scram::new(hash, &user_name, password);
    Ok(options.authentication(move || scram.clone()))
}

/// Proves by a ticket who it is. A user name chooses among tickets of several users.
#[cfg(feature = "kerberos")]
fn with_kerberos(
    mut options: ClientOptions,
    service: &str,
    server: &ServerAddress,
) -> Result<ClientOptions, String> {
    if options.connect.password.is_some() {
        return Err("--auth-method GS2-KRB5 needs a ticket (`kinit`), and no password".to_owned());
    }
    let (service, host) = match (service.split_once('@'), server) {
        (Some((service, host)), _) => (service.to_owned(), host.to_owned()),
        (None, ServerAddress::Network { host, .. }) => (service.to_owned(), host.clone()),
        (None, ServerAddress::Service { .. } | ServerAddress::Unix(_)) => {
            return Err("this address names no host; say --kerberos-service mqtt@HOST".to_owned());
        }
    };
    let user = options.connect.user_name.take().filter(|name| !name.is_empty());
    Ok(options.authentication(move || {
        let kerberos = ferry_client::Kerberos::with_service(&service, &host);
        match &user {
            Some(user) => kerberos.user(user),
            None => kerberos,
        }
    }))
}

/// An authentication of one step: data that is known before.
#[derive(Clone)]
struct Token {
    method: String,
    data: Vec<u8>,
}

impl AuthMechanism for Token {
    fn method(&self) -> &str {
        &self.method
    }

    fn start(&mut self) -> Vec<u8> {
        self.data.clone()
    }

    fn challenge(&mut self, _data: &[u8]) -> Result<Vec<u8>, String> {
        Err(format!("the server asks for more than the data of -D to authenticate by {}", self.method))
    }
}

/// 0 to 2, as checked by the command line.
pub(crate) fn qos(number: u8) -> QoS {
    match number {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

/// Says what is wrong with a topic to publish to.
pub(crate) fn check_topic_name(topic: &str) -> Result<(), String> {
    if topic.is_empty() {
        return Err("the topic is empty".to_owned());
    }
    if topic.contains(['+', '#']) {
        return Err(format!("{topic:?}: + and # are for subscribing; a message has one topic"));
    }
    if topic.len() > usize::from(u16::MAX) {
        return Err("the topic has more than 65,535 bytes".to_owned());
    }
    if topic.contains('\0') {
        return Err("the character U+0000 is not possible in a topic".to_owned());
    }
    Ok(())
}

/// All files of a directory, one after the other.
fn all_of(directory: &Path) -> Result<Vec<u8>, String> {
    let words = |error: std::io::Error| format!("{}: {error}", directory.display());
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).map_err(words)? {
        let path = entry.map_err(words)?.path();
        if path.is_file() {
            all.extend(fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?);
            all.push(b'\n');
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    #[command(disable_help_flag = true, version, disable_version_flag = true)]
    struct Line {
        #[command(flatten)]
        connection: ConnectionArguments,
    }

    fn setup(line: &str) -> Result<Setup, Ending> {
        setup_of(line.split(' '))
    }

    fn setup_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Setup, Ending> {
        let line = Line::try_parse_from(["ferry"].into_iter().chain(words)).unwrap();
        line.connection.setup(DefaultVersion::Oldest, None)
    }

    #[test]
    fn user_name_and_password_come_from_options_and_urls() {
        for (line, user_name, password) in [
            ("-L ws://ada:secret@h/mqtt", Some("ada"), Some("secret")),
            ("-L wss://ada@h/mqtt -P secret", Some("ada"), Some("secret")),
            ("-L mqtt://ada:@h/t", Some("ada"), Some("")),
            ("-L mqtt://h/t -u ada -P secret", Some("ada"), Some("secret")),
            ("-h h -u ada", Some("ada"), None),
        ] {
            let connect = setup(line).map_err(|ending| ending.words().to_owned()).unwrap().options.connect;
            assert_eq!(connect.user_name.as_deref(), user_name, "{line}");
            assert_eq!(connect.password.as_deref(), password.map(str::as_bytes), "{line}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_a_wrong_command_line() {
        for (line, words) in [
            ("-L mqtt://ada@h/t -u ben", "both have a user name"),
            ("-L ws://ada:one@h -P two", "both have a password"),
            ("-P secret", "a password needs a user name"),
            ("-c", "say which with -i"),
            ("-c --id=", "say which with -i"),
            ("-h ada@h", "with -u"),
        ] {
            let Err(ending) = setup(line) else { panic!("{line}") };
            assert!(ending.words().contains(words), "{line}: {ending:?}");
        }
    }

    /// [MQTT-1.5.4-2], [MQTT3-1.5.3-2]
    #[test]
    fn what_cannot_be_sent_is_said_of_its_option() {
        let long = "x".repeat(65_536);
        let too_long = "there are 65536 bytes; at most 65,535 are possible";
        for (before, option) in [
            (vec!["-i"], "-i"),
            (vec!["-u"], "-u"),
            (vec!["-u", "ada", "-P"], "-P"),
            (vec!["--will-topic", "t", "--will-payload"], "--will-payload"),
        ] {
            assert!(setup_of(before.iter().copied().chain([&long[1..]])).is_ok(), "{option}");
            let Err(ending) = setup_of(before.into_iter().chain([long.as_str()])) else { panic!("{option}") };
            assert_eq!(ending.words(), format!("{option}: {too_long}"));
        }
        for (words, option) in [
            (vec!["-I", &long], "-I: there are "),
            (vec!["--will-topic", &long], "--will-topic: the topic has more than 65,535 bytes"),
            (vec!["-L", &format!("mqtt://{long}@h/t")], "-L: there are"),
            (vec!["-L", &format!("mqtt://ada:{long}@h/t")], "-L: there are"),
            (vec!["-u", "a\0b"], "-u: the character U+0000"),
            (vec!["-i", "a\0b"], "-i: the character U+0000"),
            (vec!["--will-topic", "a\0b"], "--will-topic: the character U+0000"),
        ] {
            let Err(ending) = setup_of(words) else { panic!("{option}") };
            assert!(ending.words().starts_with(option), "{option}: {ending:?}");
        }
    }
}
