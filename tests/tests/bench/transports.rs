use ferry_bench::plan::{Credentials, Overrides, resolve};
use ferry_bench::{Environment, run};
use ferry_tests::ferry::{Ferry, Transport};

use crate::overrides;

/// 64 KiB are several frames of a WebSocket, and several records of TLS.
const PAYLOADS: [usize; 2] = [16, 65_536];

#[test]
fn every_transport_carries_everything() {
    let ferry = Ferry::start("[limits]\nconnects_per_second_max = 100_000");
    let text = |path: &std::path::Path| Some(path.display().to_string());
    for transport in Transport::ALL {
        let url = match transport {
            Transport::Unix => format!("unix://{}", ferry.unix_socket().display()),
            Transport::WebSocket | Transport::SecureWebSocket => {
                format!("{}://{}/mqtt", transport.scheme(), ferry.address(transport))
            }
            _ => format!("{}://{}", transport.scheme(), ferry.address(transport)),
        };
        let mut credentials =
            Credentials { ca_file: text(&ferry.certificates.authority), ..Credentials::default() };
        if transport == Transport::TlsWithClientCertificate {
            credentials.certificate_file = text(&ferry.certificates.client);
            credentials.key_file = text(&ferry.certificates.client_key);
        }
        for payload_bytes in PAYLOADS {
            let small = Overrides {
                publishers: Some(3),
                qos: Some(1),
                window: Some(4),
                payload_bytes: Some(payload_bytes),
                target: Some(url.parse().expect("an address")),
                ..overrides(0)
            };
            let plan = resolve("p2p", &small).expect("a plan");
            let environment = Environment { credentials: credentials.clone(), ..Environment::default() };
            let report = run(plan, environment, &mut |_| {}).expect(&url);
            assert!(report.passed(), "{url}: {:?}", report.failures);
            assert!(report.total.delivered > 0 && report.total.lost == 0, "{url}: {:?}", report.total);
            let is_layered = !matches!(transport, Transport::Tcp | Transport::Unix);
            assert_eq!(report.connect.handshake.count > 0, is_layered, "{url}");
        }
    }
}

#[test]
fn an_unknown_certificate_is_refused_unless_it_is_said_to_be_right() {
    let ferry = Ferry::start("");
    let url = format!("mqtts://{}", ferry.address(Transport::Tls));
    let small = Overrides {
        publishers: Some(1),
        rate: Some(50.0),
        target: Some(url.parse().expect("an address")),
        ..overrides(0)
    };
    let with = |credentials| {
        let environment = Environment { credentials, ..Environment::default() };
        run(resolve("p2p", &small).expect("a plan"), environment, &mut |_| {})
    };
    // The client's certificate is no authority that has signed the broker's.
    let wrong = Some(ferry.certificates.client.display().to_string());
    let error = with(Credentials { ca_file: wrong, ..Credentials::default() }).unwrap_err();
    assert!(error.to_string().contains("handshake"), "{error}");
    let report = with(Credentials { insecure: true, ..Credentials::default() }).expect("a result");
    assert!(report.passed(), "{:?}", report.failures);
}
