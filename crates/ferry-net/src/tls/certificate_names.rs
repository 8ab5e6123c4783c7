//! Who a certificate is for, as rules and other programs name it. rustls has verified the certificate; this only reads it.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};

use super::der::{Der, EXPLICIT_VERSION, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET};
use super::subject::text;

/// id-ce-subjectAltName, 2.5.29.17 (RFC 5280, section 4.2.1.6).
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1D, 0x11];

/// The extensions of a certificate.
const EXTENSIONS: u8 = 0xA3;

/// Kinds of alternative names that are texts (RFC 5280, section 4.2.1.6).
const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;

/// Short names of RFC 4514, section 3, and that of an email address, which most programs know.
const ATTRIBUTES: [(&[u8], &str); 11] = [
    (&[0x55, 0x04, 0x03], "CN"),
    (&[0x55, 0x04, 0x07], "L"),
    (&[0x55, 0x04, 0x08], "ST"),
    (&[0x55, 0x04, 0x0A], "O"),
    (&[0x55, 0x04, 0x0B], "OU"),
    (&[0x55, 0x04, 0x06], "C"),
    (&[0x55, 0x04, 0x09], "STREET"),
    (&[0x55, 0x04, 0x05], "serialNumber"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 0x01, 0x19], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 0x01, 0x01], "UID"),
    (&[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x01], "emailAddress"),
];

/// The names and the fingerprint of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateNames {
    /// The subject as in RFC 4514, its last part first: `CN=pump-7,OU=plant,O=Example`.
    pub subject: String,
    /// Alternative names with their kind: `DNS:pump-7.example`, `URI:urn:pump:7`, `email:ada@example.com`.
    pub alternative_names: Vec<String>,
    /// SHA-256 of the whole certificate, as lower-case hexadecimal digits.
    pub fingerprint: String,
}

impl CertificateNames {
    /// Reads a certificate in DER. What cannot be read is left out.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        let mut names = Self { fingerprint: fingerprint(certificate), ..Self::default() };
        let _ = names.read(certificate);
        names
    }

    fn read(&mut self, certificate: &[u8]) -> Option<()> {
        let mut fields = Der(certificate).take(SEQUENCE)?.take(SEQUENCE)?;
        if fields.next_tag() == Some(EXPLICIT_VERSION) {
            fields.take_any()?;
        }
        let (_serial_number, _signature, _issuer, _validity) =
            (fields.take_any()?, fields.take_any()?, fields.take_any()?, fields.take_any()?);
        self.subject = subject_of(fields.take(SEQUENCE)?);
        while let Some((tag, value)) = fields.take_any() {
            if tag == EXTENSIONS {
                self.read_extensions(Der(value).take(SEQUENCE)?)?;
            }
        }
        Some(())
    }

    fn read_extensions(&mut self, mut extensions: Der<'_>) -> Option<()> {
        while let Some(mut extension) = extensions.take(SEQUENCE) {
            if extension.take(OBJECT_IDENTIFIER)?.0 != SUBJECT_ALT_NAME {
                continue;
            }
            // Whether it is critical may stand between.
            let value = loop {
                let (tag, value) = extension.take_any()?;
                if tag == OCTET_STRING {
                    break value;
                }
            };
            let mut names = Der(value).take(SEQUENCE)?;
            while let Some((tag, name)) = names.take_any() {
                let kind = match tag {
                    DNS => "DNS",
                    URI => "URI",
                    EMAIL => "email",
                    _ => continue,
                };
                if let Ok(name) = std::str::from_utf8(name) {
                    self.alternative_names.push(format!("{kind}:{name}"));
                }
            }
        }
        Some(())
    }
}

fn fingerprint(certificate: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest(&SHA256, certificate).as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A distinguished name as a text (RFC 4514, section 2).
fn subject_of(mut name: Der<'_>) -> String {
    let mut parts = Vec::new();
    while let Some(mut attributes) = name.take(SET) {
        let mut part = String::new();
        while let Some(mut attribute) = attributes.take(SEQUENCE) {
            let kind = attribute.take(OBJECT_IDENTIFIER);
            let (Some(kind), Some((tag, value))) = (kind, attribute.take_any()) else { break };
            if !part.is_empty() {
                part.push('+');
            }
            push_attribute(&mut part, kind.0, text(tag, value).as_deref(), value);
        }
        parts.push(part);
    }
    parts.reverse();
    parts.join(",")
}

fn push_attribute(part: &mut String, kind: &[u8], value: Option<&str>, bytes: &[u8]) {
    match ATTRIBUTES.iter().find(|(known, _)| *known == kind) {
        Some((_, name)) => part.push_str(name),
        None => push_object_identifier(part, kind),
    }
    part.push('=');
    let Some(value) = value else {
        part.push('#');
        bytes.iter().for_each(|byte| {
            let _ = write!(part, "{byte:02x}");
        });
        return;
    };
    let last = value.chars().count().saturating_sub(1);
    for (at, character) in value.chars().enumerate() {
        // Section 2.4: otherwise a value could look like several attributes.
        let is_edge = (at == 0 && matches!(character, ' ' | '#')) || (at == last && character == ' ');
        if is_edge || matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            part.push('\\');
        }
        match character {
            control if control.is_control() => {
                for byte in control.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(part, "\\{byte:02x}");
                }
            }
            character => part.push(character),
        }
    }
}

/// With dots, as 1.2.840.
fn push_object_identifier(part: &mut String, kind: &[u8]) {
    let mut number: u64 = 0;
    let mut is_first = true;
    for byte in kind {
        number = number.wrapping_shl(7) | u64::from(byte & 0x7F);
        if byte & 0x80 != 0 {
            continue;
        }
        if is_first {
            let top = (number / 40).min(2);
            let _ = write!(part, "{top}.{}", number - top * 40);
            is_first = false;
        } else {
            let _ = write!(part, ".{number}");
        }
        number = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(change: impl Fn(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    fn full() -> Vec<u8> {
        certificate(|params| {
            params.distinguished_name.push(DnType::OrganizationName, "Example, Inc. + Söhne");
            params.distinguished_name.push(DnType::OrganizationalUnitName, " plant ");
            params.distinguished_name.push(DnType::CommonName, "pump-7,O=root");
            let name = |text: &str| text.try_into().expect("ASCII");
            params.subject_alt_names = vec![
                SanType::DnsName(name("pump-7.example")),
                SanType::URI(name("urn:pump:7")),
                SanType::Rfc822Name(name("ada@example.com")),
                SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()),
            ];
        })
    }

    #[test]
    fn names_are_found_and_cannot_be_taken_for_others() {
        let names = CertificateNames::of(&full());
        assert_eq!(names.subject, "CN=pump-7\\,O=root,OU=\\ plant\\ ,O=Example\\, Inc. \\+ Söhne");
        let alternative = ["DNS:pump-7.example", "URI:urn:pump:7", "email:ada@example.com"];
        assert_eq!(names.alternative_names, alternative);
        assert_eq!(names.fingerprint.len(), 64);
        let other = CertificateNames::of(&certificate(|_| {}));
        assert_eq!((&*other.subject, other.alternative_names.len()), ("", 0));
        assert_ne!(other.fingerprint, names.fingerprint);
        assert_eq!(CertificateNames::of(b"").subject, "");
    }

    #[test]
    fn object_identifiers_have_dots() {
        let mut text = String::new();
        push_object_identifier(&mut text, &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x02]);
        assert_eq!(text, "1.2.840.113549.1.9.2");
    }

    proptest! {
        #[test]
        fn damaged_certificates_do_no_harm(at in 0_usize..600, byte: u8, cut in 0_usize..600) {
            let mut der = full();
            let at = at % der.len();
            der[at] = byte;
            der.truncate(der.len() - cut % der.len());
            let _ = CertificateNames::of(&der);
        }
    }
}
