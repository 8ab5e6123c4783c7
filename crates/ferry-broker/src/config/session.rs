//! `[session]`: how sessions live and which features clients are offered.

use super::option::{choices, section};
use super::value::Kind;

choices! {
    /// What happens to a message that does not fit in a session's queue.
    pub enum OverflowPolicy {
        /// The oldest waiting message is dropped.
        DropOldest = "drop-oldest",
        /// The arriving message is dropped for this session.
        DropNewest = "drop-newest",
        /// The publisher is told 0x97 (Quota exceeded).
        RejectPublisher = "reject-publisher",
        /// The slow client is disconnected with 0x97; if it is offline, the oldest message is dropped.
        Disconnect = "disconnect",
    }
}

choices! {
    /// How often a message is delivered that several subscriptions of one session match.
    pub enum OverlappingSubscriptions {
        /// Once, with the highest QoS and all Subscription Identifiers.
        Once = "once",
        /// Once for each matching subscription.
        Each = "each",
    }
}

choices! {
    /// Who may take over a session whose client identifier is in use.
    pub enum TakeoverPolicy {
        /// Whoever may connect.
        AnyUser = "any-user",
        /// Only the user that owns the session; others are refused with 0x87.
        SameUser = "same-user",
    }
}

choices! {
    /// What a client of MQTT 3.1 or 3.1.1 gets for a PUBLISH that it may not make.
    pub enum DeniedV3Publish {
        /// An acknowledgement as if it had been accepted.
        Acknowledge = "acknowledge",
        /// The end of its connection.
        Close = "close",
    }
}

section! {
    /// How sessions live, and which features clients are offered. What is switched off is told to MQTT 5.0 clients in
    /// CONNACK and refused from everyone.
    pub struct Session = "session" {
        /// The longest time a session outlives its connection. A client that asks for more gets this, and an MQTT 5.0
        /// client is told so. The default takes nobody's session away.
        expiry_seconds_max: Option<u32> = None,
            Kind::Or("never", &Kind::Seconds { min: 0, max: 4_294_967_294 }), Live;

        /// What happens to a message that does not fit in a session's queue: drop the oldest waiting one, drop the new
        /// one, tell the publisher 0x97 (Quota exceeded), or disconnect the slow reader.
        overflow_policy: OverflowPolicy = OverflowPolicy::DropOldest, Kind::Choice(OverflowPolicy::NAMES), Live;

        /// How often a message is delivered that several subscriptions of one session match: `"once"`, with the highest
        /// QoS and every Subscription Identifier, or once for `"each"` subscription.
        overlapping_subscriptions: OverlappingSubscriptions = OverlappingSubscriptions::Once,
            Kind::Choice(OverlappingSubscriptions::NAMES), Live;

        /// Who may take over a session whose client identifier is already in use.
        takeover_policy: TakeoverPolicy = TakeoverPolicy::AnyUser, Kind::Choice(TakeoverPolicy::NAMES), Live;

        /// The longest keep alive. A client that asks for more, or for none at all, is told this Server Keep Alive
        /// (MQTT 5.0 only; 3.x clients keep what they asked for).
        keep_alive_seconds_max: Option<u16> = None, Kind::Or("none", &Kind::Seconds { min: 1, max: 65_535 }), Live;

        /// Whether clients may publish retained messages.
        retain_available: bool = true, Kind::Flag, Live;

        /// Whether filters may hold `+` and `#`.
        wildcard_subscriptions_available: bool = true, Kind::Flag, Live;

        /// Whether clients may subscribe to `$share/group/filter`.
        shared_subscriptions_available: bool = true, Kind::Flag, Live;

        /// Whether clients may give Subscription Identifiers.
        subscription_ids_available: bool = true, Kind::Flag, Live;

        /// What a client of MQTT 3.1 or 3.1.1 gets for a PUBLISH that it may not make; these versions cannot be told.
        denied_v3_publish: DeniedV3Publish = DeniedV3Publish::Acknowledge, Kind::Choice(DeniedV3Publish::NAMES), Live;

        /// A client that asks for Response Information gets this followed by its client identifier; empty: none.
        response_information_prefix: Option<String> = None, Kind::Or("", &Kind::Text), Live;

        /// Whether a client that has more than `limits.receive_maximum` messages unacknowledged is disconnected with
        /// 0x93, as the standard says. If not, it is served and counted.
        receive_maximum_strict: bool = true, Kind::Flag, Live;

        /// Whether a payload that is marked as UTF-8 is checked, and refused with 0x99 if it is not.
        payload_format_check: bool = false, Kind::Flag, Live;

        /// Whether control characters (U+0001 to U+001F, U+007F to U+009F) and non-characters in texts are refused.
        reject_control_characters: bool = false, Kind::Flag, Live;
    }
}
