//! SCRAM, both sides.

mod arbitrary;
mod client;
mod server;
mod vectors;

use ferry_scram::{ClientFirst, ScramClient, ScramCredentials, ScramHash, ServerExchange};

const NONCE: &str = "client-nonce";
const SERVER_NONCE: &str = "server-nonce";

fn credentials(hash: ScramHash, password: &[u8]) -> ScramCredentials {
    ScramCredentials::new(hash, password, b"salt of a user", 4096)
}

/// Both sides after the first message of each.
fn challenged(client: &mut ScramClient, credentials: ScramCredentials) -> (ServerExchange, String) {
    let first = ClientFirst::parse(client.start(NONCE).as_bytes()).expect("a first message");
    first.answer(credentials, SERVER_NONCE)
}
