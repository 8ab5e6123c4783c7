//! `-D`: properties of MQTT 5.0.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use ferry_client::Properties;

use super::property_words::JOINT;
use super::sendable::{check_data, check_text};

/// What `-D` has said, packet by packet.
#[derive(Debug, Default)]
pub(crate) struct PropertyArguments {
    pub(super) connect: ConnectProperties,
    pub(super) publish: Properties,
    pub(super) will: Properties,
    pub(super) will_delay_seconds: Option<u32>,
    pub(super) subscribe_user_properties: Vec<(String, String)>,
    pub(super) unsubscribe_user_properties: Vec<(String, String)>,
    pub(super) disconnect_session_expiry: Option<u32>,
    pub(super) disconnect_user_properties: Vec<(String, String)>,
}

/// Those of CONNECT.
#[derive(Debug, Default)]
pub(super) struct ConnectProperties {
    pub(super) session_expiry_interval: Option<u32>,
    pub(super) receive_maximum: Option<u16>,
    pub(super) maximum_packet_size: Option<u32>,
    pub(super) topic_alias_maximum: Option<u16>,
    pub(super) request_problem_information: Option<bool>,
    pub(super) request_response_information: Option<bool>,
    pub(super) authentication_method: Option<String>,
    pub(super) authentication_data: Option<Vec<u8>>,
    pub(super) user_properties: Vec<(String, String)>,
}

/// One `-D`.
struct Property<'a> {
    packet: &'a str,
    name: &'a str,
    /// Binary Data, or a text.
    value: &'a [u8],
    /// Of a user property, whose name is `value` then.
    second_value: &'a [u8],
}

impl PropertyArguments {
    /// Reads all `-D`, each with its words joined as [`with_joined_properties`](super::with_joined_properties) does.
    ///
    /// # Errors
    /// What is wrong with one of them, in words.
    pub(crate) fn parse(arguments: &[OsString]) -> Result<Self, String> {
        let mut properties = Self::default();
        for argument in arguments {
            let mut words = argument.as_bytes().split(|byte| JOINT.as_bytes().contains(byte));
            let packet = lowercase(words.next().unwrap_or_default());
            let (Some(name), Some(value)) = (words.next().map(lowercase), words.next()) else {
                return Err(format!("-D {packet}: name and value are missing"));
            };
            let second_value = words.next();
            if name == "user-property" && second_value.is_none() {
                let value = String::from_utf8_lossy(value);
                return Err(format!("-D {packet} user-property {value}: its value is missing"));
            }
            let second_value = second_value.unwrap_or_default();
            properties.add(&Property { packet: &packet, name: &name, value, second_value })?;
        }
        Ok(properties)
    }

    fn add(&mut self, property: &Property<'_>) -> Result<(), String> {
        match property.packet {
            "connect" => self.connect.add(property),
            "publish" => add_to_message(&mut self.publish, property),
            "will" if property.name == "will-delay-interval" => {
                self.will_delay_seconds = Some(property.number()?);
                Ok(())
            }
            "will" => add_to_message(&mut self.will, property),
            "disconnect" => match property.name {
                "session-expiry-interval" => {
                    self.disconnect_session_expiry = Some(property.number()?);
                    Ok(())
                }
                "user-property" => {
                    self.disconnect_user_properties.push(property.pair()?);
                    Ok(())
                }
                _ => Err(property.unknown()),
            },
            "subscribe" if property.name == "subscription-identifier" => Err(
                "-D subscribe subscription-identifier: the client has identifiers of its own, by which it finds out what came for which filter"
                    .to_owned(),
            ),
            "subscribe" => property.append_to(&mut self.subscribe_user_properties),
            "unsubscribe" => property.append_to(&mut self.unsubscribe_user_properties),
            other => Err(format!("-D {other}: not one of connect, publish, subscribe, unsubscribe, will and disconnect")),
        }
    }

    pub(super) fn has_will(&self) -> bool {
        self.will != Properties::default() || self.will_delay_seconds.is_some()
    }
}

impl ConnectProperties {
    fn add(&mut self, property: &Property<'_>) -> Result<(), String> {
        match property.name {
            "session-expiry-interval" => self.session_expiry_interval = Some(property.number()?),
            "receive-maximum" => self.receive_maximum = Some(property.number_from_1()?),
            "maximum-packet-size" => self.maximum_packet_size = Some(property.number_from_1()?),
            "topic-alias-maximum" => self.topic_alias_maximum = Some(property.number()?),
            "request-problem-information" => self.request_problem_information = Some(property.flag()?),
            "request-response-information" => self.request_response_information = Some(property.flag()?),
            "authentication-method" => self.authentication_method = Some(property.text()?),
            "authentication-data" => self.authentication_data = Some(property.data()?),
            "user-property" => self.user_properties.push(property.pair()?),
            _ => return Err(property.unknown()),
        }
        Ok(())
    }
}

fn add_to_message(message: &mut Properties, property: &Property<'_>) -> Result<(), String> {
    match property.name {
        "payload-format-indicator" => message.payload_format_indicator = Some(property.flag()?),
        "message-expiry-interval" => message.message_expiry_interval = Some(property.number()?),
        "content-type" => message.content_type = Some(property.text()?),
        "response-topic" => message.response_topic = Some(property.text()?),
        "correlation-data" => message.correlation_data = Some(property.data()?),
        "user-property" => message.user_properties.push(property.pair()?),
        // The client uses aliases by itself, and whoever receives the message cannot tell.
        "topic-alias" if property.packet == "publish" => drop(property.number_from_1::<u16>()?),
        _ => return Err(property.unknown()),
    }
    Ok(())
}

impl Property<'_> {
    fn number<T: std::str::FromStr>(&self) -> Result<T, String> {
        let number = self.text()?.parse();
        number.map_err(|_| self.wrong("is not a number, or too large"))
    }

    fn number_from_1<T: std::str::FromStr + Default + PartialEq>(&self) -> Result<T, String> {
        let number = self.number()?;
        if number == T::default() { Err(self.wrong("must be at least 1")) } else { Ok(number) }
    }

    fn flag(&self) -> Result<bool, String> {
        match self.value {
            b"0" => Ok(false),
            b"1" => Ok(true),
            _ => Err(self.wrong("is neither 0 nor 1")),
        }
    }

    fn data(&self) -> Result<Vec<u8>, String> {
        check_data(&self.place(), self.value)?;
        Ok(self.value.to_vec())
    }

    fn text(&self) -> Result<String, String> {
        self.text_of(self.value)
    }

    fn pair(&self) -> Result<(String, String), String> {
        Ok((self.text()?, self.text_of(self.second_value)?))
    }

    fn text_of(&self, bytes: &[u8]) -> Result<String, String> {
        let place = self.place();
        let text = std::str::from_utf8(bytes)
            .map_err(|_| format!("{place}: {:?} is not UTF-8", String::from_utf8_lossy(bytes)))?;
        check_text(&place, text)?;
        Ok(text.to_owned())
    }

    /// A user property, which is the only one that some packets have.
    fn append_to(&self, pairs: &mut Vec<(String, String)>) -> Result<(), String> {
        if self.name != "user-property" {
            return Err(self.unknown());
        }
        pairs.push(self.pair()?);
        Ok(())
    }

    fn wrong(&self, what: &str) -> String {
        format!("{}: {:?} {what}", self.place(), String::from_utf8_lossy(self.value))
    }

    /// The option, as it begins.
    fn place(&self) -> String {
        format!("-D {} {}", self.packet, self.name)
    }

    fn unknown(&self) -> String {
        format!(
            "-D {} {}: there is no such property of {}",
            self.packet,
            self.name,
            self.packet.to_uppercase()
        )
    }
}

/// Packets and properties may be written in capitals.
fn lowercase(word: &[u8]) -> String {
    String::from_utf8_lossy(word).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn parse(line: &str) -> Result<PropertyArguments, String> {
        let arguments = line.split(", ").map(|words| words.replace(' ', "\0").into());
        PropertyArguments::parse(&arguments.collect::<Vec<OsString>>())
    }

    #[test]
    fn properties_of_several_packets() {
        let properties = parse(
            "publish user-property a b, CONNECT Receive-Maximum 7, publish USER-PROPERTY c d, will will-delay-interval 3, \
             will content-type t, disconnect session-expiry-interval 9, subscribe user-property e f, \
             unsubscribe user-property g h",
        );
        let properties = properties.unwrap();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(properties.publish.user_properties, [pair("a", "b"), pair("c", "d")]);
        assert_eq!(properties.subscribe_user_properties, [pair("e", "f")]);
        assert_eq!(properties.unsubscribe_user_properties, [pair("g", "h")]);
        assert_eq!(properties.connect.receive_maximum, Some(7));
        assert_eq!(properties.will_delay_seconds, Some(3));
        assert_eq!(properties.will.content_type.as_deref(), Some("t"));
        assert_eq!(properties.disconnect_session_expiry, Some(9));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, words) in [
            ("publish", "name and value are missing"),
            ("publish user-property a", "its value is missing"),
            ("publish colour red", "no such property of PUBLISH"),
            ("connect content-type x", "no such property of CONNECT"),
            ("connect receive-maximum 0", "at least 1"),
            ("connect receive-maximum 70000", "too large"),
            ("publish payload-format-indicator 2", "neither 0 nor 1"),
            ("suback user-property a b", "not one of"),
            ("subscribe subscription-identifier 5", "identifiers of its own"),
            ("unsubscribe content-type x", "no such property of UNSUBSCRIBE"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(words), "{line}: {error}");
        }
        let argument = |words: &[u8]| [OsString::from_vec(words.to_vec())];
        let error = PropertyArguments::parse(&argument(b"publish\0content-type\0\xFF")).unwrap_err();
        assert_eq!(error, "-D publish content-type: \"\u{FFFD}\" is not UTF-8");
        for (words, option) in [
            ("connect user-property x LONG", "-D connect user-property"),
            ("connect user-property LONG x", "-D connect user-property"),
            ("connect authentication-method LONG", "-D connect authentication-method"),
            ("connect authentication-data LONG", "-D connect authentication-data"),
            ("publish content-type LONG", "-D publish content-type"),
            ("publish correlation-data LONG", "-D publish correlation-data"),
            ("will response-topic LONG", "-D will response-topic"),
            ("subscribe user-property x LONG", "-D subscribe user-property"),
            ("unsubscribe user-property x LONG", "-D unsubscribe user-property"),
            ("disconnect user-property x LONG", "-D disconnect user-property"),
        ] {
            let with = |length| parse(&words.replace("LONG", &"x".repeat(length)));
            assert!(with(65_535).is_ok(), "{words}");
            let too_long = "there are 65536 bytes; at most 65,535 are possible";
            assert_eq!(with(65_536).unwrap_err(), format!("{option}: {too_long}"));
        }
        let data = PropertyArguments::parse(&argument(b"publish\0correlation-data\0\xFF")).unwrap();
        assert_eq!(data.publish.correlation_data.as_deref(), Some(b"\xFF".as_slice()));
    }
}
