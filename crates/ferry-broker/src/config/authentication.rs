//! `[authentication]`: how clients tell who they are.

use std::path::PathBuf;

use ferry_auth::{CertificateUser, PeerRule};

use super::kerberos::Realm;
use super::option::{choices, section};
use super::value::Kind;

choices! {
    /// Who can judge a client.
    pub enum AuthenticatorKind {
        /// Compares user name and password with the password file.
        PasswordFile = "password_file",
        /// Compares user name and password with the users that are managed at run time.
        Users = "users",
        /// Takes the common name of the client's certificate for the user name.
        Certificate = "certificate",
        /// Takes the identity of the client's pre-shared key for the user name.
        Psk = "psk",
        /// Checks a token (JWT) in the place of the password.
        Jwt = "jwt",
        /// Asks an HTTP server.
        Hook = "hook",
        /// Asks a database.
        Sql = "sql",
        /// Takes the user that the process at the other end of a Unix socket runs as.
        Peer = "peer",
        /// Checks a Kerberos ticket.
        Kerberos = "kerberos",
    }
}

choices! {
    /// What happens to a client when the server that is asked gives no answer.
    pub enum WhenUnavailable {
        /// It is refused.
        Refuse = "refuse",
        /// The next authenticator is asked.
        Next = "next",
    }
}

choices! {
    /// What of a client's certificate becomes its user name.
    pub enum CertificateUserName {
        /// The common name in its subject.
        CommonName = "common_name",
        /// The whole subject.
        Subject = "subject",
        /// Its first alternative name that is a host name.
        Dns = "dns",
        /// Its first alternative name that is a URI.
        Uri = "uri",
        /// Its first alternative name that is an email address.
        Email = "email",
        /// SHA-256 of the whole certificate.
        Fingerprint = "fingerprint",
    }
}

impl CertificateUserName {
    /// As those know it who judge by certificates.
    pub(crate) fn of_certificate(self) -> CertificateUser {
        match self {
            Self::CommonName => CertificateUser::CommonName,
            Self::Subject => CertificateUser::Subject,
            Self::Dns => CertificateUser::Dns,
            Self::Uri => CertificateUser::Uri,
            Self::Email => CertificateUser::Email,
            Self::Fingerprint => CertificateUser::Fingerprint,
        }
    }
}

choices! {
    /// How a token is signed.
    pub enum JwtAlgorithmName {
        /// HMAC with SHA-256.
        Hs256 = "HS256",
        /// HMAC with SHA-384.
        Hs384 = "HS384",
        /// HMAC with SHA-512.
        Hs512 = "HS512",
        /// RSA with SHA-256.
        Rs256 = "RS256",
        /// RSA with SHA-384.
        Rs384 = "RS384",
        /// RSA with SHA-512.
        Rs512 = "RS512",
        /// ECDSA on P-256.
        Es256 = "ES256",
        /// ECDSA on P-384.
        Es384 = "ES384",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

section! {
    /// How clients tell who they are. Listeners choose from this with `authentication`.
    pub struct Authentication = "authentication" {
        /// Users and the hashes of their passwords, a file as `ferry passwd` and `mosquitto_passwd` write it. If it is set,
        /// every listener asks for a user name and a password, unless its own `authentication` says something else. Users whose
        /// hash is one of SCRAM can authenticate by that too. A change of the file takes effect at once; who
        /// was removed, or has another hash, is disconnected.
        password_file: Option<PathBuf> = None, Kind::Path, Live;

        /// Whether there are users that are managed while the broker runs, with `ferry ctl users` or the admin API, and kept in
        /// the data directory. Then every listener asks for a user name and a password, unless its own `authentication` says
        /// something else. Who is changed, disabled or removed is disconnected at once.
        users: bool = false, Kind::Flag, Live;

        /// What of a client's certificate becomes its user name, on listeners with `authentication = ["certificate"]`: the common
        /// name, the whole subject as in RFC 4514 (`CN=pump-7,O=Example`), the first alternative name that is a host name, a URI or
        /// an email address, or the fingerprint, SHA-256 in lower-case hexadecimal digits. Who has no such name is left to the next.
        certificate_user: CertificateUserName = CertificateUserName::CommonName,
            Kind::Choice(CertificateUserName::NAMES), Live;

        /// Keys for tokens (JWT) that clients send in the place of a password: public keys in PEM, a set of keys in JSON (JWKS), or
        /// a secret for HS256 and its like. If it is set, every listener takes tokens, unless its own `authentication` says
        /// something else. A change of the file takes effect at once, for the clients that connect from then on.
        jwt_key_file: Option<PathBuf> = None, Kind::Path, Live;

        /// Keys for tokens in the place of `jwt_key_file`: where a server has them, as a set in JSON (JWKS), such as
        /// `"https://login.example/.well-known/jwks.json"`. They are fetched at the start, again when they are no longer good, and when
        /// a token names a key that is not there.
        jwt_jwks_url: Option<String> = None, Kind::Or("", &Kind::Text), Live;

        /// Authorities (PEM) that the certificate of the server with the keys is checked with, instead of those of the system.
        jwt_jwks_ca_file: Option<PathBuf> = None, Kind::Path, Live;

        /// How long fetched keys are good, when the server does not say it by `Cache-Control: max-age`, which is taken from 10
        /// seconds up to a day.
        jwt_jwks_cache_seconds: u32 = 300, Kind::Seconds { min: 10, max: 86_400 }, Live;

        /// How long fetched keys are used beyond that, while the server gives no others.
        jwt_jwks_stale_seconds: u32 = 86_400, Kind::Seconds { min: 0, max: 2_592_000 }, Live;

        /// Tokens that name an unknown key have the keys fetched again, but not sooner than this after the last time.
        jwt_jwks_cooldown_seconds: u32 = 10, Kind::Seconds { min: 1, max: 3_600 }, Live;

        /// The algorithms that are taken, whatever a token asks for: HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384,
        /// EdDSA. Needed with `jwt_key_file`, which must have a key for each, and with `jwt_jwks_url`, which is not for HS256 and its
        /// like.
        jwt_algorithms: Option<Vec<JwtAlgorithmName>> = None,
            Kind::Or("none", &Kind::Choices(JwtAlgorithmName::NAMES)), Live;

        /// The claim of a token that is the user name.
        jwt_user_claim: String = "sub".to_owned(), Kind::Text, Live;

        /// The claim of a token that has the roles of the client, by which `authorization.rules_file` can tell what it may do: a list
        /// of texts, or one text with spaces between them. A name with dots is a path, such as `"realm_access.roles"`.
        jwt_roles_claim: Option<String> = None, Kind::Or("", &Kind::Text), Live;

        /// The claim of a token that has rules of the client's own; see the chapter on access rights. They are asked where no rule of
        /// `[authorization]` matches; if this is set, a token without the claim allows nothing there.
        jwt_acl_claim: Option<String> = None, Kind::Or("", &Kind::Text), Live;

        /// What the claim `iss` of a token must be.
        jwt_issuer: Option<String> = None, Kind::Or("", &Kind::Text), Live;

        /// What the claim `aud` of a token must be, or have. Without this, a token that is meant for somebody is not taken.
        jwt_audience: Option<String> = None, Kind::Or("", &Kind::Text), Live;

        /// How far the clock of whoever makes tokens may be from that of this machine.
        jwt_clock_skew_seconds: u32 = 30, Kind::Seconds { min: 0, max: 300 }, Live;

        /// An HTTP server that is asked who a client is, such as `"https://auth.example/mqtt"`: it gets a POST with a JSON object
        /// for each CONNECT; see the chapter on users. If it is set, every listener asks it, unless its own `authentication` says
        /// something else.
        hook_url: Option<String> = None, Kind::Or("", &Kind::Text), Live;

        /// Headers for the hook, by which it knows the broker: a file of lines such as `Authorization: Bearer SECRET`.
        hook_header_file: Option<PathBuf> = None, Kind::Path, Live;

        /// Authorities (PEM) that the certificate of the hook is checked with, instead of those of the system.
        hook_ca_file: Option<PathBuf> = None, Kind::Path, Live;

        /// How long a client waits for the answer of the hook, whatever it is that takes so long.
        hook_timeout_seconds: u32 = 5, Kind::Seconds { min: 1, max: 60 }, Live;

        /// Questions that the hook has at a time, each on a connection of its own.
        hook_requests_max: u32 = 32, Kind::Count { min: 1, max: 1024 }, Live;

        /// Questions that wait for their turn. Above that a client is refused with 0x89 (Server busy).
        hook_waiting_max: u32 = 1000, Kind::Count { min: 0, max: 1_000_000 }, Live;

        /// How long an answer of the hook is remembered, and not asked for again by the same client with the same password from
        /// the same address; 0 for not at all. For so long a client may still get in that the hook would not let in any more.
        hook_cache_seconds: u32 = 0, Kind::Seconds { min: 0, max: 86_400 }, Live;

        /// Answers of the hook that are remembered, of those that let a client in, and as many of the others.
        hook_cache_entries_max: u32 = 10_000, Kind::Count { min: 1, max: 10_000_000 }, Live;

        /// What happens when the hook gives no answer, or one that is none: `"refuse"` refuses the client with 0x88 (Server
        /// unavailable), `"next"` asks the next authenticator.
        hook_unavailable: WhenUnavailable = WhenUnavailable::Refuse, Kind::Choice(WhenUnavailable::NAMES), Live;

        /// A database that is asked for a user's password hash: `"postgresql://USER@HOST/DATABASE"` or `"sqlite:///PATH"`; see the chapter
        /// on users. If it is set, every listener asks it, unless its own `authentication` says something else. Only in a program
        /// that is built with `--features postgresql` or `--features sqlite`.
        sql_url: Option<String> = None, Kind::Or("", &Kind::Text), Live;

        /// What the database is asked: a query that gives at most one row, with a column `password_hash`. `:user_name`, `:client_id`,
        /// `:address`, `:listener`, `:certificate_common_name`, `:certificate_subject`, `:certificate_alternative_names` and
        /// `:certificate_fingerprint` stand for what is known of the client; they are parameters, never part of the text.
        sql_query: Option<String> = None, Kind::Or("", &Kind::Text), Live;

        /// The password that PostgreSQL knows the broker by: a file with one line.
        sql_password_file: Option<PathBuf> = None, Kind::Path, Live;

        /// Authorities (PEM) that the certificate of PostgreSQL is checked with, instead of those of the system.
        sql_ca_file: Option<PathBuf> = None, Kind::Path, Live;

        /// How long a client waits for the answer of the database, whatever it is that takes so long; the database stops a query
        /// that takes longer.
        sql_timeout_seconds: u32 = 5, Kind::Seconds { min: 1, max: 60 }, Live;

        /// Queries that the database has at a time, each on a connection of its own.
        sql_connections_max: u32 = 4, Kind::Count { min: 1, max: 256 }, Live;

        /// Queries that wait for their turn. Above that a client is refused with 0x89 (Server busy).
        sql_waiting_max: u32 = 1000, Kind::Count { min: 0, max: 1_000_000 }, Live;

        /// How long it is remembered what the database has led to, and not asked for again by the same client with the same password
        /// from the same address; 0 for not at all. For so long a client may still get in that would not any more.
        sql_cache_seconds: u32 = 0, Kind::Seconds { min: 0, max: 86_400 }, Live;

        /// Answers that are remembered, of those that let a client in, and as many of the others.
        sql_cache_entries_max: u32 = 10_000, Kind::Count { min: 1, max: 10_000_000 }, Live;

        /// What happens when the database gives no answer, or one that is none: `"refuse"` refuses the client with 0x88 (Server
        /// unavailable), `"next"` asks the next authenticator.
        sql_unavailable: WhenUnavailable = WhenUnavailable::Refuse, Kind::Choice(WhenUnavailable::NAMES), Live;

        /// Which users of this machine are which users of the broker, for listeners with `authentication = ["peer"]`: texts such
        /// as `"user=backup backup-service"`, `"uid=1000 ada"` or `"group=plant"`. The first that fits counts; the name behind
        /// it is the user of the broker, and if there is none it is the name that `/etc/passwd` has. Users for whom nothing fits
        /// are left to the next authenticator. Without any text, every user that is in `/etc/passwd` has its name there. Groups
        /// are those of `/etc/group`; both files are read at the start and with each reload.
        peer_users: Vec<PeerRule> = Vec::new(), Kind::PeerRules, Live;

        /// Keys for Kerberos, a keytab as `kadmin` writes it: with it, clients of MQTT 5.0 can prove by a ticket who they are (enhanced
        /// authentication, method `GS2-KRB5`), at every listener whose own `authentication` says nothing else. A change of the file
        /// takes effect at once, for the clients that connect from then on. Only in a program that is built with `--features
        /// kerberos`, which needs the library of MIT Kerberos.
        kerberos_keytab_file: Option<PathBuf> = None, Kind::Path, Restart;

        /// The service that tickets must be for: the first part of its principal, as in `mqtt/broker.example@EXAMPLE.COM`.
        kerberos_service: String = "mqtt".to_owned(), Kind::Text, Live;

        /// The host that tickets must be for, the second part of the principal. `"any"`: any that the keytab has a key for.
        kerberos_host: Option<String> = None, Kind::Or("any", &Kind::Text), Live;

        /// The realms whose users are taken. The user name is the principal without the realm, so `ada@A.EXAMPLE` and
        /// `ada@B.EXAMPLE` are the same user if both are named here. Without any: the realm of the broker's own principal.
        kerberos_realms: Vec<Realm> = Vec::new(), Kind::Realms, Live;

        /// Threads that compare passwords, check tokens and tickets, apart from those that serve clients. `"auto"`: half as many as there are cores.
        hash_threads: Option<u16> = None, Kind::Or("auto", &Kind::Count { min: 1, max: 256 }), Restart;
    }
}

impl Authentication {
    /// Whether clients may have rights by their token, from the hook or from the database.
    pub(crate) fn grants(&self) -> bool {
        self.hook_url.is_some()
            || self.sql_url.is_some()
            || self.jwt_roles_claim.is_some()
            || self.jwt_acl_claim.is_some()
    }

    /// Whether there is anything that tokens are checked with.
    pub(crate) fn takes_tokens(&self) -> bool {
        self.jwt_key_file.is_some() || self.jwt_jwks_url.is_some()
    }
}
