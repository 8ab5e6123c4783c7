//! The query of a URL, and its percent encoding.

use super::problem::Problem;

/// The parameters of a query, in their order.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// # Errors
    /// The encoding is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(&name.replace('+', " "))?, decode(&value.replace('+', " "))?))
        });
        pairs.collect::<Result<_, Problem>>().map(Self)
    }

    /// # Errors
    /// There is a parameter that is none of these, or one of them twice.
    pub(super) fn check_names(&self, known: &[&str]) -> Result<(), Problem> {
        for (index, (name, _)) in self.0.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let remedy = match known {
                    [] => "there are no parameters here".to_owned(),
                    known => format!("the parameters are {}", known.join(", ")),
                };
                return Err(Problem::bad_request(format!("unknown parameter {name:?}"), remedy));
            }
            if self.0[..index].iter().any(|(before, _)| before == name) {
                return Err(Problem::bad_request(format!("{name} is there twice"), "give it once"));
            }
        }
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// # Errors
    /// It is there and no number in this range.
    pub(super) fn number(&self, name: &str, min: u64, max: u64) -> Result<Option<u64>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if (min..=max).contains(&number) && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(Some(number))
            }
            _ => Err(Problem::bad_request(
                format!("{name} is no number that is allowed here: {text:?}"),
                format!("give a whole number from {min} to {max}"),
            )),
        }
    }

    /// # Errors
    /// It is there and neither `true` nor `false`.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(text) => Err(Problem::bad_request(format!("{name} is {text:?}"), "give true or false")),
        }
    }
}

/// Replaces `%41` by what it stands for.
///
/// # Errors
/// What comes out is not UTF-8, or a `%` is not followed by two hexadecimal digits.
pub(super) fn decode(text: &str) -> Result<String, Problem> {
    let wrong = || {
        Problem::bad_request("the URL is not encoded rightly", "encode text as UTF-8, then by percent signs")
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, tail @ ..] = tail else { return Err(wrong()) };
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or_else(wrong);
        // Two digits make a byte.
        bytes.push((digit(*high)? * 16 + digit(*low)?) as u8);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_decoded_and_names_are_known() {
        let query = Query::parse("a=%C3%A9+x&b=&n=07&flag=true").expect("a query");
        assert_eq!((query.get("a"), query.get("b"), query.get("c")), (Some("é x"), Some(""), None));
        assert_eq!(query.number("n", 1, 9).expect("a number"), Some(7));
        assert_eq!(query.flag("flag").expect("a flag"), Some(true));
        assert!(query.number("n", 8, 9).is_err() && query.flag("n").is_err());
        assert!(query.check_names(&["a", "b", "n"]).is_err());
        for wrong in ["a=%", "a=%4", "a=%zz", "a=%ff", "%C3=1"] {
            assert!(Query::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Query::parse("a=1&a=2").expect("a query").check_names(&["a"]).is_err());
    }
}
