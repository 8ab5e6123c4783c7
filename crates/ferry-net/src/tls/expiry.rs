//! When certificates and revocation lists end. rustls judges them; this is for those who renew them in time.

use std::path::{Path, PathBuf};

use super::der::{Der, EXPLICIT_VERSION, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME};
use super::subject::common_name_of;
use super::{ClientCertificates, TlsError, TlsOptions, pem_file};

/// Something in a file that holds for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsExpiry {
    /// The file; of several of its kind there, the one that ends first.
    pub file: PathBuf,
    /// What it is.
    pub kind: TlsExpiryKind,
    /// The common name in its subject, or in the issuer of a revocation list; may be empty.
    pub name: String,
    /// From when on it holds, in seconds since 1970.
    pub begins_seconds: i64,
    /// When it ends, in seconds since 1970; of a revocation list, when the next one is due.
    pub ends_seconds: i64,
}

/// What ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsExpiryKind {
    /// A certificate that is shown to clients.
    Certificate,
    /// The certificate of an authority of clients' certificates.
    Authority,
    /// A list of revoked certificates.
    RevocationList,
}

/// How long something holds, and the name in it.
struct Validity {
    name: String,
    begins_seconds: i64,
    ends_seconds: i64,
}

impl TlsOptions {
    /// What ends first in each of the files. What does not say when is left out.
    ///
    /// # Errors
    /// A file is unreadable, or empty of what it should hold.
    pub fn expiries(&self) -> Result<Vec<TlsExpiry>, TlsError> {
        let mut expiries = Vec::new();
        let certificates = pem_file::certificates(&self.certificate_file)?;
        let validities = certificates.iter().filter_map(|der| of_certificate(der));
        expiries.extend(soonest(&self.certificate_file, TlsExpiryKind::Certificate, validities));
        let (ClientCertificates::Optional { ca_file, crl_file }
        | ClientCertificates::Required { ca_file, crl_file }) = &self.client_certificates
        else {
            return Ok(expiries);
        };
        let authorities = pem_file::certificates(ca_file)?;
        let validities = authorities.iter().filter_map(|der| of_certificate(der));
        expiries.extend(soonest(ca_file, TlsExpiryKind::Authority, validities));
        if let Some(file) = crl_file {
            let lists = pem_file::revocation_lists(file)?;
            let validities = lists.iter().filter_map(|der| of_revocation_list(der));
            expiries.extend(soonest(file, TlsExpiryKind::RevocationList, validities));
        }
        Ok(expiries)
    }
}

fn soonest(
    file: &Path,
    kind: TlsExpiryKind,
    validities: impl Iterator<Item = Validity>,
) -> Option<TlsExpiry> {
    let Validity { name, begins_seconds, ends_seconds } =
        validities.min_by_key(|validity| validity.ends_seconds)?;
    Some(TlsExpiry { file: file.to_owned(), kind, name, begins_seconds, ends_seconds })
}

/// RFC 5280, section 4.1.
fn of_certificate(certificate: &[u8]) -> Option<Validity> {
    let mut fields = Der(certificate).take(SEQUENCE)?.take(SEQUENCE)?;
    if fields.next_tag() == Some(EXPLICIT_VERSION) {
        fields.take_any()?;
    }
    let (_serial_number, _signature, _issuer) = (fields.take_any()?, fields.take_any()?, fields.take_any()?);
    let mut validity = fields.take(SEQUENCE)?;
    let (begins_seconds, ends_seconds) = (time(&mut validity)?, time(&mut validity)?);
    let name = common_name_of(fields.take(SEQUENCE)?).unwrap_or_default();
    Some(Validity { name, begins_seconds, ends_seconds })
}

/// RFC 5280, section 5.1. `None` too for a list that does not say when the next one is due.
fn of_revocation_list(list: &[u8]) -> Option<Validity> {
    let mut fields = Der(list).take(SEQUENCE)?.take(SEQUENCE)?;
    if fields.next_tag() == Some(INTEGER) {
        fields.take_any()?;
    }
    let _signature = fields.take_any()?;
    let name = common_name_of(fields.take(SEQUENCE)?).unwrap_or_default();
    let (begins_seconds, ends_seconds) = (time(&mut fields)?, time(&mut fields)?);
    Some(Validity { name, begins_seconds, ends_seconds })
}

/// A time in seconds since 1970: `YYMMDDHHMMSSZ`, of the years 1950 to 2049, or `YYYYMMDDHHMMSSZ` (RFC 5280, section
/// 4.1.2.5).
fn time(fields: &mut Der<'_>) -> Option<i64> {
    let (tag, text) = match fields.next_tag()? {
        tag @ (UTC_TIME | GENERALIZED_TIME) => (tag, fields.take_any()?.1),
        _ => return None,
    };
    let digits = text.strip_suffix(b"Z")?;
    let year_digits = if tag == UTC_TIME { 2 } else { 4 };
    if digits.len() != year_digits + 10 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |digits: &[u8]| digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    let (year, rest) = digits.split_at(year_digits);
    let year = match (tag, number(year)) {
        (UTC_TIME, year) => year + if year < 50 { 2000 } else { 1900 },
        (_, year) => year,
    };
    let [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map(|at| number(&rest[at..at + 2]));
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days of the Gregorian calendar since 1970-01-01. Years begin in March here, so that a leap day is the last of its year,
/// and 400 of them have 146,097 days.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
        KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
    };

    use super::*;

    fn certificate(years: (i32, i32)) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "pump");
        params.not_before = date_time_ymd(years.0, 3, 1);
        params.not_after = date_time_ymd(years.1, 12, 31);
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    fn revocation_list() -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = Issuer::new(params, KeyPair::generate().expect("a key"));
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2026, 2, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&issuer).expect("a list").der().to_vec()
    }

    /// Seconds as `date -u -d 2027-12-31 +%s` says them.
    #[test]
    fn certificates_and_lists_say_when_they_end() {
        let found = of_certificate(&certificate((2024, 2027))).expect("it says so");
        assert_eq!(&*found.name, "pump");
        assert_eq!((found.begins_seconds, found.ends_seconds), (1_709_251_200, 1_830_211_200));
        // Years from 2050 on are written otherwise.
        let found = of_certificate(&certificate((1999, 2100))).expect("it says so");
        assert_eq!((found.begins_seconds, found.ends_seconds), (920_246_400, 4_133_894_400));
        let found = of_revocation_list(&revocation_list()).expect("it says so");
        assert_eq!(&*found.name, "authority");
        assert_eq!((found.begins_seconds, found.ends_seconds), (1_767_225_600, 1_769_904_000));
    }

    proptest! {
        #[test]
        fn damaged_ones_do_no_harm(at in 0_usize..800, byte: u8, cut in 0_usize..800, is_list: bool) {
            let mut der = if is_list { revocation_list() } else { certificate((2024, 2027)) };
            let at = at % der.len();
            der[at] = byte;
            der.truncate(der.len() - cut % der.len());
            let _ = (of_certificate(&der), of_revocation_list(&der));
        }
    }
}
