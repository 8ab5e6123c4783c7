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
    }
}

section! {
    /// How clients tell who they are. Listeners choose from this with `authentication`.
    pub struct Authentication = "authentication" {
        /// Users and the hashes of their passwords, a file as `ferry passwd` and `mosquitto_passwd` write it. If it is set,
        /// every listener asks for a user name and a password, unless its own `authentication` says something else. Users whose
        /// hash is one of SCRAM can authenticate by that too. A change of the file takes effect at once, for the clients that
        /// connect from then on.
        password_file: Option<PathBuf> = None, Kind::Path, Live;

        /// Threads that compare passwords, apart from those that serve clients. `"auto"`: half as many as there are cores.
        hash_threads: Option<u16> = None, Kind::Or("auto", &Kind::Count { min: 1, max: 256 }), Restart;
    }
}
