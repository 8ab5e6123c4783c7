use std::num::{NonZeroU16, NonZeroU32};

use ferry_codec::{Connect, ConnectProperties, Packet, UserPropertiesBuf};
use ferry_session::{Timestamp, TopicAliasIn, TopicAliasOut};

use super::client_session::State;
use super::{ClientSession, ConnectOptions, InvalidValue, Will};
use crate::message::user_properties;

impl ClientSession {
    /// Whether CONNECT can say what the options and the mechanism want it to say.
    ///
    /// # Errors
    /// The first value that it cannot carry, see [`ConnectOptions::check`].
    pub fn check(&self) -> Result<(), InvalidValue> {
        let method = self.mechanism.as_ref().map_or("", |mechanism| mechanism.method());
        InvalidValue::check_text("CONNECT", "Authentication Method", method)?;
        self.options.check()
    }

    /// A connection is there: sends CONNECT, the first packet on it `[MQTT-3.1.0-1]`, `[MQTT3-3.1.0-1]`.
    ///
    /// # Errors
    /// It cannot carry a value: the session is as if there were no connection.
    pub fn open(&mut self, now: Timestamp) -> Result<(), InvalidValue> {
        debug_assert!(matches!(self.state, State::Disconnected), "one connection at a time");
        self.check()?;
        let clean_start = self.says_clean_start();
        let deadline = now.plus_milliseconds(u64::from(self.options.connack_timeout_ms));
        self.output.clear();
        self.close_reason = None;
        self.alias_in = TopicAliasIn::new(self.options.topic_alias_maximum);
        self.alias_out = TopicAliasOut::new(0);
        let authentication = self.mechanism.as_mut().filter(|_| !self.options.protocol_version.is_v3());
        // [MQTT-4.12.0-1]: the method says that data will be exchanged.
        let authentication = authentication.map(|mechanism| {
            let data = mechanism.start();
            (mechanism.method().to_owned(), data)
        });
        let authentication = authentication.as_ref().map(|(method, data)| (method.as_str(), data.as_slice()));
        let data = authentication.map_or(&[][..], |(_, data)| data);
        InvalidValue::check_bytes("CONNECT", "Authentication Data", data)?;
        self.options.encode_connect(clean_start, authentication, self.output.end());
        self.state = State::AwaitConnack { deadline, clean_start };
        Ok(())
    }

    fn says_clean_start(&self) -> bool {
        let options = &self.options;
        let continues =
            self.was_connected && !options.protocol_version.is_v3() && options.session_expiry_interval > 0;
        // [MQTT3-3.1.3-7]: without a Client Identifier there is no session to go on with.
        let anonymous = options.protocol_version.is_v3() && options.client_id.is_empty();
        (options.clean_start && !continues) || anonymous
    }
}

impl ConnectOptions {
    fn encode_connect(&self, clean_start: bool, authentication: Option<(&str, &[u8])>, output: &mut Vec<u8>) {
        let user_properties = user_properties(&self.user_properties);
        let mut with_will = |will: Option<ferry_codec::Will<'_>>| {
            let connect = Connect {
                protocol_version: self.protocol_version,
                bridge: false,
                clean_start,
                keep_alive_seconds: self.keep_alive_seconds,
                client_id: &self.client_id,
                will,
                user_name: self.user_name(),
                password: self.password.as_deref(),
                properties: self.connect_properties(authentication, &user_properties),
            };
            ferry_codec::encode(&Packet::Connect(connect), self.protocol_version, output);
        };
        match &self.will {
            None => with_will(None),
            Some(will) => will.with_encoded(|will| with_will(Some(will))),
        }
    }

    /// A password without a user name is possible in 5.0 only `[MQTT3-3.1.2-22]`.
    fn user_name(&self) -> Option<&str> {
        let needs_name = self.protocol_version.is_v3() && self.password.is_some();
        self.user_name.as_deref().or(needs_name.then_some(""))
    }

    /// What has the standard's default is left out.
    fn connect_properties<'a>(
        &'a self,
        authentication: Option<(&'a str, &'a [u8])>,
        user_properties: &'a UserPropertiesBuf,
    ) -> ConnectProperties<'a> {
        ConnectProperties {
            session_expiry_interval: Some(self.session_expiry_interval).filter(|seconds| *seconds > 0),
            receive_maximum: NonZeroU16::new(self.receive_maximum.max(1)).filter(|max| max.get() < u16::MAX),
            maximum_packet_size: self.maximum_packet_size.and_then(NonZeroU32::new),
            topic_alias_maximum: Some(self.topic_alias_maximum).filter(|maximum| *maximum > 0),
            request_response_information: self.request_response_information.then_some(true),
            request_problem_information: (!self.request_problem_information).then_some(false),
            authentication_method: authentication.map(|(method, _)| method),
            authentication_data: authentication.map(|(_, data)| data).filter(|data| !data.is_empty()),
            user_properties: user_properties.as_user_properties(),
        }
    }

    pub(super) fn packet_size_max(&self) -> u32 {
        let encodable = ferry_codec::DecodeLimits::UNLIMITED.packet_size_max;
        self.maximum_packet_size.filter(|size| *size > 0).map_or(encodable, |size| size.min(encodable))
    }
}

impl Will {
    fn with_encoded<R>(&self, with: impl FnOnce(ferry_codec::Will<'_>) -> R) -> R {
        self.message.with_publish(|publish| {
            with(ferry_codec::Will {
                topic: publish.topic,
                payload: publish.payload,
                qos: publish.qos,
                retain: publish.retain,
                delay_interval_seconds: self.delay_interval_seconds,
                properties: publish.properties,
            })
        })
    }
}
