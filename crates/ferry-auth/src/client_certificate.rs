/// The verified certificate of a client, as rules name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The whole subject as in RFC 4514, such as `CN=pump-7,O=Example`.
    pub subject: Box<str>,
    /// Alternative names with their kind, such as `DNS:pump-7.example`, `URI:urn:pump:7` and `email:ada@example.com`.
    pub alternative_names: Vec<Box<str>>,
    /// SHA-256 of the whole, as lower-case hexadecimal digits.
    pub fingerprint: Box<str>,
}

impl ClientCertificate {
    /// The first alternative name of a kind, without the kind.
    pub(crate) fn alternative_name(&self, kind: &str) -> Option<&str> {
        let mut names = self.alternative_names.iter();
        names.find_map(|name| name.strip_prefix(kind)?.strip_prefix(':'))
    }
}
