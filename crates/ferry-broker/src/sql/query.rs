use std::fmt;

use ferry_auth::Credentials;
use serde_json::json;

/// How SQL is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// As PostgreSQL reads it.
    Postgresql,
    /// As SQLite reads it.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "it is for SQLite"))]
    Sqlite,
}

/// What a query may be told of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placeholder {
    UserName,
    ClientId,
    Address,
    Listener,
    CertificateCommonName,
    CertificateSubject,
    /// As a list in JSON: databases have functions to look into one, and no separator would be safe.
    CertificateAlternativeNames,
    CertificateFingerprint,
}

impl Placeholder {
    const ALL: [Self; 8] = [
        Self::UserName,
        Self::ClientId,
        Self::Address,
        Self::Listener,
        Self::CertificateCommonName,
        Self::CertificateSubject,
        Self::CertificateAlternativeNames,
        Self::CertificateFingerprint,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::UserName => "user_name",
            Self::ClientId => "client_id",
            Self::Address => "address",
            Self::Listener => "listener",
            Self::CertificateCommonName => "certificate_common_name",
            Self::CertificateSubject => "certificate_subject",
            Self::CertificateAlternativeNames => "certificate_alternative_names",
            Self::CertificateFingerprint => "certificate_fingerprint",
        }
    }

    fn value(self, credentials: &Credentials) -> Option<String> {
        let certificate = credentials.certificate.as_deref();
        let text = match self {
            Self::UserName => credentials.user_name.as_deref(),
            Self::ClientId => Some(&*credentials.client_id),
            Self::Address => Some(credentials.host()),
            Self::Listener => Some(&*credentials.listener),
            Self::CertificateCommonName => credentials.certificate_common_name.as_deref(),
            Self::CertificateSubject => certificate.map(|certificate| &*certificate.subject),
            Self::CertificateAlternativeNames => {
                return certificate.map(|certificate| json!(certificate.alternative_names).to_string());
            }
            Self::CertificateFingerprint => certificate.map(|certificate| &*certificate.fingerprint),
        };
        text.map(str::to_owned)
    }
}

/// A query that only reads, as far as its text tells. What stands for something known of a client is a parameter: no client can
/// change what is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    text: String,
    placeholders: Vec<Placeholder>,
}

/// Why a text is no query that can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum QueryFault {
    Empty,
    NotReading(String),
    Several,
    Unclosed(&'static str),
    Unknown(String),
    Unnamed(char),
}

impl fmt::Display for QueryFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("there is no query"),
            Self::NotReading(word) => {
                write!(
                    formatter,
                    "a query that begins with {word} is no query that only reads (SELECT, WITH, VALUES)"
                )
            }
            Self::Several => formatter.write_str("there is more than one query"),
            Self::Unclosed(what) => write!(formatter, "{what} has no end"),
            Self::Unknown(name) => {
                let names = Placeholder::ALL.map(|placeholder| format!(":{}", placeholder.name()));
                write!(formatter, "nothing is known as :{name}; there are {}", names.join(", "))
            }
            Self::Unnamed(character) => {
                write!(
                    formatter,
                    "a parameter with {character} has nothing that it stands for: name it, as :user_name"
                )
            }
        }
    }
}

impl Query {
    /// Finds what stands for what, outside of texts, quoted names and comments.
    ///
    /// # Errors
    /// It does not begin as a query that reads, is more than one, or has other parameters.
    pub(crate) fn parse(text: &str, dialect: Dialect) -> Result<Self, QueryFault> {
        let mut scanner = Scanner { rest: text, dialect, out: String::new(), placeholders: Vec::new() };
        scanner.scan()?;
        let start = scanner.out.trim_start_matches(|character: char| !character.is_alphanumeric());
        let word = start.split(|character: char| !character.is_alphanumeric()).next().unwrap_or_default();
        if word.is_empty() {
            return Err(QueryFault::Empty);
        }
        if !["select", "with", "values"].contains(&word.to_ascii_lowercase().as_str()) {
            return Err(QueryFault::NotReading(word.to_owned()));
        }
        Ok(Self { text: scanner.out, placeholders: scanner.placeholders })
    }

    /// With numbers for the placeholders: `$1` for PostgreSQL, `?1` for SQLite.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// How many numbers there are.
    #[cfg(feature = "postgresql")]
    pub(crate) fn placeholders(&self) -> usize {
        self.placeholders.len()
    }

    /// What the numbers stand for with this client.
    pub(crate) fn values(&self, credentials: &Credentials) -> Vec<Option<String>> {
        self.placeholders.iter().map(|placeholder| placeholder.value(credentials)).collect()
    }

    /// Whether the database is told the user name, and so can say that it does not know it.
    pub(crate) fn tells_user_name(&self) -> bool {
        self.placeholders.contains(&Placeholder::UserName)
    }
}

struct Scanner<'a> {
    rest: &'a str,
    dialect: Dialect,
    out: String,
    placeholders: Vec<Placeholder>,
}

impl Scanner<'_> {
    fn scan(&mut self) -> Result<(), QueryFault> {
        let is_postgresql = self.dialect == Dialect::Postgresql;
        while let Some(character) = self.rest.chars().next() {
            match character {
                '\'' => self.text(is_postgresql && self.follows_escape())?,
                '"' => self.quoted('"', "a name in \"")?,
                '`' if !is_postgresql => self.quoted('`', "a name in `")?,
                '[' if !is_postgresql => self.quoted(']', "a name in [")?,
                '-' if self.rest.starts_with("--") => {
                    let length = self.rest.find('\n').unwrap_or(self.rest.len());
                    self.leave_out(length);
                }
                '/' if self.rest.starts_with("/*") => self.comment(is_postgresql)?,
                ':' if self.rest.starts_with("::") => self.take(2),
                ':' => self.placeholder()?,
                '$' if is_postgresql => self.dollar()?,
                '?' | '@' | '$' if !is_postgresql => return Err(QueryFault::Unnamed(character)),
                ';' => self.end()?,
                _ => self.take(character.len_utf8()),
            }
        }
        Ok(())
    }

    fn take(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at(length);
        self.out.push_str(taken);
        self.rest = rest;
    }

    /// A comment is as good as a space.
    fn leave_out(&mut self, length: usize) {
        self.out.push(' ');
        self.rest = self.rest.split_at(length).1;
    }

    /// Whether the text that begins has escapes: `E'...'`.
    fn follows_escape(&self) -> bool {
        let mut before = self.out.chars().rev();
        matches!(before.next(), Some('e' | 'E')) && !before.next().is_some_and(is_of_name)
    }

    fn text(&mut self, has_escapes: bool) -> Result<(), QueryFault> {
        let mut length = 1;
        loop {
            let rest = self.rest.get(length..).unwrap_or_default();
            let Some(found) = rest.find(['\'', '\\']) else {
                return Err(QueryFault::Unclosed("a text in '"));
            };
            let rest = rest.split_at(found).1;
            length += found + 1;
            if rest.starts_with("''") || (rest.starts_with('\\') && has_escapes) {
                length += rest.chars().nth(1).map_or(0, char::len_utf8);
            } else if rest.starts_with('\'') {
                self.take(length);
                return Ok(());
            }
        }
    }

    /// Up to the next such character: one that is doubled begins another part, which has the same end.
    fn quoted(&mut self, end: char, what: &'static str) -> Result<(), QueryFault> {
        let found = self.rest.split_at(1).1.find(end).ok_or(QueryFault::Unclosed(what))?;
        self.take(1 + found + 1);
        Ok(())
    }

    fn comment(&mut self, nests: bool) -> Result<(), QueryFault> {
        let (mut depth, mut length) = (1, 2);
        while depth > 0 {
            let rest = self.rest.get(length..).unwrap_or_default();
            let end = rest.find("*/").ok_or(QueryFault::Unclosed("a comment"))?;
            match rest.find("/*").filter(|start| nests && *start < end) {
                Some(start) => (depth, length) = (depth + 1, length + start + 2),
                None => (depth, length) = (depth - 1, length + end + 2),
            }
        }
        self.leave_out(length);
        Ok(())
    }

    fn placeholder(&mut self) -> Result<(), QueryFault> {
        let rest = self.rest.split_at(1).1;
        let name = rest.split(|character| !is_of_name(character)).next().unwrap_or_default();
        if name.is_empty() || name.starts_with(|character: char| character.is_ascii_digit()) {
            // Part of an array, say.
            self.take(1);
            return Ok(());
        }
        let found = Placeholder::ALL.into_iter().find(|placeholder| placeholder.name() == name);
        let placeholder = found.ok_or_else(|| QueryFault::Unknown(name.to_owned()))?;
        let known = self.placeholders.iter().position(|one| *one == placeholder);
        let index = known.unwrap_or(self.placeholders.len());
        if known.is_none() {
            self.placeholders.push(placeholder);
        }
        self.rest = rest.split_at(name.len()).1;
        let sign = if self.dialect == Dialect::Postgresql { '$' } else { '?' };
        self.out.push_str(&format!("{sign}{}", index + 1));
        Ok(())
    }

    /// `$tag$...$tag$` of PostgreSQL.
    fn dollar(&mut self) -> Result<(), QueryFault> {
        let rest = self.rest.split_at(1).1;
        let is_part_of_name = self.out.chars().next_back().is_some_and(is_of_name);
        if is_part_of_name {
            self.take(1);
            return Ok(());
        }
        let tag = rest.split(|character| !is_of_name(character)).next().unwrap_or_default();
        let is_tag = !tag.starts_with(|character: char| character.is_ascii_digit());
        if !is_tag || !rest.split_at(tag.len()).1.starts_with('$') {
            return Err(QueryFault::Unnamed('$'));
        }
        let delimiter = format!("${tag}$");
        let inside = self.rest.split_at(delimiter.len()).1;
        let end = inside.find(&delimiter).ok_or(QueryFault::Unclosed("a text in $"))?;
        self.take(delimiter.len() + end + delimiter.len());
        Ok(())
    }

    /// A semicolon, behind which nothing may be.
    fn end(&mut self) -> Result<(), QueryFault> {
        let before = std::mem::take(&mut self.out);
        self.rest = self.rest.split_at(1).1;
        while !self.rest.is_empty() {
            let is_comment = ["--", "/*"].iter().any(|start| self.rest.starts_with(start));
            if !is_comment && !self.rest.starts_with(char::is_whitespace) {
                return Err(QueryFault::Several);
            }
            match self.rest.as_bytes() {
                [b'-', ..] => self.leave_out(self.rest.find('\n').unwrap_or(self.rest.len())),
                [b'/', ..] => self.comment(self.dialect == Dialect::Postgresql)?,
                _ => self.take(self.rest.chars().next().map_or(0, char::len_utf8)),
            }
        }
        self.out = before;
        Ok(())
    }
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || !character.is_ascii()
}

#[cfg(test)]
mod tests {
    use ferry_auth::ClientCertificate;

    use super::*;

    #[track_caller]
    fn parsed(text: &str, dialect: Dialect) -> (String, Vec<&'static str>) {
        let query = Query::parse(text, dialect).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        let names = query.placeholders.iter().map(|placeholder| placeholder.name()).collect();
        (query.text, names)
    }

    #[test]
    fn placeholders_become_parameters() {
        let text = "SELECT h FROM u WHERE n = :user_name AND (c = :client_id OR n=:user_name)";
        let (postgresql, names) = parsed(text, Dialect::Postgresql);
        assert_eq!(postgresql, "SELECT h FROM u WHERE n = $1 AND (c = $2 OR n=$1)");
        assert_eq!(names, ["user_name", "client_id"]);
        let (sqlite, names) = parsed(text, Dialect::Sqlite);
        assert_eq!(sqlite, "SELECT h FROM u WHERE n = ?1 AND (c = ?2 OR n=?1)");
        assert_eq!(names, ["user_name", "client_id"]);
    }

    #[test]
    fn texts_names_and_comments_are_left_alone() {
        for text in [
            "SELECT ':user_name', 'a'':client_id'",
            "SELECT \":user_name\", \"a\"\":x\"",
            "SELECT a::text, b[1:2]",
            "SELECT E'\\':user_name', e'a''\\\\'",
            "SELECT 'a\\', 1 AS \"'\"",
            "SELECT $$:user_name ' $$, $a$ :x $b$ $a$, name$1",
        ] {
            assert_eq!(parsed(text, Dialect::Postgresql), (text.to_owned(), vec![]), "{text}");
        }
        let text = "SELECT [:x], `:y`, 'a\\', ':z'";
        assert_eq!(parsed(text, Dialect::Sqlite), (text.to_owned(), vec![]));
        let (text, names) =
            parsed("-- :a\nSELECT /* :b /* */ :c */ 1 -- '\n, :user_name ; -- end", Dialect::Postgresql);
        assert_eq!((text.trim(), names), ("SELECT   1  \n, $1", vec!["user_name"]));
        assert_eq!(parsed("SELECT E'\\'' || :address", Dialect::Postgresql).0, "SELECT E'\\'' || $1");
    }

    #[test]
    fn what_is_no_query_is_refused() {
        let fault = |text: &str, dialect| Query::parse(text, dialect).expect_err(text);
        for dialect in [Dialect::Postgresql, Dialect::Sqlite] {
            for text in ["", "  ", "-- x", ";", "'"] {
                let fault = fault(text, dialect);
                assert!(matches!(fault, QueryFault::Empty | QueryFault::Unclosed(_)), "{text}: {fault}");
            }
            for text in [
                "DELETE FROM u",
                "update u set a = 1",
                "/* SELECT */ DROP TABLE u",
                "PRAGMA x",
                "ATTACH 'a' AS b",
            ] {
                assert!(matches!(fault(text, dialect), QueryFault::NotReading(_)), "{text}");
            }
            for text in ["SELECT 1; SELECT 2", "SELECT 1;; ", "SELECT 1; DROP TABLE u --"] {
                assert_eq!(fault(text, dialect), QueryFault::Several, "{text}");
            }
            for text in ["SELECT 'a", "SELECT \"a", "SELECT /* a", "SELECT 'a''"] {
                assert!(matches!(fault(text, dialect), QueryFault::Unclosed(_)), "{text}");
            }
            assert_eq!(fault("SELECT :password", dialect), QueryFault::Unknown("password".to_owned()));
        }
        assert_eq!(fault("SELECT $1", Dialect::Postgresql), QueryFault::Unnamed('$'));
        assert_eq!(fault("SELECT ?", Dialect::Sqlite), QueryFault::Unnamed('?'));
        assert_eq!(fault("SELECT @a", Dialect::Sqlite), QueryFault::Unnamed('@'));
        assert!(matches!(fault("SELECT $$ a", Dialect::Postgresql), QueryFault::Unclosed(_)));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_scanner_panic(text in r"(SELECT )?[':;$/*\-\[\]`?E\\a ü]{0,40}") {
            for dialect in [Dialect::Postgresql, Dialect::Sqlite] {
                let _ = Query::parse(&text, dialect);
            }
        }
    }

    #[test]
    fn values_are_those_of_the_client() {
        let text = "SELECT :certificate_common_name, :address, :listener, :client_id, :user_name";
        let query = Query::parse(text, Dialect::Postgresql).expect("a query");
        let credentials = Credentials {
            client_id: "c".into(),
            peer_address: "192.0.2.7:5000".into(),
            listener: "tcp://*:1883".into(),
            ..Credentials::default()
        };
        let values = query.values(&credentials);
        let values: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
        assert_eq!(values, [None, Some("192.0.2.7"), Some("tcp://*:1883"), Some("c"), None]);
        assert!(query.tells_user_name());
    }

    #[test]
    fn certificates_are_told_as_a_whole() {
        let text = "SELECT :certificate_subject, :certificate_alternative_names, :certificate_fingerprint";
        let query = Query::parse(text, Dialect::Sqlite).expect("a query");
        let nothing = query.values(&Credentials::default());
        assert_eq!(nothing, [None, None, None]);
        let certificate = ClientCertificate {
            subject: "CN=pump-7".into(),
            alternative_names: ["DNS:pump-7.example".into(), "URI:urn:\"x\"".into()].into(),
            fingerprint: "00ff".into(),
        };
        let credentials = Credentials { certificate: Some(certificate.into()), ..Credentials::default() };
        let values = query.values(&credentials);
        let values: Vec<&str> = values.iter().map(|value| value.as_deref().expect("a value")).collect();
        assert_eq!(values, ["CN=pump-7", r#"["DNS:pump-7.example","URI:urn:\"x\""]"#, "00ff"]);
    }
}
