use ferry_scram::ScramClient;

use crate::session::AuthMechanism;

pub use ferry_scram::ScramHash;

/// Random bytes in a nonce.
const NONCE_BYTES: usize = 18;

/// Enhanced authentication by SCRAM (RFC 5802, RFC 7677): the server learns that the client knows the password, not what
/// it is, and has to prove that it knows the user; a server that cannot is left before anything is sent to it.
///
/// ```
/// use ferry_client::{ClientOptions, Scram, ScramHash};
///
/// let options = ClientOptions::new("mqtts://broker.example")?
///     .authentication(|| Scram::new(ScramHash::Sha256, "sensor-7", "secret"));
/// # Ok::<(), ferry_client::AddressError>(())
/// ```
///
/// The client computes as many iterations as the server asks for, 4,096 to 1,000,000, while everything else of it
/// waits: about a tenth of a second for 100,000. It remembers the result, so further connections and
/// [`Client::re_authenticate`](crate::Client::re_authenticate) cost next to nothing.
#[derive(Clone, Debug)]
pub struct Scram {
    client: ScramClient,
}

impl Scram {
    /// For this user and password. CONNECT needs neither: leave
    /// [`credentials`](crate::ClientOptions::credentials) alone, for they would show the password.
    #[must_use]
    pub fn new(hash: ScramHash, user_name: &str, password: impl AsRef<[u8]>) -> Self {
        Self { client: ScramClient::new(hash, user_name, password.as_ref()) }
    }
}

impl AuthMechanism for Scram {
    fn method(&self) -> &str {
        self.client.hash().method()
    }

    /// Nothing without random numbers, which no server goes on with.
    fn start(&mut self) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        if getrandom::fill(&mut nonce).is_err() {
            return Vec::new();
        }
        let nonce: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        self.client.start(&nonce).into_bytes()
    }

    fn challenge(&mut self, data: &[u8]) -> Result<Vec<u8>, String> {
        self.client.server_first(data).map(String::into_bytes).map_err(|error| error.to_string())
    }

    fn success(&mut self, data: &[u8]) -> Result<(), String> {
        self.client.server_final(data).map_err(|error| error.to_string())
    }
}
