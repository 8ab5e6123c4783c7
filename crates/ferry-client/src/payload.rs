//! Payloads as values of serde, each format behind its feature.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Message;

/// A payload that is not what was expected, or a value that cannot be written in this format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadError(String);

impl Message {
    /// A message with this value as JSON, and the Content Type `application/json`.
    ///
    /// # Errors
    /// JSON cannot express the value.
    #[cfg(feature = "json")]
    pub fn json<T: Serialize + ?Sized>(topic: impl Into<String>, value: &T) -> Result<Self, PayloadError> {
        let payload = serde_json::to_vec(value).map_err(PayloadError::new)?;
        Ok(Self::new(topic, payload).content_type("application/json"))
    }

    /// The payload, which is JSON.
    ///
    /// # Errors
    /// It is something else.
    #[cfg(feature = "json")]
    pub fn from_json<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        serde_json::from_slice(&self.payload).map_err(PayloadError::new)
    }

    /// A message with this value as CBOR, and the Content Type `application/cbor`.
    ///
    /// # Errors
    /// CBOR cannot express the value.
    #[cfg(feature = "cbor")]
    pub fn cbor<T: Serialize + ?Sized>(topic: impl Into<String>, value: &T) -> Result<Self, PayloadError> {
        let payload = minicbor_serde::to_vec(value).map_err(PayloadError::new)?;
        Ok(Self::new(topic, payload).content_type("application/cbor"))
    }

    /// The payload, which is CBOR.
    ///
    /// # Errors
    /// It is something else.
    #[cfg(feature = "cbor")]
    pub fn from_cbor<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        minicbor_serde::from_slice(&self.payload).map_err(PayloadError::new)
    }

    /// A message with this value as MessagePack, and the Content Type `application/msgpack`.
    ///
    /// # Errors
    /// MessagePack cannot express the value.
    #[cfg(feature = "messagepack")]
    pub fn messagepack<T: Serialize + ?Sized>(
        topic: impl Into<String>,
        value: &T,
    ) -> Result<Self, PayloadError> {
        let payload = rmp_serde::to_vec_named(value).map_err(PayloadError::new)?;
        Ok(Self::new(topic, payload).content_type("application/msgpack"))
    }

    /// The payload, which is MessagePack.
    ///
    /// # Errors
    /// It is something else.
    #[cfg(feature = "messagepack")]
    pub fn from_messagepack<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        rmp_serde::from_slice(&self.payload).map_err(PayloadError::new)
    }
}

impl PayloadError {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl std::fmt::Display for PayloadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PayloadError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Reading {
        celsius: f64,
        names: Vec<String>,
    }

    fn reading() -> Reading {
        Reading { celsius: 21.5, names: vec!["a".to_owned(), "ä".to_owned()] }
    }

    #[cfg(feature = "json")]
    #[test]
    fn json() {
        let message = Message::json("t", &reading()).unwrap();
        assert_eq!(message.text(), Ok(r#"{"celsius":21.5,"names":["a","ä"]}"#));
        assert_eq!(message.from_json::<Reading>().unwrap(), reading());
        assert!(Message::new("t", "{").from_json::<Reading>().is_err());
    }

    #[cfg(feature = "cbor")]
    #[test]
    fn cbor() {
        let message = Message::cbor("t", &reading()).unwrap();
        assert_eq!(message.from_cbor::<Reading>().unwrap(), reading());
        assert!(Message::new("t", "").from_cbor::<Reading>().is_err());
    }

    #[cfg(feature = "messagepack")]
    #[test]
    fn messagepack() {
        let message = Message::messagepack("t", &reading()).unwrap();
        assert_eq!(message.from_messagepack::<Reading>().unwrap(), reading());
        assert!(Message::new("t", "").from_messagepack::<Reading>().is_err());
    }
}
