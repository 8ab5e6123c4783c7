use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::problem::Problem;

/// The body of a request.
#[derive(Debug, Default)]
pub(super) struct JsonBody(pub(super) Vec<u8>);

/// An object in a body.
#[derive(Debug)]
pub(super) struct JsonObject(Map<String, Value>);

impl JsonBody {
    /// The object that it is.
    ///
    /// # Errors
    /// It is none, or has other members than these.
    pub(super) fn object(&self, names: &[&str]) -> Result<JsonObject, Problem> {
        let remedy = || format!("send a JSON object with some of: {}", names.join(", "));
        let value = serde_json::from_slice(&self.0)
            .map_err(|error| Problem::bad_request(format!("the body is not JSON: {error}"), remedy()))?;
        let Value::Object(members) = value else {
            return Err(Problem::bad_request("the body is not a JSON object", remedy()));
        };
        match members.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(Problem::bad_request(format!("unknown member {name:?}"), remedy())),
            None => Ok(JsonObject(members)),
        }
    }
}

impl JsonObject {
    /// # Errors
    /// It is there and no text.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong(name, "a text")),
        }
    }

    /// # Errors
    /// It is there and no list of texts.
    pub(super) fn texts(&self, name: &str) -> Result<Option<BTreeSet<Box<str>>>, Problem> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let texts = value.as_array().and_then(|items| {
            let texts = items.iter().map(|item| item.as_str().map(Into::into));
            texts.collect::<Option<BTreeSet<_>>>()
        });
        texts.map(Some).ok_or_else(|| wrong(name, "a list of texts"))
    }

    /// # Errors
    /// It is there and neither `true` nor `false`.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(wrong(name, "true or false")),
        }
    }

    /// # Errors
    /// It is there and no number in this range.
    pub(super) fn number(&self, name: &str, min: u64, max: u64) -> Result<Option<u64>, Problem> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => match whole(value) {
                Some(number) if (min..=max).contains(&number) => Ok(Some(number)),
                _ => Err(wrong(name, &format!("a whole number from {min} to {max}"))),
            },
        }
    }
}

/// To JSON Schema, and to some that write JSON, 1.0 is a whole number too.
fn whole(value: &Value) -> Option<u64> {
    /// Up to here every whole number is a float of its own.
    const FLOAT_MAX: f64 = 9_007_199_254_740_992.0;
    value.as_u64().or_else(|| {
        let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
        (0.0..=FLOAT_MAX).contains(&number).then_some(number as u64)
    })
}

fn wrong(name: &str, expected: &str) -> Problem {
    Problem::bad_request(format!("{name} is not {expected}"), format!("give {expected}, or leave {name} out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        let numbers = ["1", "1.0", "1e0", "1.5", "-1", "-0.0", "1e300", "\"1\"", "null"];
        let numbers = numbers.map(|text| whole(&serde_json::from_str(text).expect("JSON")));
        assert_eq!(numbers, [Some(1), Some(1), Some(1), None, None, Some(0), None, None, None]);
    }
}
