//! The authenticators that a configuration asks for.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use ferry_auth::{
    Authenticator, CertificateLink, Chain, DecoySecret, HashQueue, JwtLink, PasswordFile, PasswordLink,
    PeerLink, PskLink,
};

use hyper::HeaderMap;

#[cfg(feature = "kerberos")]
use crate::config::kerberos_rules;
use crate::config::{
    Authentication, AuthenticatorKind, Config, JwksServer, JwtSetup, Place, Problem, Problems, read_hook,
    read_jwt_rules, read_password_file, read_system_users,
};
use crate::hook::{ANSWER_BYTES_MAX, HookLimits, HookLink};
use crate::http_client::{HttpClient, HttpThread};
use crate::jwks::{Jwks, JwksTimes, KEYS_BYTES_MAX};
#[cfg(feature = "postgresql")]
use crate::sql::Postgresql;
#[cfg(feature = "sqlite")]
use crate::sql::Sqlite;
use crate::user_store::UserStore;
#[cfg(any(feature = "postgresql", feature = "sqlite"))]
use crate::{
    config::{SqlSource, read_sql},
    sql::{Database, SqlLimits, SqlLink},
};

/// Who judges passwords: what one does not know is left to the next.
const PASSWORD_JUDGES: [&str; 3] =
    [AuthenticatorKind::PasswordFile.name(), AuthenticatorKind::Users.name(), AuthenticatorKind::Sql.name()];

/// Makes the judges of a configuration, and makes them anew when it is reloaded; all of them share one queue.
pub(crate) struct Authenticators {
    queue: Arc<HashQueue>,
    /// For password files without one.
    decoy_secret: DecoySecret,
    in_force: Made,
    pub(crate) users: UserStore,
    /// There when something is configured that asks a server.
    http: OnceLock<HttpThread>,
}

/// Judges that are not in force yet.
#[derive(Default)]
pub(crate) struct Made {
    /// All but those of the users that are managed at run time.
    chain: Chain,
    password_file: Option<Arc<PasswordFile>>,
    /// The keys, if they are fetched.
    jwks: Option<Jwks>,
    /// Whether there are users that are managed at run time.
    has_users: bool,
}

impl Authenticators {
    /// The judges of a configuration.
    ///
    /// # Errors
    /// As [`make`](Self::make).
    pub(crate) fn new(config: &Config) -> Result<Self, Problems> {
        let cores = || thread::available_parallelism().map_or(1, |cores| cores.get());
        let threads = config.authentication.hash_threads.map_or_else(|| cores() / 2, usize::from);
        let queue = HashQueue::new(threads, config.limits.password_checks_waiting_max as usize);
        let mut authenticators = Self {
            queue: Arc::new(queue),
            decoy_secret: DecoySecret::random(),
            in_force: Made::default(),
            users: UserStore::default(),
            http: OnceLock::new(),
        };
        authenticators.in_force = authenticators.make(config)?;
        Ok(authenticators)
    }

    /// Reads what the configuration names.
    ///
    /// # Errors
    /// A file cannot be read, or something in it is wrong.
    pub(crate) fn make(&self, config: &Config) -> Result<Made, Problems> {
        let mut password_file = None;
        let certificate_user = config.authentication.certificate_user.of_certificate();
        let mut chain = Chain::new()
            .with(AuthenticatorKind::Certificate.name(), Arc::new(CertificateLink(certificate_user)))
            .with(AuthenticatorKind::Psk.name(), Arc::new(PskLink));
        let kind = AuthenticatorKind::Peer;
        if config
            .listeners
            .iter()
            .any(|listener| listener.authenticators(&config.authentication).contains(&kind))
        {
            let link = PeerLink::new(config.authentication.peer_users.clone(), read_system_users());
            chain = chain.with(kind.name(), Arc::new(link));
        }
        if let Some(path) = &config.authentication.password_file {
            // Whoever loaded the configuration has seen the warnings.
            let file = Arc::new(read_password_file(path, &mut Vec::new()).map_err(Problems)?);
            password_file = Some(Arc::clone(&file));
            let name = AuthenticatorKind::PasswordFile.name();
            chain = chain.with(name, Arc::new(self.password_link(file, name)));
        }
        let mut jwks = None;
        let setup = read_jwt_rules(&config.authentication, &|_| Place::Default, &mut Vec::new());
        if let Some(JwtSetup { rules, jwks: server }) = setup.map_err(Problems)? {
            jwks = server.map(|server| self.jwks(server, &config.authentication)).transpose()?;
            let queue = Arc::clone(&self.queue);
            let link = match &jwks {
                None => JwtLink::new(rules, queue),
                Some(jwks) => JwtLink::with_fetched_keys(rules, Arc::clone(&jwks.keys), queue),
            };
            chain = chain.with(AuthenticatorKind::Jwt.name(), Arc::new(link));
        }
        #[cfg(feature = "kerberos")]
        if let Some(rules) =
            kerberos_rules(&config.authentication).map_err(|problem| Problems(vec![problem]))?
        {
            let link = ferry_auth::KerberosLink::new(rules, Arc::clone(&self.queue));
            chain = chain.with(AuthenticatorKind::Kerberos.name(), Arc::new(link));
        }
        if let Some(link) = self.hook(&config.authentication)? {
            chain = chain.with(AuthenticatorKind::Hook.name(), Arc::new(link));
        }
        #[cfg(any(feature = "postgresql", feature = "sqlite"))]
        if let Some(link) = self.sql(&config.authentication)? {
            chain = chain.with(AuthenticatorKind::Sql.name(), Arc::new(link));
        }
        self.queue.set_jobs_max(config.limits.password_checks_waiting_max as usize);
        Ok(Made { chain, password_file, jwks, has_users: config.authentication.users })
    }

    fn jwks(&self, server: JwksServer, authentication: &Authentication) -> Result<Jwks, Problems> {
        let JwksServer { url, ca_file } = server;
        let client = HttpClient::new(url.clone(), HeaderMap::new(), ca_file.as_deref(), KEYS_BYTES_MAX, 1);
        let client = client.map_err(|error| problem("authentication.jwt_jwks_url", error.to_string()))?;
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        let times = JwksTimes {
            lifetime: seconds(authentication.jwt_jwks_cache_seconds),
            stale: seconds(authentication.jwt_jwks_stale_seconds),
            cooldown: seconds(authentication.jwt_jwks_cooldown_seconds),
        };
        // A reload must not forget what a server that cannot be reached just now has said before.
        let known =
            self.in_force.jwks.as_ref().filter(|jwks| jwks.url == url).and_then(|jwks| jwks.keys.keys());
        Ok(Jwks::start(url, client, times, known, &self.http()?.handle()))
    }

    fn hook(&self, authentication: &Authentication) -> Result<Option<HookLink>, Problems> {
        let server = read_hook(authentication, &|_| Place::Default, &mut Vec::new()).map_err(Problems)?;
        let Some(server) = server else { return Ok(None) };
        let requests_max = authentication.hook_requests_max as usize;
        let ca_file = server.ca_file.as_deref();
        let client = HttpClient::new(server.url, server.headers, ca_file, ANSWER_BYTES_MAX, requests_max);
        let client = client.map_err(|error| problem("authentication.hook_url", error.to_string()))?;
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        let limits = HookLimits {
            timeout: seconds(authentication.hook_timeout_seconds),
            requests_max,
            waiting_max: authentication.hook_waiting_max as usize,
            cache_lifetime: seconds(authentication.hook_cache_seconds),
            cache_entries_max: authentication.hook_cache_entries_max as usize,
            when_unavailable: authentication.hook_unavailable,
        };
        Ok(Some(HookLink::new(client, self.http()?.handle(), limits)))
    }

    #[cfg(any(feature = "postgresql", feature = "sqlite"))]
    fn sql(&self, authentication: &Authentication) -> Result<Option<SqlLink>, Problems> {
        let source = read_sql(authentication, &|_| Place::Default, &mut Vec::new()).map_err(Problems)?;
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        let timeout = seconds(authentication.sql_timeout_seconds);
        let Some(source) = source else { return Ok(None) };
        let runtime = self.http()?.handle();
        let (database, query) = match source {
            #[cfg(feature = "postgresql")]
            SqlSource::Postgresql(url, query) => {
                let server = Postgresql::new(*url, timeout);
                let server = server.map_err(|fault| problem("authentication.sql_ca_file", fault))?;
                (Database::Postgresql(Box::new(server)), query)
            }
            #[cfg(feature = "sqlite")]
            SqlSource::Sqlite(path, query) => (Database::Sqlite(Arc::new(Sqlite::new(path))), query),
        };
        let limits = SqlLimits {
            timeout,
            connections_max: authentication.sql_connections_max as usize,
            waiting_max: authentication.sql_waiting_max as usize,
            cache_lifetime: seconds(authentication.sql_cache_seconds),
            cache_entries_max: authentication.sql_cache_entries_max as usize,
            when_unavailable: authentication.sql_unavailable,
        };
        let names: (_, &'static [_]) = (AuthenticatorKind::Sql.name(), &PASSWORD_JUDGES);
        Ok(Some(SqlLink::new(database, query, runtime, limits, Arc::clone(&self.queue), names)))
    }

    /// The thread that asks servers, which is made if it is not there.
    fn http(&self) -> Result<&HttpThread, Problems> {
        if let Some(thread) = self.http.get() {
            return Ok(thread);
        }
        let thread = HttpThread::new().map_err(|error| {
            problem("authentication", format!("the system has no thread to give: {error}"))
        })?;
        Ok(self.http.get_or_init(|| thread))
    }

    /// Begins to ask servers, if anything is configured that needs it.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn begin(&self) -> io::Result<()> {
        self.http.get().map_or(Ok(()), HttpThread::begin)
    }

    fn password_link(&self, file: Arc<PasswordFile>, name: &'static str) -> PasswordLink {
        let link = PasswordLink::new(file, Arc::clone(&self.queue), &self.decoy_secret);
        link.with_others(name, &PASSWORD_JUDGES)
    }

    /// These judges are in force from now on. Returns the users that the password file had and has not any more, or with
    /// another hash. Without a file there is nobody that it has taken back.
    pub(crate) fn put_in_force(&mut self, made: Made) -> HashSet<Box<str>> {
        let before = std::mem::replace(&mut self.in_force, made).password_file;
        match (before, &self.in_force.password_file) {
            (Some(before), Some(now)) => now.ended_since(&before),
            _ => HashSet::new(),
        }
    }

    /// The judges in force.
    pub(crate) fn authenticator(&self) -> Arc<dyn Authenticator> {
        let mut chain = self.in_force.chain.clone();
        if self.in_force.has_users {
            let name = AuthenticatorKind::Users.name();
            chain = chain.with(name, Arc::new(self.password_link(self.users.password_file(), name)));
        }
        Arc::new(chain)
    }

    /// Whether there are users that are managed at run time.
    pub(crate) fn has_users(&self) -> bool {
        self.in_force.has_users
    }

    /// Where hashes are computed.
    pub(crate) fn queue(&self) -> Arc<HashQueue> {
        Arc::clone(&self.queue)
    }
}

fn problem(option: &str, message: String) -> Problems {
    let option = option.to_owned();
    Problems(vec![Problem { place: Place::Default, option, message, remedy: String::new() }])
}
