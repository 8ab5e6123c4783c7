use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

use crate::serving::Scratch;

/// Signs certificates for the tests.
pub(crate) struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    /// A new one, whose certificate is in `ca.pem`.
    pub(crate) fn new(scratch: &Scratch) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = named("authority");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = parameters.self_signed(&key).expect("a certificate");
        scratch.write("ca.pem", &certificate.pem());
        Self(Issuer::new(parameters, key))
    }

    /// Writes a certificate for 127.0.0.1 as `NAME.pem`, and its key as `NAME.key`.
    pub(crate) fn sign(
        &self,
        scratch: &Scratch,
        name: &str,
        serial: u8,
        change: impl Fn(&mut CertificateParams),
    ) {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = named(name);
        let host = std::net::Ipv4Addr::LOCALHOST.into();
        parameters.subject_alt_names = vec![SanType::IpAddress(host)];
        parameters.serial_number = Some(SerialNumber::from(vec![serial]));
        change(&mut parameters);
        let certificate = parameters.signed_by(&key, &self.0).expect("a certificate");
        scratch.write(&format!("{name}.key"), &key.serialize_pem());
        scratch.write(&format!("{name}.pem"), &certificate.pem());
    }

    /// Writes the list of these revoked serial numbers as `crl.pem`.
    pub(crate) fn revoke(&self, scratch: &Scratch, serials: &[u8]) {
        let revoked = |serial: &u8| RevokedCertParams {
            serial_number: SerialNumber::from(vec![*serial]),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: SerialNumber::from(serials.len() as u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.0).expect("a list");
        scratch.write("crl.pem", &list.pem().expect("PEM"));
    }
}

fn named(common_name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters
}
