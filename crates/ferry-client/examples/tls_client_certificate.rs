//! TLS with an authority of one's own and a client certificate. The files are read at each connection, so they can be
//! replaced while the program runs.
//!
//! `cargo run -p ferry-client --example tls_client_certificate -- mqtts://localhost ca.pem client.pem client-key.pem`

use ferry_client::{ClientCertificate, ClientOptions, Message, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, authority, certificate, key] = arguments.as_slice() else {
        return Err("usage: tls_client_certificate URL CA CERTIFICATE KEY".into());
    };
    let mut options = ClientOptions::new(url)?;
    options.transport.tls.ca_file = Some(authority.into());
    options.transport.tls.client_certificate =
        Some(ClientCertificate::Files { certificate: certificate.into(), key: key.into() });
    let client = options.connect().await?;
    client.publish(Message::new("hello", "world").qos(QoS::ExactlyOnce)).await?;
    client.disconnect().await;
    Ok(())
}
