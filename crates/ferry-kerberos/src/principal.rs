/// A name that Kerberos knows, such as `ada@EXAMPLE.COM` or `backup/db.example.com@EXAMPLE.COM`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// What stands before the realm.
    pub name: String,
    /// Where it is known.
    pub realm: String,
}

impl Principal {
    /// Reads what the library calls it. `None` for what can be nobody's user name: with characters that the library has to
    /// escape, control characters, without a name or a realm, or one that stands for everybody (RFC 8062).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, realm) = text.split_once('@')?;
        let is_plain = !text.contains(|character: char| character == '\\' || character.is_control());
        let is_whole = !name.is_empty() && !realm.is_empty() && !realm.contains('@');
        let is_somebody = !name.starts_with("WELLKNOWN/") && !realm.starts_with("WELLKNOWN:");
        (is_plain && is_whole && is_somebody).then(|| Self { name: name.to_owned(), realm: realm.to_owned() })
    }

    /// The second part of a service's name: its host.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.name.split_once('/').map(|(_, host)| host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_realms_are_told_apart() {
        let principal = Principal::parse("mqtt/broker.example@EXAMPLE.COM").expect("one");
        assert_eq!((&*principal.name, &*principal.realm), ("mqtt/broker.example", "EXAMPLE.COM"));
        assert_eq!(principal.host(), Some("broker.example"));
        assert_eq!(Principal::parse("ada@A").expect("one").host(), None);
    }

    #[test]
    fn nobody_is_somebody_else() {
        for text in [
            "",
            "ada",
            "@A",
            "ada@",
            r"ada\@A@B",
            "ada@A@B",
            r"a\\b@A",
            "a\nb@A",
            "a\u{7f}@A",
            "WELLKNOWN/ANONYMOUS@A",
            "ada@WELLKNOWN:ANONYMOUS",
        ] {
            assert_eq!(Principal::parse(text), None, "{text:?}");
        }
    }
}
