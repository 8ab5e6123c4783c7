//! `[authentication]`: how clients tell who they are.

use std::path::PathBuf;

use super::option::{choices, section};
use super::value::Kind;

choices! {
    /// Who can judge a client.
    pub enum AuthenticatorKind {
        /// Compares user name and password with the password file.
        PasswordFile = "password_file",
        /// Takes the common name of the client's certificate for the user name.
        Certificate = "certificate",
        /// Checks a token (JWT) in the place of the password.
        Jwt = "jwt",
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

        /// Keys for tokens (JWT) that clients send in the place of a password: public keys in PEM, a set of keys in JSON (JWKS), or
        /// a secret for HS256 and its like. If it is set, every listener takes tokens, unless its own `authentication` says
        /// something else. A change of the file takes effect at once, for the clients that connect from then on.
        jwt_key_file: Option<PathBuf> = None, Kind::Path, Live;

        /// The algorithms that are taken, whatever a token asks for: HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384,
        /// EdDSA. Needed with `jwt_key_file`, which must have a key for each.
        jwt_algorithms: Option<Vec<JwtAlgorithmName>> = None,
            Kind::Or("none", &Kind::Choices(JwtAlgorithmName::NAMES)), Live;

        /// The claim of a token that is the user name.
        jwt_user_claim: String = "sub".to_owned(), Kind::Text, Live;

        /// What the claim `iss` of a token must be.
        jwt_issuer: Option<String> = None, Kind::Or("", &Kind::Text), Live;

        /// What the claim `aud` of a token must be, or have. Without this, a token that is meant for somebody is not taken.
        jwt_audience: Option<String> = None, Kind::Or("", &Kind::Text), Live;

        /// How far the clock of whoever makes tokens may be from that of this machine.
        jwt_clock_skew_seconds: u32 = 30, Kind::Seconds { min: 0, max: 300 }, Live;

        /// Threads that compare passwords and check tokens, apart from those that serve clients. `"auto"`: half as many as there are cores.
        hash_threads: Option<u16> = None, Kind::Or("auto", &Kind::Count { min: 1, max: 256 }), Restart;
    }
}
