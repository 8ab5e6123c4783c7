//! Checks that need more than one option, or the machine: what cannot work is a problem, what looks wrong a warning.

use std::path::{Path, PathBuf};

use ferry_net::{ListenAddress, TlsError, Transport};

use super::Config;
use super::authentication::{Authentication, AuthenticatorKind};
use super::authorization::{Authorization, read_acl_file, read_rules_file};
use super::file_access::FileUse;
use super::hook::read_hook;
use super::jwt::read_jwt_rules;
use super::kerberos::check_keytab;
use super::limits::Limits;
use super::listener::{AllowAnonymous, ClientCertificate, Listener};
use super::load::Places;
use super::opentelemetry::read_collector;
use super::option::Section;
use super::password_file::read_password_file;
use super::problem::{Place, Problem};
use super::sections::Server;
use super::sql::read_sql;
use super::storage::{Durability, Storage};
use super::validate_admin::validate_admin;
use super::value::Setting;
use crate::privileges::{Account, new_user};
use crate::tls_expiry;

/// Longest path of a Unix socket that every supported system takes.
const UNIX_PATH_BYTES_MAX: usize = 103;

/// Checks the whole configuration.
pub(super) fn validate(
    config: &Config,
    places: &Places,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    let mut before: Vec<&Listener> = Vec::new();
    for (index, listener) in config.listeners.iter().enumerate() {
        let authentication = &config.authentication;
        let restricted = config.authorization.restricts();
        let mut check =
            ListenerCheck { index, listener, authentication, restricted, places, problems, warnings };
        // Of a listener whose address is wrong nothing can be said.
        if check.has_address() {
            check.address();
            check.authenticators();
            check.anonymous();
            check.tls();
            check.twice(&before);
            before.push(listener);
        }
    }
    if config.listeners.is_empty() {
        problems.push(Problem {
            place: Place::Default,
            option: "listener".to_owned(),
            message: "there is no listener".to_owned(),
            remedy: "add one, for example tcp://127.0.0.1:1883".to_owned(),
        });
    }
    server_user(&config.server, places, warnings);
    if let Some(path) = &config.authentication.password_file
        && let Err(wrong) = read_password_file(path, warnings)
    {
        problems.extend(wrong);
    }
    let place_of = |option: &str| places.of(&[option]);
    if let Err(wrong) = read_jwt_rules(&config.authentication, &place_of, warnings) {
        problems.extend(wrong);
    }
    if let Err(wrong) = check_keytab(&config.authentication, &place_of, warnings) {
        problems.push(wrong);
    }
    if let Err(wrong) = read_hook(&config.authentication, &place_of, warnings) {
        problems.extend(wrong);
    }
    if let Err(wrong) = read_sql(&config.authentication, &place_of, warnings) {
        problems.extend(wrong);
    }
    times(config, places, warnings);
    if let Err(wrong) = read_collector(&config.opentelemetry, &place_of, warnings) {
        problems.extend(wrong);
    }
    authorization(&config.authorization, places, problems, warnings);
    storage(&config.storage, places, warnings);
    validate_admin(&config.admin, places, problems, warnings);
    limits(&config.limits, places, problems, warnings);
    let ahead_seconds = config.server.certificate_expiry_warning_seconds;
    if ahead_seconds > 0 {
        warnings.extend(tls_expiry::warnings(
            &tls_expiry::expiries(config),
            ahead_seconds,
            tls_expiry::now_seconds(),
        ));
    }
}

fn server_user(server: &Server, places: &Places, warnings: &mut Vec<Problem>) {
    let Some(name) = &server.user else { return };
    // Where the system cannot say, the start finds out.
    if !matches!(Account::known(name), Ok(None)) {
        return;
    }
    let option = "server.user".to_owned();
    warnings.push(Problem {
        place: places.of(&[&option]),
        option,
        message: format!("there is no user {name} on this machine: started by root, the broker would end"),
        remedy: new_user(name),
    });
}

fn times(config: &Config, places: &Places, warnings: &mut Vec<Problem>) {
    let authentication = &config.authentication;
    let all = config.limits.authentication_timeout_seconds;
    for (name, url, one) in [
        ("hook", &authentication.hook_url, authentication.hook_timeout_seconds),
        ("sql", &authentication.sql_url, authentication.sql_timeout_seconds),
    ] {
        if url.is_some() && one >= all {
            let option = format!("authentication.{name}_timeout_seconds");
            let place = places.of(&[&option, &format!("authentication.{name}_url")]);
            let message =
                format!("clients have only limits.authentication_timeout_seconds = {all} for all of it");
            warnings.push(Problem { place, option, message, remedy: "set a shorter time".to_owned() });
        }
    }
}

fn authorization(
    authorization: &Authorization,
    places: &Places,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    let Authorization { acl_file, rules_file, roles: _ } = authorization;
    if let Some(path) = acl_file
        && let Err(wrong) = read_acl_file(path, warnings)
    {
        problems.extend(wrong);
    }
    if let Some(path) = rules_file
        && let Err(wrong) = read_rules_file(path, warnings)
    {
        problems.extend(wrong);
    }
    if acl_file.is_some() && rules_file.is_some() {
        let option = "authorization.rules_file".to_owned();
        problems.push(Problem {
            place: places.of(&[&option]),
            option,
            message: "there is authorization.acl_file too, and which of both decides would be unclear"
                .to_owned(),
            remedy: "name one of them".to_owned(),
        });
    }
}

fn storage(storage: &Storage, places: &Places, warnings: &mut Vec<Problem>) {
    let mut warning = |key: &str, message: &str, remedy: &str| {
        let option = format!("storage.{key}");
        let place = places.of(&[&option]);
        warnings.push(Problem { place, option, message: message.to_owned(), remedy: remedy.to_owned() });
    };
    if !storage.is_on_disk() && storage.data_directory.is_some() {
        let remedy = "remove storage.durability = \"memory\", or the directory";
        warning("data_directory", "not used, because everything is kept in memory", remedy);
    }
    if !storage.is_on_disk()
        && storage.topic_durability.iter().any(|rule| rule.durability != Durability::Memory)
    {
        let remedy = "set storage.durability to \"fsync\", with \"# = memory\" as the last rule";
        warning("topic_durability", "without effect, because everything is kept in memory", remedy);
    }
}

fn limits(limits: &Limits, places: &Places, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
    for (smaller_key, larger_key, why, severity) in ORDERS {
        let (Some(Setting::Number(smaller)), Some(Setting::Number(larger))) =
            (limits.setting(smaller_key), limits.setting(larger_key))
        else {
            continue;
        };
        if smaller <= larger {
            continue;
        }
        let (smaller_key, larger_key) = (format!("limits.{smaller_key}"), format!("limits.{larger_key}"));
        let problem = Problem {
            place: places.of(&[&smaller_key, &larger_key]),
            message: format!("{smaller} is more than {larger_key} = {larger}: {why}"),
            remedy: format!("lower {smaller_key} or raise {larger_key}"),
            option: smaller_key,
        };
        match severity {
            Severity::Problem => problems.push(problem),
            Severity::Warning => warnings.push(problem),
        }
    }
}

enum Severity {
    Problem,
    Warning,
}

/// Limits of which the first should not be above the second, and what happens if it is.
const ORDERS: [(&str, &str, &str, Severity); 5] = [
    (
        "packet_size_bytes_max",
        "queue_bytes_max",
        "no message of full size could wait for a session",
        Severity::Problem,
    ),
    (
        "packet_size_bytes_max",
        "mailbox_bytes_max",
        "no message of full size could reach another shard",
        Severity::Problem,
    ),
    (
        "packet_size_bytes_max",
        "write_buffer_bytes_max",
        "the largest messages reach only a client that has taken everything before them",
        Severity::Warning,
    ),
    (
        "queue_bytes_max",
        "queue_bytes_total_max",
        "one session may fill what is there for all",
        Severity::Warning,
    ),
    (
        "queue_messages_max",
        "queue_messages_total_max",
        "one session may fill what is there for all",
        Severity::Warning,
    ),
];

struct ListenerCheck<'a> {
    index: usize,
    listener: &'a Listener,
    authentication: &'a Authentication,
    /// There are rules of what clients may do.
    restricted: bool,
    places: &'a Places,
    problems: &'a mut Vec<Problem>,
    warnings: &'a mut Vec<Problem>,
}

impl ListenerCheck<'_> {
    /// Whether its address is its own, not the default in the place of a wrong one or of none.
    fn has_address(&mut self) -> bool {
        let option = self.option("address");
        if self.problems.iter().any(|problem| problem.option == option) {
            return false;
        }
        let named = self.places.is_set(&format!("listener[{}]", self.index));
        if named && !self.places.is_set(&self.option("address")) {
            let remedy = match self.place("") {
                Place::Environment(_) => {
                    format!("set FERRY_LISTENER_{}_ADDRESS=tcp://127.0.0.1:1883", self.index)
                }
                _ => "add address = \"tcp://127.0.0.1:1883\" to it".to_owned(),
            };
            self.problem("", "this listener has no address".to_owned(), remedy);
            return false;
        }
        true
    }

    fn address(&mut self) {
        let address = &self.listener.address;
        let Some(path) = address.unix_path() else {
            self.usual_port();
            return;
        };
        if path.as_os_str().len() > UNIX_PATH_BYTES_MAX {
            let message = format!("the path of a Unix socket may have {UNIX_PATH_BYTES_MAX} bytes");
            self.problem("address", message, "use a shorter path, such as unix:///run/ferry.sock".to_owned());
        } else if !path.parent().is_some_and(Path::is_dir) {
            let message = format!("there is no directory for {}", path.display());
            self.problem("address", message, "create the directory first".to_owned());
        }
    }

    fn usual_port(&mut self) {
        let address = &self.listener.address;
        let swapped = match (address, address.host_port().map(|host_port| host_port.port)) {
            (ListenAddress::Tcp(_), Some(8883)) => "without TLS on port 8883, where clients expect it",
            (ListenAddress::Tls(_), Some(1883)) => "TLS on port 1883, where clients do not expect it",
            _ => return,
        };
        self.warning("address", swapped.to_owned(), "check scheme and port".to_owned());
    }

    fn authenticators(&mut self) {
        let listener = self.listener;
        let kinds = listener.authenticators(self.authentication);
        for kind in &kinds {
            match kind {
                AuthenticatorKind::PasswordFile if self.authentication.password_file.is_none() => {
                    let message = "there is no password file".to_owned();
                    let remedy = "set authentication.password_file = \"FILE\"".to_owned();
                    self.problem("authentication", message, remedy);
                }
                AuthenticatorKind::Certificate
                    if !listener.uses_tls() || listener.tls_client_certificate == ClientCertificate::None =>
                {
                    let message = "clients are not asked for a certificate here".to_owned();
                    let remedy = "listen on tls:// or wss://, and set tls_client_certificate = \"required\"";
                    self.problem("authentication", message, remedy.to_owned());
                }
                AuthenticatorKind::Psk if listener.tls_psk_file.is_none() => {
                    let message = "clients have no pre-shared keys here".to_owned();
                    let remedy = "listen on tls:// or wss://, and set tls_psk_file = \"FILE\"".to_owned();
                    self.problem("authentication", message, remedy);
                }
                AuthenticatorKind::Jwt if !self.authentication.takes_tokens() => {
                    let message = "there are no keys for tokens".to_owned();
                    let remedy = "set authentication.jwt_key_file = \"FILE\"".to_owned();
                    self.problem("authentication", message, remedy);
                }
                AuthenticatorKind::Hook if self.authentication.hook_url.is_none() => {
                    let message = "there is no hook to be asked".to_owned();
                    let remedy = "set authentication.hook_url = \"https://...\"".to_owned();
                    self.problem("authentication", message, remedy);
                }
                AuthenticatorKind::Sql if self.authentication.sql_url.is_none() => {
                    let message = "there is no database to be asked".to_owned();
                    let remedy = "set authentication.sql_url = \"postgresql://...\"".to_owned();
                    self.problem("authentication", message, remedy);
                }
                AuthenticatorKind::Peer
                    if listener.address.transport() != Transport::Unix || listener.proxy_protocol =>
                {
                    let message = "nobody knows here which user of this machine a client is".to_owned();
                    let remedy = "listen on unix://, without proxy_protocol".to_owned();
                    self.problem("authentication", message, remedy);
                }
                AuthenticatorKind::Users if !self.authentication.users => {
                    let message = "users are not managed at run time".to_owned();
                    self.problem("authentication", message, "set authentication.users = true".to_owned());
                }
                AuthenticatorKind::Kerberos if self.authentication.kerberos_keytab_file.is_none() => {
                    let message = "there is no key for Kerberos".to_owned();
                    let remedy = "set authentication.kerberos_keytab_file = \"FILE\"".to_owned();
                    self.problem("authentication", message, remedy);
                }
                AuthenticatorKind::PasswordFile
                | AuthenticatorKind::Users
                | AuthenticatorKind::Peer
                | AuthenticatorKind::Certificate
                | AuthenticatorKind::Psk
                | AuthenticatorKind::Jwt
                | AuthenticatorKind::Hook
                | AuthenticatorKind::Sql
                | AuthenticatorKind::Kerberos => {}
            }
        }
        self.secrets(&kinds);
    }

    /// Warns of passwords that others can read on their way.
    fn secrets(&mut self, kinds: &[AuthenticatorKind]) {
        let listener = self.listener;
        let is_open = !listener.uses_tls() && !listener.address.is_local_only() && !listener.proxy_protocol;
        let has_secrets = |kind: &AuthenticatorKind| {
            let without =
                [AuthenticatorKind::Certificate, AuthenticatorKind::Peer, AuthenticatorKind::Kerberos];
            !without.contains(kind)
        };
        if kinds.iter().any(has_secrets) && is_open {
            let message = format!("passwords travel unencrypted to {}", listener.address);
            self.warning("address", message, "listen on tls:// or wss://".to_owned());
        }
    }

    fn anonymous(&mut self) {
        let address = &self.listener.address;
        let judged = !self.listener.authenticators(self.authentication).is_empty();
        match self.listener.allow_anonymous {
            AllowAnonymous::Local | AllowAnonymous::No if judged => {}
            AllowAnonymous::Yes if !address.is_local_only() && self.listener.tls_psk_file.is_none() => {
                let reach = if self.restricted { "" } else { " to everything" };
                let mut message = format!("everyone who reaches {address} may publish and subscribe{reach}");
                let mut remedy = "use it only in a network that you trust".to_owned();
                if address.transport().uses_websocket() && self.listener.websocket_origins.is_none() {
                    message.push_str(", and so may every web page that someone there opens");
                    remedy.push_str(", and name the pages that may connect in websocket_origins");
                }
                self.warning("allow_anonymous", message, remedy);
            }
            AllowAnonymous::Local if !address.is_local_only() => {
                let message = format!(
                    "other machines can reach {address}, and there is no way to tell who a client is"
                );
                let remedy = "name the users in authentication.password_file (or start with --password-file FILE); if everyone in that network may do everything, set allow_anonymous = true on this listener (or start with --allow-anonymous); else listen on 127.0.0.1".to_owned();
                self.problem("address", message, remedy);
            }
            AllowAnonymous::No => {
                let message = "no client could connect: nobody judges clients here".to_owned();
                let remedy = "name the users in authentication.password_file, or remove the line".to_owned();
                self.problem("allow_anonymous", message, remedy);
            }
            AllowAnonymous::Yes | AllowAnonymous::Local => {}
        }
    }

    fn tls(&mut self) {
        let listener = self.listener;
        let files = [
            ("tls_certificate_file", &listener.tls_certificate_file),
            ("tls_key_file", &listener.tls_key_file),
            ("tls_client_ca_file", &listener.tls_client_ca_file),
            ("tls_client_crl_file", &listener.tls_client_crl_file),
        ];
        if !listener.uses_tls() {
            let psk_file = [("tls_psk_file", &listener.tls_psk_file)];
            for (key, _) in files.iter().chain(&psk_file).filter(|(_, path)| path.is_some()) {
                let message = format!("{} does not use TLS", listener.address);
                self.problem(key, message, "listen on tls:// or wss://, or remove the line".to_owned());
            }
            return;
        }
        if listener.tls_psk_file.is_some() {
            return self.psk(&files);
        }
        for (key, path) in &files[..2] {
            if path.is_none() {
                let flag = if *key == "tls_key_file" { "--tls-key" } else { "--tls-cert" };
                let message = format!("{} needs a {key}", listener.address);
                let remedy =
                    format!("set {key} = \"FILE.pem\" on this listener (or start with {flag} FILE.pem)");
                self.problem(key, message, remedy);
            }
        }
        let asked = listener.tls_client_certificate != ClientCertificate::None;
        if asked && listener.tls_client_ca_file.is_none() {
            let message = "no authority is named that signs clients' certificates".to_owned();
            self.problem(
                "tls_client_certificate",
                message,
                "set tls_client_ca_file = \"FILE.pem\"".to_owned(),
            );
        }
        for (key, path) in &files[2..] {
            if path.is_some() && !asked {
                let message = "clients are not asked for a certificate, so this file is not used".to_owned();
                self.warning(key, message, "set tls_client_certificate = \"required\"".to_owned());
            }
        }
        self.tls_files(&files);
    }

    /// Loads pre-shared keys as the listener would.
    fn psk(&mut self, certificate_files: &[(&str, &Option<PathBuf>)]) {
        let asked = self.listener.tls_client_certificate != ClientCertificate::None;
        let certificate = ("tls_client_certificate", asked);
        let files = certificate_files.iter().map(|(key, path)| (*key, path.is_some()));
        for (key, _) in files.chain([certificate]).filter(|(_, is_set)| *is_set) {
            let message = "nobody has a certificate where there are pre-shared keys".to_owned();
            let remedy = "remove this, or tls_psk_file; a second listener can have the other".to_owned();
            self.problem(key, message, remedy);
        }
        match self.listener.tls_acceptor() {
            Ok(_) => self.tls_file_access(&[("tls_psk_file", &self.listener.tls_psk_file)]),
            Err(TlsError::NoPsk { .. }) => {
                let message = "this program is built without TLS-PSK".to_owned();
                let remedy = "build it with `cargo build --release --features psk`, which needs OpenSSL, or use \
                     certificates";
                self.problem("tls_psk_file", message, remedy.to_owned());
            }
            Err(error) => {
                let remedy = "put the right file there and check its permissions".to_owned();
                self.problem("tls_psk_file", error.to_string(), remedy);
            }
        }
    }

    /// Loads certificates and keys as the listener would.
    fn tls_files(&mut self, files: &[(&str, &Option<PathBuf>)]) {
        let mut unreadable = false;
        for (key, path) in files {
            // The acceptor would name only the first.
            if let Some(path) = path
                && let Err(error) = std::fs::File::open(path)
            {
                let message = format!("{} cannot be read: {error}", path.display());
                self.problem(key, message, "put the right file there and check its permissions".to_owned());
                unreadable = true;
            }
        }
        if unreadable {
            return;
        }
        self.tls_file_access(files);
        let Err(error) = self.listener.tls_acceptor() else { return };
        let key =
            files.iter().find(|(_, path)| path.as_deref() == Some(error.file())).map_or("", |(key, _)| *key);
        self.problem(key, error.to_string(), "put the right file there and check its permissions".to_owned());
    }

    fn tls_file_access(&mut self, files: &[(&str, &Option<PathBuf>)]) {
        for (key, path) in files {
            let Some(path) = path else { continue };
            let file_use = match *key {
                "tls_key_file" | "tls_psk_file" => FileUse::Secret,
                _ => FileUse::Trusted,
            };
            let name = Place::WholeFile(path.display().to_string());
            // Listeners mostly share one key.
            let is_said = self.warnings.iter().any(|said| said.place == name && said.option.ends_with(key));
            let warning = file_use.warning(path, &self.option(key)).filter(|_| !is_said);
            self.warnings.extend(warning);
        }
    }

    fn twice(&mut self, before: &[&Listener]) {
        let address = &self.listener.address;
        let free_port = address.host_port().is_some_and(|host_port| host_port.port == 0);
        let taken = before.iter().any(|other| match (address.host_port(), other.address.host_port()) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => *address == other.address,
        });
        if taken && !free_port {
            let message = format!("another listener has the address of {address} already");
            self.problem("address", message, "give each listener its own host and port".to_owned());
        }
    }

    fn problem(&mut self, key: &str, message: String, remedy: String) {
        let problem = self.describe(key, message, remedy);
        self.problems.push(problem);
    }

    fn warning(&mut self, key: &str, message: String, remedy: String) {
        let problem = self.describe(key, message, remedy);
        self.warnings.push(problem);
    }

    fn describe(&self, key: &str, message: String, remedy: String) -> Problem {
        Problem { place: self.place(key), option: self.option(key), message, remedy }
    }

    /// The place of the option, or of the address if the option has its default, or of the block.
    fn place(&self, key: &str) -> Place {
        self.places.of(&[&self.option(key), &self.option("address"), &self.option("")])
    }

    fn option(&self, key: &str) -> String {
        let dot = if key.is_empty() { "" } else { "." };
        format!("listener[{}]{dot}{key}", self.index)
    }
}
