//! Which rule of 5.0 is broken when a property stands twice or has a value it must not have.

use crate::fault::Fault;
use crate::property::{self, PropertySection};

struct PropertyRule {
    section: PropertySection,
    identifier: u8,
    duplicate: Fault,
    value: Fault,
}

macro_rules! property_rules {
    ($($($section:ident)|+, $identifier:ident, $name:literal, $statement:literal;)*) => {
        static PROPERTY_RULES: &[PropertyRule] = &[$($(PropertyRule {
            section: PropertySection::$section,
            identifier: property::$identifier,
            duplicate: Fault::protocol_error(concat!($name, " stands more than once"), $statement, ""),
            value: Fault::protocol_error(concat!($name, " has a value it must not have"), $statement, ""),
        },)+)*];
    };
}

// Message Expiry Interval, Payload Format Indicator in PUBLISH and Will Delay Interval have the rule without
// an exact sentence for each packet; section 2.2.2.2 then says the same for all.
property_rules! {
    Connect, SESSION_EXPIRY_INTERVAL, "Session Expiry Interval", "U5-010";
    Connect, RECEIVE_MAXIMUM, "Receive Maximum", "U5-011";
    Connect, MAXIMUM_PACKET_SIZE, "Maximum Packet Size", "U5-012";
    Connect, TOPIC_ALIAS_MAXIMUM, "Topic Alias Maximum", "U5-014";
    Connect, REQUEST_RESPONSE_INFORMATION, "Request Response Information", "U5-015";
    Connect, REQUEST_PROBLEM_INFORMATION, "Request Problem Information", "U5-016";
    Connect, AUTHENTICATION_METHOD, "Authentication Method", "U5-018";
    Connect, AUTHENTICATION_DATA, "Authentication Data", "U5-020";
    Will, WILL_DELAY_INTERVAL, "Will Delay Interval", "U5-021";
    Will, PAYLOAD_FORMAT_INDICATOR, "Payload Format Indicator of the will", "U5-023";
    Will, MESSAGE_EXPIRY_INTERVAL, "Message Expiry Interval of the will", "U5-024";
    Will, CONTENT_TYPE, "Content Type of the will", "U5-025";
    Will, RESPONSE_TOPIC, "Response Topic of the will", "U5-026";
    Will, CORRELATION_DATA, "Correlation Data of the will", "U5-027";
    Connack, SESSION_EXPIRY_INTERVAL, "Session Expiry Interval", "U5-028";
    Connack, RECEIVE_MAXIMUM, "Receive Maximum", "U5-029";
    Connack, MAXIMUM_QOS, "Maximum QoS", "U5-030";
    Connack, RETAIN_AVAILABLE, "Retain Available", "U5-032";
    Connack, MAXIMUM_PACKET_SIZE, "Maximum Packet Size", "U5-034";
    Connack, ASSIGNED_CLIENT_IDENTIFIER, "Assigned Client Identifier", "U5-036";
    Connack, TOPIC_ALIAS_MAXIMUM, "Topic Alias Maximum", "U5-037";
    Connack, REASON_STRING, "Reason String", "U5-038";
    Connack, WILDCARD_SUBSCRIPTION_AVAILABLE, "Wildcard Subscription Available", "U5-039";
    Connack, SUBSCRIPTION_IDENTIFIER_AVAILABLE, "Subscription Identifier Available", "U5-041";
    Connack, SHARED_SUBSCRIPTION_AVAILABLE, "Shared Subscription Available", "U5-043";
    Connack, SERVER_KEEP_ALIVE, "Server Keep Alive", "U5-045";
    Connack, RESPONSE_INFORMATION, "Response Information", "U5-046";
    Connack, SERVER_REFERENCE, "Server Reference", "U5-047";
    Connack, AUTHENTICATION_METHOD, "Authentication Method", "U5-048";
    Connack, AUTHENTICATION_DATA, "Authentication Data", "U5-049";
    PublishFromClient | PublishFromServer, PAYLOAD_FORMAT_INDICATOR, "Payload Format Indicator", "";
    PublishFromClient | PublishFromServer, MESSAGE_EXPIRY_INTERVAL, "Message Expiry Interval", "";
    PublishFromClient | PublishFromServer, TOPIC_ALIAS, "Topic Alias", "U5-054";
    PublishFromClient | PublishFromServer, RESPONSE_TOPIC, "Response Topic", "U5-055";
    PublishFromClient | PublishFromServer, CORRELATION_DATA, "Correlation Data", "U5-056";
    PublishFromClient | PublishFromServer, SUBSCRIPTION_IDENTIFIER, "Subscription Identifier", "U5-057";
    PublishFromClient | PublishFromServer, CONTENT_TYPE, "Content Type", "U5-058";
    Puback, REASON_STRING, "Reason String", "U5-062";
    Pubrec, REASON_STRING, "Reason String", "U5-063";
    Pubrel, REASON_STRING, "Reason String", "U5-064";
    Pubcomp, REASON_STRING, "Reason String", "U5-065";
    Suback, REASON_STRING, "Reason String", "U5-071";
    Unsuback, REASON_STRING, "Reason String", "U5-073";
    DisconnectFromClient | DisconnectFromServer, SESSION_EXPIRY_INTERVAL, "Session Expiry Interval", "U5-074";
    DisconnectFromClient | DisconnectFromServer, REASON_STRING, "Reason String", "U5-077";
    DisconnectFromClient | DisconnectFromServer, SERVER_REFERENCE, "Server Reference", "U5-078";
    Auth, AUTHENTICATION_METHOD, "Authentication Method", "U5-080";
    Auth, AUTHENTICATION_DATA, "Authentication Data", "U5-081";
    Auth, REASON_STRING, "Reason String", "U5-082";
}

static SUBSCRIPTION_IDENTIFIER_DUPLICATE: Fault =
    Fault::protocol_error("Subscription Identifier stands more than once", "U5-067", "");
static SUBSCRIPTION_IDENTIFIER_ZERO: Fault =
    Fault::protocol_error("Subscription Identifier is 0", "U5-066", "");
static DUPLICATE: Fault = Fault::protocol_error("a property stands more than once", "", "");
static VALUE: Fault = Fault::protocol_error("a property has a value it must not have", "", "");

/// The rule against standing twice.
pub(crate) fn duplicate_fault(section: PropertySection, identifier: u8) -> &'static Fault {
    // SUBSCRIBE alone has one rule for the number and another for the value.
    if section == PropertySection::Subscribe && identifier == property::SUBSCRIPTION_IDENTIFIER {
        return &SUBSCRIPTION_IDENTIFIER_DUPLICATE;
    }
    rule(section, identifier).map_or(&DUPLICATE, |rule| &rule.duplicate)
}

/// The rule about the value.
pub(crate) fn value_fault(section: PropertySection, identifier: u8) -> &'static Fault {
    if section == PropertySection::Subscribe && identifier == property::SUBSCRIPTION_IDENTIFIER {
        return &SUBSCRIPTION_IDENTIFIER_ZERO;
    }
    rule(section, identifier).map_or(&VALUE, |rule| &rule.value)
}

fn rule(section: PropertySection, identifier: u8) -> Option<&'static PropertyRule> {
    PROPERTY_RULES.iter().find(|rule| rule.section == section && rule.identifier == identifier)
}
