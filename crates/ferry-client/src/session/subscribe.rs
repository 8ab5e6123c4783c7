use std::fmt;

use ferry_codec::topic::{TopicError, parse_shared, validate_topic_filter};
use ferry_codec::{
    DecodeLimits, Packet, ReasonCode, Suback, Subscribe, SubscribeFiltersBuf, Unsuback, Unsubscribe,
    UnsubscribeFiltersBuf, encoded_length,
};
use ferry_session::Timestamp;

use super::subscriptions::RequestKind;
use super::{ClientSession, Fault, Filter, SessionEvent};
use crate::message::user_properties;

/// Why a SUBSCRIBE or UNSUBSCRIBE was not even tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeRefused {
    /// At least one filter `[MQTT-3.8.3-2]`, `[MQTT-3.10.3-2]`, `[MQTT3-3.8.3-3]`, `[MQTT3-3.10.3-2]`.
    NoFilter,
    /// Not a topic filter `[MQTT-4.7.1-1]`, `[MQTT-4.7.1-2]`, `[MQTT-4.8.2-1]`.
    Filter(TopicError),
    /// No Local on a shared subscription `[MQTT-3.8.3-4]`.
    NoLocalShared,
}

/// A Subscription Identifier has at most 28 bits.
const SUBSCRIPTION_ID_MAX: u32 = 268_435_455;

impl ClientSession {
    /// Subscribes, now or on the next connection, and again whenever the server has lost the session. Returns the
    /// number under which the answer will be told; it is also the Subscription Identifier, if the server supports them.
    ///
    /// # Errors
    /// What the standard forbids.
    pub fn subscribe(&mut self, now: Timestamp, filters: Vec<Filter>) -> Result<u64, SubscribeRefused> {
        if filters.is_empty() {
            return Err(SubscribeRefused::NoFilter);
        }
        for filter in &filters {
            filter.check()?;
        }
        let number = self.subscriptions.subscribe(filters);
        self.send_requests(now);
        Ok(number)
    }

    /// Unsubscribes, now or on the next connection. Returns the number under which the answer will be told.
    ///
    /// # Errors
    /// What the standard forbids.
    pub fn unsubscribe(&mut self, now: Timestamp, filters: Vec<String>) -> Result<u64, SubscribeRefused> {
        if filters.is_empty() {
            return Err(SubscribeRefused::NoFilter);
        }
        for filter in &filters {
            validate_topic_filter(filter, &DecodeLimits::UNLIMITED).map_err(SubscribeRefused::Filter)?;
        }
        let number = self.subscriptions.unsubscribe(filters);
        self.send_requests(now);
        Ok(number)
    }

    /// Whether something of the subscription with this number is in force, or will be.
    #[must_use]
    pub fn is_subscribed(&self, number: u64) -> bool {
        self.subscriptions.is_wanted(number)
    }

    /// Sends the requests that are not under way.
    pub(super) fn send_requests(&mut self, now: Timestamp) {
        let Some(connected) = self.connected() else { return };
        let with_ids = connected.subscription_identifiers_available && !self.options.protocol_version.is_v3();
        let length_max = connected.maximum_packet_size.min(DecodeLimits::UNLIMITED.packet_size_max) as usize;
        let of_subscribe = user_properties(&self.options.subscribe_user_properties);
        let of_unsubscribe = user_properties(&self.options.unsubscribe_user_properties);
        let mut at = self.subscriptions.first_unsent();
        while at < self.subscriptions.requests.len() {
            let Some(packet_id) = self.subscriptions.take_packet_id() else { return };
            let request = &mut self.subscriptions.requests[at];
            request.packet_id = Some(packet_id);
            let version = self.options.protocol_version;
            let id = u32::try_from(request.number).ok().filter(|id| with_ids && *id <= SUBSCRIPTION_ID_MAX);
            let (filters, unsubscribe_filters);
            let packet = match &request.kind {
                RequestKind::Subscribe { filters: wanted, .. } => {
                    filters = subscribe_filters(wanted);
                    Packet::Subscribe(Subscribe {
                        packet_id,
                        subscription_id: id,
                        user_properties: of_subscribe.as_user_properties(),
                        filters: filters.as_filters(),
                    })
                }
                RequestKind::Unsubscribe { filters: unwanted } => {
                    unsubscribe_filters = unsubscribe_filters_of(unwanted);
                    Packet::Unsubscribe(Unsubscribe {
                        packet_id,
                        user_properties: of_unsubscribe.as_user_properties(),
                        filters: unsubscribe_filters.as_filters(),
                    })
                }
            };
            // [MQTT-3.2.2-15].
            if encoded_length(&packet, version) > length_max {
                self.request_too_large(at);
                continue;
            }
            self.write(now, &packet);
            at += 1;
        }
    }

    pub(super) fn suback_received(&mut self, now: Timestamp, suback: &Suback<'_>) -> Result<(), Fault> {
        self.check_problem_information(suback.reason_string.is_some() || !suback.user_properties.is_empty())?;
        let Some(request) = self.subscriptions.answered(suback.packet_id, true) else { return Ok(()) };
        let RequestKind::Subscribe { filters, again } = request.kind else { return Ok(()) };
        if suback.reason_codes.len() != filters.len() {
            return Err(Fault::protocol_error("SUBACK with another number of reason codes", "MQTT-3.9.3-1"));
        }
        let reason_codes: Vec<_> = suback.reason_codes.iter().map(|code| ReasonCode::new(*code)).collect();
        if !again {
            self.subscriptions.granted(request.number, &filters, &reason_codes);
        }
        let reason_string = suback.reason_string.map(str::to_owned);
        let number = request.number;
        let filters = names(filters);
        self.events.push_back(SessionEvent::Subscribed {
            number,
            filters,
            reason_codes,
            reason_string,
            again,
        });
        self.send_requests(now);
        Ok(())
    }

    pub(super) fn unsuback_received(&mut self, now: Timestamp, unsuback: &Unsuback<'_>) -> Result<(), Fault> {
        let explains = unsuback.reason_string.is_some() || !unsuback.user_properties.is_empty();
        self.check_problem_information(explains)?;
        let Some(request) = self.subscriptions.answered(unsuback.packet_id, false) else { return Ok(()) };
        let RequestKind::Unsubscribe { filters } = request.kind else { return Ok(()) };
        let is_v3 = self.options.protocol_version.is_v3();
        if !is_v3 && unsuback.reason_codes.len() != filters.len() {
            return Err(Fault::protocol_error(
                "UNSUBACK with another number of reason codes",
                "MQTT-3.11.3-1",
            ));
        }
        let reason_codes = if is_v3 {
            vec![ReasonCode::SUCCESS; filters.len()]
        } else {
            unsuback.reason_codes.iter().map(|code| ReasonCode::new(*code)).collect()
        };
        self.events.push_back(SessionEvent::Unsubscribed { number: request.number, reason_codes });
        self.send_requests(now);
        Ok(())
    }

    fn request_too_large(&mut self, at: usize) {
        let Some(request) = self.subscriptions.remove(at) else { return };
        let number = request.number;
        self.events.push_back(match request.kind {
            RequestKind::Subscribe { filters, again } => {
                let reason_codes = vec![ReasonCode::PACKET_TOO_LARGE; filters.len()];
                self.subscriptions.refused(number, &filters, &reason_codes);
                let filters = names(filters);
                SessionEvent::Subscribed { number, filters, reason_codes, reason_string: None, again }
            }
            RequestKind::Unsubscribe { filters } => SessionEvent::Unsubscribed {
                number,
                reason_codes: vec![ReasonCode::PACKET_TOO_LARGE; filters.len()],
            },
        });
    }
}

impl Filter {
    fn check(&self) -> Result<(), SubscribeRefused> {
        validate_topic_filter(&self.filter, &DecodeLimits::UNLIMITED).map_err(SubscribeRefused::Filter)?;
        let is_shared = parse_shared(&self.filter).is_ok_and(|shared| shared.is_some());
        if is_shared && self.options.no_local {
            return Err(SubscribeRefused::NoLocalShared);
        }
        Ok(())
    }
}

fn names(filters: Vec<Filter>) -> Vec<String> {
    filters.into_iter().map(|filter| filter.filter).collect()
}

fn subscribe_filters(filters: &[Filter]) -> SubscribeFiltersBuf {
    let mut buffer = SubscribeFiltersBuf::new();
    for filter in filters {
        buffer.push(&filter.filter, filter.options);
    }
    buffer
}

fn unsubscribe_filters_of(filters: &[String]) -> UnsubscribeFiltersBuf {
    let mut buffer = UnsubscribeFiltersBuf::new();
    for filter in filters {
        buffer.push(filter);
    }
    buffer
}

impl fmt::Display for SubscribeRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFilter => f.write_str("no topic filter"),
            Self::Filter(error) => error.fmt(f),
            Self::NoLocalShared => f.write_str("No Local is not possible for a shared subscription"),
        }
    }
}
