//! The common name of a certificate's subject. rustls has verified the certificate; this only finds the name.

use super::der::{
    BMP_STRING, Der, EXPLICIT_VERSION, IA5_STRING, OBJECT_IDENTIFIER, PRINTABLE_STRING, SEQUENCE, SET,
    TELETEX_STRING, UTF8_STRING,
};

/// id-at-commonName, 2.5.4.3 (RFC 5280, appendix A.1).
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// The last common name in the subject, which is the most specific one (RFC 5280, section 4.1.2.6).
pub(super) fn common_name(certificate: &[u8]) -> Option<String> {
    let mut certificate = Der(certificate).take(SEQUENCE)?;
    let mut fields = certificate.take(SEQUENCE)?;
    if fields.next_tag() == Some(EXPLICIT_VERSION) {
        fields.take_any()?;
    }
    let (_serial_number, _signature, _issuer, _validity) =
        (fields.take_any()?, fields.take_any()?, fields.take_any()?, fields.take_any()?);
    common_name_of(fields.take(SEQUENCE)?)
}

/// The last common name in a distinguished name.
pub(super) fn common_name_of(mut name: Der<'_>) -> Option<String> {
    let mut found = None;
    while let Some(mut attributes) = name.take(SET) {
        while let Some(mut attribute) = attributes.take(SEQUENCE) {
            if attribute.take(OBJECT_IDENTIFIER)?.0 == COMMON_NAME {
                let (tag, value) = attribute.take_any()?;
                found = text(tag, value);
            }
        }
    }
    found
}

pub(super) fn text(tag: u8, value: &[u8]) -> Option<String> {
    match tag {
        UTF8_STRING | PRINTABLE_STRING | IA5_STRING => String::from_utf8(value.to_vec()).ok(),
        TELETEX_STRING => Some(value.iter().copied().map(char::from).collect()),
        BMP_STRING => {
            let units: Vec<u16> =
                value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            String::from_utf16(&units).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};

    use super::*;

    fn certificate(common_name: Option<DnValue>) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a valid name");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Ferry");
        if let Some(name) = common_name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn the_common_name_is_found_in_every_string_kind() {
        let bmp = DnValue::BmpString("gerät".try_into().expect("BMP"));
        let ia5 = DnValue::Ia5String("sensor 7".try_into().expect("IA5"));
        for (value, name) in [(DnValue::from("sensor-7"), "sensor-7"), (bmp, "gerät"), (ia5, "sensor 7")] {
            assert_eq!(common_name(&certificate(Some(value))).as_deref(), Some(name));
        }
        let long = "n".repeat(300);
        assert_eq!(common_name(&certificate(Some(DnValue::from(long.clone())))), Some(long));
    }

    #[test]
    fn no_common_name_is_none() {
        assert_eq!(common_name(&certificate(None)), None);
        assert_eq!(common_name(&[]), None);
    }

    proptest! {
        #[test]
        fn damaged_certificates_do_no_harm(at in 0_usize..400, byte: u8, cut in 0_usize..400) {
            let mut der = certificate(Some(DnValue::from("sensor-7")));
            let at = at % der.len();
            der[at] = byte;
            der.truncate(der.len() - cut % der.len());
            let _ = common_name(&der);
        }
    }
}
