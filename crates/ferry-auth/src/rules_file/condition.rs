use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use super::RuleClient;
use crate::ClientCertificate;

/// Which clients a rule is for: all conditions that it names must hold, and of each one of its values.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    pub(super) users: Vec<NamePattern>,
    pub(super) roles: Vec<Role>,
    pub(super) client_ids: Vec<NamePattern>,
    pub(super) addresses: Vec<Network>,
    pub(super) certificates: Vec<NamePattern>,
    pub(super) subjects: Vec<NamePattern>,
    pub(super) alternative_names: Vec<NamePattern>,
    pub(super) fingerprints: Vec<NamePattern>,
    pub(super) anonymous: Option<bool>,
}

impl Conditions {
    /// Whether a client is one of them; `of_unknown` is the answer about an origin that is not known.
    /// If there are `grants`, roles too are not known with it.
    pub(super) fn hold(&self, client: &RuleClient<'_>, of_unknown: bool, grants: bool) -> bool {
        let is_one = |patterns: &[NamePattern], name: Option<&str>| {
            patterns.is_empty()
                || name.is_some_and(|name| patterns.iter().any(|pattern| pattern.matches(name)))
        };
        let user = client.user_name;
        is_one(&self.users, user)
            && is_one(&self.client_ids, Some(client.client_id))
            && self.anonymous.is_none_or(|anonymous| anonymous == user.is_none())
            && (self.roles.is_empty()
                || user.is_some_and(|user| self.roles.iter().any(|role| role.users.contains(user)))
                || match client.origin {
                    Some(origin) => origin
                        .grants
                        .is_some_and(|grants| self.roles.iter().any(|role| grants.has_role(&role.name))),
                    None => grants && of_unknown,
                })
            && (!self.judge_origin()
                || client.origin.map_or(of_unknown, |origin| {
                    is_one(&self.certificates, origin.certificate_common_name)
                        && self.name_certificate(origin.certificate)
                        && (self.addresses.is_empty() || self.name_address(origin.peer_address))
                }))
    }

    pub(super) fn judge_origin(&self) -> bool {
        !self.addresses.is_empty() || !self.certificates.is_empty() || self.judge_certificate()
    }

    /// More of a certificate than its common name.
    fn judge_certificate(&self) -> bool {
        !self.subjects.is_empty() || !self.alternative_names.is_empty() || !self.fingerprints.is_empty()
    }

    fn name_certificate(&self, certificate: Option<&ClientCertificate>) -> bool {
        let Some(certificate) = certificate else { return !self.judge_certificate() };
        let is_one = |patterns: &[NamePattern], names: &[Box<str>]| {
            patterns.is_empty()
                || names.iter().any(|name| patterns.iter().any(|pattern| pattern.matches(name)))
        };
        (self.subjects.is_empty()
            || self.subjects.iter().any(|pattern| pattern.matches_subject(&certificate.subject)))
            && is_one(&self.alternative_names, &certificate.alternative_names)
            && is_one(&self.fingerprints, std::slice::from_ref(&certificate.fingerprint))
    }

    fn name_address(&self, peer_address: &str) -> bool {
        let Some(peer) = Peer::parse(peer_address) else { return false };
        self.addresses.iter().any(|network| network.contains(peer))
    }

    /// Whether these hold for all clients that `others` hold for, as far as the texts show it.
    pub(super) fn include(&self, others: &Self) -> bool {
        includes(&self.users, &others.users)
            && includes(&self.roles, &others.roles)
            && includes(&self.client_ids, &others.client_ids)
            && includes(&self.addresses, &others.addresses)
            && includes(&self.certificates, &others.certificates)
            && includes(&self.subjects, &others.subjects)
            && includes(&self.alternative_names, &others.alternative_names)
            && includes(&self.fingerprints, &others.fingerprints)
            && (self.anonymous.is_none() || self.anonymous == others.anonymous)
    }
}

fn includes<T: PartialEq>(wider: &[T], narrower: &[T]) -> bool {
    wider.is_empty() || (!narrower.is_empty() && narrower.iter().all(|value| wider.contains(value)))
}

impl fmt::Display for Conditions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(formatter, "user", &self.users)?;
        list(formatter, "role", &self.roles)?;
        list(formatter, "client id", &self.client_ids)?;
        list(formatter, "address", &self.addresses)?;
        list(formatter, "certificate", &self.certificates)?;
        list(formatter, "subject", &self.subjects)?;
        list(formatter, "alternative name", &self.alternative_names)?;
        list(formatter, "fingerprint", &self.fingerprints)?;
        match self.anonymous {
            Some(true) => formatter.write_str(", if anonymous"),
            Some(false) => formatter.write_str(", if not anonymous"),
            None => Ok(()),
        }
    }
}

fn list<T: fmt::Display>(formatter: &mut fmt::Formatter<'_>, what: &str, values: &[T]) -> fmt::Result {
    for (index, value) in values.iter().enumerate() {
        match index {
            0 => write!(formatter, ", {what} {value}")?,
            _ => write!(formatter, " or {value}")?,
        }
    }
    Ok(())
}

/// A name in which `*` stands for any characters, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamePattern(pub(super) Box<str>);

impl NamePattern {
    pub(super) fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return *self.0 == *name };
        let Some(mut name) = name.strip_prefix(first) else { return false };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        // The leftmost place of each part leaves the most for those behind it.
        for part in middle.split('*') {
            let Some(at) = name.find(part) else { return false };
            name = &name[at + part.len()..];
        }
        name.ends_with(last)
    }

    /// As [`matches`](Self::matches), for the subject of a certificate (RFC 4514): what is written in a pattern is never an escaped
    /// character, unless the pattern escapes it too. So nobody whose common name is `pump,O=Example` is of `CN=*,O=Example`.
    pub(super) fn matches_subject(&self, subject: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return *self.0 == *subject };
        if !subject.starts_with(first) {
            return false;
        }
        let mut from = first.len();
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in middle.split('*').filter(|part| !part.is_empty()) {
            let Some(at) = find_unescaped(subject, part, from) else { return false };
            from = at + part.len();
        }
        let end = subject.len().checked_sub(last.len()).filter(|end| *end >= from);
        last.is_empty() || end.is_some_and(|end| subject.ends_with(last) && !is_escaped(subject, end))
    }
}

/// The first place of a part at `from` or behind it that begins with no escaped character.
fn find_unescaped(subject: &str, part: &str, from: usize) -> Option<usize> {
    let mut from = from;
    loop {
        let at = from + subject.get(from..)?.find(part)?;
        if !is_escaped(subject, at) {
            return Some(at);
        }
        from = at + subject.get(at..)?.chars().next()?.len_utf8();
    }
}

/// Whether the character there stands behind a backslash that means it.
fn is_escaped(subject: &str, at: usize) -> bool {
    subject.as_bytes()[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

impl fmt::Display for NamePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Users who have something in common.
#[derive(Clone, Debug)]
pub(super) struct Role {
    pub(super) name: Box<str>,
    pub(super) users: Members,
}

/// The users of a role.
pub(super) type Members = Arc<HashSet<Box<str>>>;

impl PartialEq for Role {
    /// There is one role of a name.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

/// Where connections may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    /// Addresses that begin with these bits.
    Ip { address: IpAddr, prefix_bits: u8 },
    /// A Unix socket.
    Unix,
}

#[derive(Clone, Copy)]
enum Peer {
    Ip(IpAddr),
    Unix,
}

impl Peer {
    /// From the way in which connections are shown: `192.0.2.1:5000`, `[2001:db8::1]:5000`, `unix:pid=1`.
    fn parse(text: &str) -> Option<Self> {
        if text.starts_with("unix") {
            return Some(Self::Unix);
        }
        let ip = text.parse().map(|address: SocketAddr| address.ip()).or_else(|_| text.parse()).ok()?;
        Some(Self::Ip(ip.to_canonical()))
    }
}

impl Network {
    fn contains(self, peer: Peer) -> bool {
        match (self, peer) {
            (Self::Unix, Peer::Unix) => true,
            (Self::Ip { address: IpAddr::V4(network), prefix_bits }, Peer::Ip(IpAddr::V4(address))) => {
                let other = network.to_bits() ^ address.to_bits();
                other.checked_shr(32 - u32::from(prefix_bits)).unwrap_or(0) == 0
            }
            (Self::Ip { address: IpAddr::V6(network), prefix_bits }, Peer::Ip(IpAddr::V6(address))) => {
                let other = network.to_bits() ^ address.to_bits();
                other.checked_shr(128 - u32::from(prefix_bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "not an address, a network or \"unix\"";
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let (address, prefix) = text.split_once('/').map_or((text, None), |(at, bits)| (at, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| FORM)?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            None => bits_max,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= bits_max).ok_or(FORM)?,
        };
        if address != address.to_canonical() {
            return Err("write an IPv4 address without ::ffff:");
        }
        Ok(Self::Ip { address, prefix_bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix => formatter.write_str("unix"),
            Self::Ip { address, prefix_bits } => write!(formatter, "{address}/{prefix_bits}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        let matches = |pattern: &str, name| NamePattern(pattern.into()).matches(name);
        assert!(matches("ada", "ada") && !matches("ada", "adam") && !matches("ada", ""));
        assert!(matches("*", "") && matches("*", "x") && matches("**", "x"));
        assert!(matches("pump-*", "pump-") && matches("pump-*", "pump-7") && !matches("pump-*", "a-pump-7"));
        assert!(matches("*-7", "pump-7") && !matches("*-7", "pump-70"));
        assert!(matches("a*b*c", "a-b-b-c") && !matches("a*b*c", "ac") && !matches("ab*bc", "abc"));
        assert!(matches("a*b*b", "abb") && !matches("a*b*b", "ab"));
    }

    #[test]
    fn no_value_of_a_subject_passes_for_several() {
        let matches = |pattern: &str, subject| NamePattern(pattern.into()).matches_subject(subject);
        assert!(matches("CN=pump-*,O=Example", "CN=pump-7,O=Example"));
        assert!(matches("CN=pump-*,O=Example", "CN=pump-7,OU=plant,O=Example"));
        assert!(!matches("CN=pump-*,O=Example", "CN=pump-7\\,O=Example"));
        assert!(!matches("CN=pump-*,O=Example,*", "CN=pump-7\\,O=Example,O=Other"));
        assert!(matches("CN=pump-*,O=Example,*", "CN=pump-7\\,O=Example,O=Example,C=DE"));
        // A backslash at the end of a value is escaped itself.
        assert!(matches("CN=pump-*,O=Example", "CN=pump-\\\\,O=Example"));
        assert!(matches("CN=*\\,O=Example", "CN=pump\\,O=Example") && matches("*", "") && matches("*a", "a"));
        assert!(matches("CN=a,O=b", "CN=a,O=b") && !matches("CN=a,O=b", "CN=a\\,O=b") && !matches("é*", "e"));
        assert!(!matches("ab*b", "ab") && matches("*é*", "aéb") && !matches("*,*", "\\,"));
    }

    #[test]
    fn networks() {
        let contains = |network: &str, peer| {
            let network: Network = network.parse().unwrap();
            network.contains(Peer::parse(peer).unwrap())
        };
        assert!(contains("10.0.0.0/8", "10.255.0.1:1883") && !contains("10.0.0.0/8", "11.0.0.1:1883"));
        assert!(contains("10.0.0.0/8", "[::ffff:10.0.0.1]:1883"), "an IPv4 client of a socket for both");
        assert!(contains("0.0.0.0/0", "192.0.2.1:1") && !contains("0.0.0.0/0", "[::1]:1"));
        assert!(contains("192.0.2.1", "192.0.2.1:1") && !contains("192.0.2.1", "192.0.2.2:1"));
        assert!(
            contains("2001:db8::/32", "[2001:db8:1::1]:1") && !contains("2001:db8::/32", "[2001:db9::]:1")
        );
        assert!(contains("::/0", "[2001:db9::]:1") && !contains("::/0", "unix"));
        assert!(contains("unix", "unix:pid=7") && !contains("unix", "127.0.0.1:1"));
        for wrong in
            ["", "10.0.0.0/33", "10.0.0", "::/129", "10.0.0.0/", "host", "::ffff:10.0.0.1", "1.2.3.4/-1"]
        {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
