//! Tests of the PROXY header parser.

use proptest::prelude::*;

use super::*;

fn source(text: &str) -> Option<PeerAddress> {
    Some(PeerAddress::Ip(text.parse().expect(text)))
}

/// A version 2 header.
fn v2(version_command: u8, family_transport: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).expect("short");
    [V2_SIGNATURE, &[version_command, family_transport], &length.to_be_bytes(), rest].concat()
}

fn extension(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).expect("short");
    [&[kind], &length.to_be_bytes()[..], value].concat()
}

const IPV4_BLOCK: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 2, 0xC0, 0x01, 0x07, 0x5B];

fn whole(input: &[u8]) -> ProxyHeader {
    let header = parse(input).expect("a header").expect("complete");
    for length in 0..header.length {
        assert_eq!(parse(&input[..length]), Ok(None), "{length} of {input:?}");
    }
    header
}

fn malformed(input: &[u8]) {
    assert!(matches!(parse(input), Err(ProxyError::Malformed(_))), "{input:?}: {:?}", parse(input));
}

#[test]
fn version_1_tells_the_source() {
    for (line, expected) in [
        ("PROXY TCP4 192.0.2.1 198.51.100.2 49153 1883\r\n", source("192.0.2.1:49153")),
        ("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", source("[2001:db8::1]:1")),
        ("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", source("192.0.2.1:1")),
        ("PROXY UNKNOWN\r\n", None),
        ("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", None),
    ] {
        let header = whole(format!("{line}\x10\x0c").as_bytes());
        assert_eq!(header, ProxyHeader { length: line.len(), source: expected, tls: None });
    }
}

#[test]
fn version_1_is_strict() {
    for line in [
        "PROXY TCP4 192.0.2.1 198.51.100.2 49153 1883\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 49153\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 49153 1883 7\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 65536 1883\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 +1 1883\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 01 1883\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2  1 1883\r\n",
        "PROXY TCP4 ::1 ::2 1 2\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n",
        "PROXY \r\n",
        "PROXY \u{e9}\r\n",
    ] {
        malformed(line.as_bytes());
    }
    malformed(&[b"PROXY UNKNOWN ", &[b'x'; 93][..]].concat());
    assert_eq!(parse(&[b"PROXY UNKNOWN ", &[b'x'; 92][..]].concat()), Ok(None));
}

#[test]
fn version_2_tells_the_source() {
    let mut ipv6_block = [0; 36];
    ipv6_block[..16].copy_from_slice(&"2001:db8::1".parse::<Ipv6Addr>().expect("valid").octets());
    ipv6_block[32..34].copy_from_slice(&[0, 7]);
    let unix = Some(PeerAddress::Unix { process_id: None, user_id: None });
    for (header, expected) in [
        (v2(0x21, 0x11, &IPV4_BLOCK), source("192.0.2.1:49153")),
        (v2(0x21, 0x21, &ipv6_block), source("[2001:db8::1]:7")),
        (v2(0x21, 0x31, &[b'/'; 216]), unix),
        (v2(0x21, 0x00, b"whatever"), None),
        (v2(0x20, 0x11, &IPV4_BLOCK), None),
        (v2(0x20, 0x00, b""), None),
    ] {
        let found = whole(&[&header[..], b"\x10\x0c"].concat());
        assert_eq!(found, ProxyHeader { length: header.len(), source: expected, tls: None });
    }
}

#[test]
fn version_2_tells_the_tls_client() {
    let ssl = |client: u8, verify: [u8; 4]| {
        let names =
            [extension(0x21, b"TLSv1.3"), extension(0x22, b"sensor-7"), extension(0x28, b"DER")].concat();
        extension(0x20, &[&[client][..], &verify, &names].concat())
    };
    let header = |ssl: &[u8]| {
        let extensions = [&extension(0x04, b"padding"), &extension(0x02, b"broker.example"), ssl].concat();
        whole(&v2(0x21, 0x11, &[&IPV4_BLOCK[..], &extensions].concat())).tls
    };
    let verified = ProxyTls {
        version: Some("TLSv1.3".to_owned()),
        common_name: Some("sensor-7".to_owned()),
        certificate: Some(b"DER".to_vec()),
        server_name: Some("broker.example".to_owned()),
        certificate_verified: true,
    };
    assert_eq!(header(&ssl(0x03, [0; 4])), Some(verified.clone()));
    assert_eq!(header(&ssl(0x05, [0; 4])), Some(verified.clone()));
    // A name that the proxy has not verified must not become an identity.
    let unverified =
        ProxyTls { common_name: None, certificate: None, certificate_verified: false, ..verified };
    assert_eq!(header(&ssl(0x03, [0, 0, 0, 1])), Some(unverified.clone()));
    assert_eq!(header(&ssl(0x01, [0; 4])), Some(unverified));
    assert_eq!(header(&ssl(0x00, [0; 4])), None);
    assert_eq!(header(b""), None);
}

#[test]
fn version_2_is_strict() {
    let cut_off = [&IPV4_BLOCK[..], &[0x20, 0, 9, 1]].concat();
    for header in [
        v2(0x11, 0x11, &IPV4_BLOCK),
        v2(0x22, 0x11, &IPV4_BLOCK),
        v2(0x21, 0x12, &IPV4_BLOCK),
        v2(0x21, 0x41, &IPV4_BLOCK),
        v2(0x21, 0x11, &IPV4_BLOCK[..11]),
        v2(0x21, 0x21, &[0; 35]),
        v2(0x21, 0x31, &[0; 215]),
        v2(0x21, 0x11, &cut_off),
        v2(0x21, 0x11, &[&IPV4_BLOCK[..], &extension(0x20, b"\x01")].concat()),
        v2(0x21, 0x11, &[0; V2_BYTES_MAX]),
    ] {
        malformed(&header);
    }
    // The length alone is enough to refuse.
    malformed(&v2(0x21, 0x11, &[0; V2_BYTES_MAX])[..V2_FIXED_BYTES]);
}

#[test]
fn clients_without_the_proxy_are_told_apart() {
    for input in
        [&b"\x10\x0c\0\x04MQTT"[..], b"\x16\x03\x01", b"GET / HTTP/1.1\r\n", b"\r\n\r\n\0\r\nQUIX", b"PROXX"]
    {
        assert_eq!(parse(input), Err(ProxyError::Missing), "{input:?}");
    }
    assert_eq!(parse(b""), Ok(None));
}

fn any_header() -> impl Strategy<Value = Vec<u8>> {
    let line = any::<(Ipv4Addr, Ipv4Addr, u16, u16)>().prop_map(|(from, to, port, to_port)| {
        format!("PROXY TCP4 {from} {to} {port} {to_port}\r\n").into_bytes()
    });
    let rest = prop::collection::vec(any::<u8>(), 0..300);
    let binary = (0x20_u8..0x22, prop::sample::select(vec![0x00_u8, 0x11, 0x21, 0x31]), rest)
        .prop_map(|(command, family, rest)| v2(command, family, &rest));
    prop_oneof![line, binary]
}

proptest! {
    #[test]
    fn a_verdict_does_not_depend_on_portions(header in any_header(), after: Vec<u8>, cut in 0_usize..400) {
        let verdict = parse(&header);
        prop_assert!(verdict != Ok(None));
        let bytes = [&header[..], &after].concat();
        prop_assert_eq!(&parse(&bytes), &verdict);
        let early = parse(&header[..cut % header.len()]);
        prop_assert!(early == Ok(None) || early == verdict, "{:?} then {:?}", early, verdict);
    }

    #[test]
    fn garbage_never_asks_for_more_than_the_limit(prefix in 0_usize..3, garbage in prop::collection::vec(any::<u8>(), HEADER_BYTES_MAX)) {
        let prefix = [&b""[..], V1_PREFIX, V2_SIGNATURE][prefix];
        prop_assert!(parse(&[prefix, &garbage].concat()) != Ok(None));
    }
}
