//! Certificates and revocation lists that end soon: told weeks ahead, to those who renew them.

use std::time::{SystemTime, UNIX_EPOCH};

use ferry_net::{TlsExpiry, TlsExpiryKind};

use crate::config::{Config, Listener, Place, Problem, show_time};

/// What is used for a short time is renewed often: before this part of it is left, nobody need be told.
const LIFETIME_PARTS: i64 = 3;

/// When the certificates and lists of all listeners and of the admin API end, each file once. Of a file that cannot be read
/// others tell.
pub(crate) fn expiries(config: &Config) -> Vec<TlsExpiry> {
    let listeners = config.listeners.iter().filter_map(Listener::tls_options);
    let mut expiries: Vec<TlsExpiry> = Vec::new();
    for options in listeners.chain(config.admin.tls_options()) {
        for expiry in options.expiries().unwrap_or_default() {
            if !expiries.iter().any(|known| (&known.file, known.kind) == (&expiry.file, expiry.kind)) {
                expiries.push(expiry);
            }
        }
    }
    expiries
}

/// Of each that has ended, or ends before long, what an operator should do.
pub(crate) fn warnings(expiries: &[TlsExpiry], ahead_seconds: u32, now_seconds: i64) -> Vec<Problem> {
    expiries.iter().filter_map(|expiry| warning(expiry, ahead_seconds, now_seconds)).collect()
}

/// Seconds since 1970.
pub(crate) fn now_seconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

fn warning(expiry: &TlsExpiry, ahead_seconds: u32, now_seconds: i64) -> Option<Problem> {
    let left_seconds = expiry.ends_seconds.saturating_sub(now_seconds);
    let lifetime_seconds = expiry.ends_seconds.saturating_sub(expiry.begins_seconds);
    if ahead_seconds == 0 || left_seconds >= i64::from(ahead_seconds).min(lifetime_seconds / LIFETIME_PARTS) {
        return None;
    }
    let (what, remedy) = match expiry.kind {
        TlsExpiryKind::Certificate => ("the certificate", "renew it: clients refuse one that has ended"),
        TlsExpiryKind::Authority => {
            ("the certificate of the authority", "put the next one beside it in the file")
        }
        TlsExpiryKind::RevocationList => {
            ("the revocation list of", "fetch the next one: certificates that were revoked since are let in")
        }
    };
    let when = show_time(expiry.ends_seconds);
    let end = match left_seconds {
        ..0 => format!("ended on {when}"),
        0..86_400 => format!("ends on {when}, within a day"),
        _ => format!("ends on {when}, in {} days", left_seconds / 86_400),
    };
    Some(Problem {
        place: Place::WholeFile(expiry.file.display().to_string()),
        option: String::new(),
        message: format!("{what} {:?} {end}", expiry.name),
        remedy: remedy.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    /// What is said on some days before the end of something that holds for so many days.
    fn said(kind: TlsExpiryKind, lifetime_days: i64, left_seconds: i64) -> Option<String> {
        let now_seconds = 1_900_000_000;
        let ends_seconds = now_seconds + left_seconds;
        let begins_seconds = ends_seconds - lifetime_days * DAY;
        let expiry = TlsExpiry {
            file: "/etc/ferry/chain.pem".into(),
            kind,
            name: "broker".to_owned(),
            begins_seconds,
            ends_seconds,
        };
        assert!(warnings(std::slice::from_ref(&expiry), 0, now_seconds).is_empty(), "0 is never");
        let warnings = warnings(&[expiry], 21 * 86_400, now_seconds);
        warnings.first().map(|problem| problem.message.clone())
    }

    #[test]
    fn an_end_is_told_weeks_ahead_and_after_it() {
        use TlsExpiryKind::{Authority, Certificate, RevocationList};
        assert_eq!(said(Certificate, 365, 21 * DAY), None);
        let message = said(Certificate, 365, 21 * DAY - 1).expect("a warning");
        assert_eq!(message, "the certificate \"broker\" ends on 2030-04-07T17:46:39Z, in 20 days");
        let message = said(Authority, 365, DAY - 1).expect("a warning");
        assert!(message.ends_with("within a day"), "{message}");
        let message = said(Certificate, 365, -1).expect("a warning");
        assert_eq!(message, "the certificate \"broker\" ended on 2030-03-17T17:46:39Z");
        // A list for a day is not old on its first morning.
        assert_eq!(said(RevocationList, 1, DAY / 2), None);
        assert!(said(RevocationList, 1, DAY / 4).is_some());
        assert_eq!(said(Certificate, 90, 21 * DAY), None);
        assert_eq!(said(Certificate, 6, 2 * DAY), None);
    }
}
