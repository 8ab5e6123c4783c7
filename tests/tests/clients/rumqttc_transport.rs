//! What both versions of rumqttc share: how to reach the broker.

use std::path::Path;
use std::sync::Arc;

use rumqttc::{TlsConfiguration, Transport};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::line::Line;

/// Runs a client on this thread.
pub(crate) fn block_on(client: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("threads and timers are there").block_on(client);
}

pub(crate) fn host_and_port(connect: &Line) -> (String, u16) {
    if connect.text("transport") == Some("unix") {
        return (connect.text("path").unwrap_or_default().to_owned(), 0);
    }
    let port = connect.number("port").and_then(|port| port.try_into().ok());
    (connect.text("host").unwrap_or("localhost").to_owned(), port.unwrap_or(1883))
}

pub(crate) fn transport(connect: &Line) -> Transport {
    match connect.text("transport") {
        Some("tls") => Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(tls(connect)))),
        Some("unix") => Transport::unix(),
        Some("tcp") => Transport::tcp(),
        other => panic!("rumqttc is built without {other:?}"),
    }
}

fn tls(connect: &Line) -> ClientConfig {
    let certificate = |name| {
        let file = Path::new(connect.text(name)?);
        Some(
            CertificateDer::from_pem_file(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())),
        )
    };
    let mut roots = RootCertStore::empty();
    roots.add(certificate("ca").expect("an authority")).expect("its certificate is valid");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_root_certificates(roots);
    match certificate("certificate") {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let key =
                PrivateKeyDer::from_pem_file(connect.text("key").expect("a key")).expect("a private key");
            builder.with_client_auth_cert(vec![own], key).expect("the key is the certificate's")
        }
    }
}
