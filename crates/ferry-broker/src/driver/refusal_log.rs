use std::collections::BTreeMap;
use std::fmt;

use ferry_codec::ReasonCode;
use ferry_core::{RateScope, RefusedClient, SlowedClient};
use ferry_session::Timestamp;

use crate::from_config::rate_option;

/// After a refusal at `info`, others like it are at `debug` for so long.
const QUIET_SECONDS: u32 = 60;

/// Characters of a client identifier that the log shows.
const CLIENT_ID_CHARACTERS_MAX: usize = 64;

/// Explains in the log why clients were refused or disconnected: one line a minute for each kind, however many there
/// are, so that an operator sees what is wrong and nobody can fill a disk.
#[derive(Debug, Default)]
pub(crate) struct RefusalLog {
    kinds: BTreeMap<Kind, Quiet>,
}

/// Refusals that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// By the name of the counter.
    Named(&'static str),
    /// By the reason code, and whether the client was connected.
    ReasonCode(u8, bool),
}

#[derive(Debug)]
struct Quiet {
    until: Timestamp,
    /// Not at `info` since the last that was.
    unsaid: u64,
}

impl RefusalLog {
    /// A connection was refused before its CONNECT, or broke the rules of its transport; `name` is that of the counter.
    pub(crate) fn named(&mut self, now: Timestamp, name: &'static str, words: impl fmt::Display) {
        self.say(now, Kind::Named(name), format_args!("{words}"));
    }

    /// The core ends a connection.
    pub(crate) fn client(&mut self, now: Timestamp, refused: &RefusedClient) {
        let kind = Kind::ReasonCode(refused.reason_code.code(), refused.connected);
        self.say(now, kind, format_args!("{}", Words(refused)));
    }

    /// The core reads a client more slowly.
    pub(crate) fn slowed(&mut self, now: Timestamp, slowed: &SlowedClient) {
        let SlowedClient { listener, peer_address, client_id, scope, kind, .. } = slowed;
        let code = ReasonCode::MESSAGE_RATE_TOO_HIGH;
        let words = format_args!(
            "read more slowly: {peer_address} on {}, client {}: 0x{:02X} {}, {}",
            listener.name,
            ShownClientId(client_id),
            code.code(),
            code.name(),
            slowed_detail(slowed),
        );
        self.say(now, Kind::Named(rate_option(*scope, *kind)), words);
    }

    fn say(&mut self, now: Timestamp, kind: Kind, words: fmt::Arguments<'_>) {
        match self.unsaid_before(now, kind) {
            None => tracing::debug!("{words}"),
            Some(0) => tracing::info!("{words}"),
            Some(unsaid) => {
                tracing::info!("{words} (and {unsaid} more like this before; at debug each is shown)");
            }
        }
    }

    /// `None` if this one is to be quiet, otherwise how many before it were.
    fn unsaid_before(&mut self, now: Timestamp, kind: Kind) -> Option<u64> {
        let quiet = self.kinds.entry(kind).or_insert(Quiet { until: now, unsaid: 0 });
        if now < quiet.until {
            quiet.unsaid += 1;
            return None;
        }
        quiet.until = now.plus_seconds(QUIET_SECONDS);
        Some(std::mem::take(&mut quiet.unsaid))
    }
}

/// Why a client is read more slowly.
pub(super) fn slowed_detail(slowed: &SlowedClient) -> String {
    let SlowedClient { scope, kind, user_name, .. } = slowed;
    let user = match user_name {
        Some(user_name) if *scope == RateScope::User => format!(" {}", ShownClientId(user_name)),
        _ => String::new(),
    };
    format!("too many {kind} a second of its {scope}{user} ({})", rate_option(*scope, *kind))
}

/// A client identifier as the log shows it.
pub(super) struct ShownClientId<'a>(pub(super) &'a str);

impl fmt::Display for ShownClientId<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.0.chars().take(CLIENT_ID_CHARACTERS_MAX).collect();
        let more = if shown.len() < self.0.len() { "..." } else { "" };
        write!(formatter, "{shown:?}{more}")
    }
}

/// A refusal of the core as a line of text.
struct Words<'a>(&'a RefusedClient);

impl fmt::Display for Words<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RefusedClient {
            listener,
            peer_address,
            client_id,
            connected,
            reason_code,
            detail,
            taken_over_by,
        } = self.0;
        let verb = if *connected { "disconnected" } else { "refused" };
        write!(formatter, "{verb} {peer_address} on {}", listener.name)?;
        if let Some(client_id) = client_id {
            write!(formatter, ", client {}", ShownClientId(client_id))?;
        }
        write!(formatter, ": 0x{:02X} {}", reason_code.code(), reason_code.name())?;
        if !detail.is_empty() {
            write!(formatter, ", {}", detail.escape_debug())?;
        }
        if let Some(newcomer) = taken_over_by {
            write!(formatter, ": {newcomer}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ferry_codec::ReasonCode;

    use super::*;

    fn at(seconds: u32) -> Timestamp {
        Timestamp(0).plus_seconds(seconds)
    }

    #[test]
    fn one_of_a_kind_is_said_each_minute_and_the_others_are_told_of() {
        let mut log = RefusalLog::default();
        let kinds =
            [Kind::Named("tls_on_plain"), Kind::ReasonCode(0x85, false), Kind::ReasonCode(0x85, true)];
        for kind in kinds {
            assert_eq!(log.unsaid_before(at(1), kind), Some(0));
            assert_eq!(log.unsaid_before(at(1), kind), None);
            assert_eq!(log.unsaid_before(at(60), kind), None);
            assert_eq!(log.unsaid_before(at(61), kind), Some(2));
            assert_eq!(log.unsaid_before(at(200), kind), Some(0));
        }
    }

    #[test]
    fn a_line_holds_who_where_and_why_and_nothing_that_breaks_it() {
        let mut refused = RefusedClient {
            listener: Default::default(),
            peer_address: "192.0.2.7:50000".into(),
            client_id: Some("pump\n7".into()),
            connected: true,
            reason_code: ReasonCode::SESSION_TAKEN_OVER,
            detail: "why".into(),
            taken_over_by: Some("192.0.2.8:50001".into()),
        };
        let expected = format!(
            "disconnected 192.0.2.7:50000 on {}, client \"pump\\n7\": 0x8E Session taken over, why: 192.0.2.8:50001",
            refused.listener.name
        );
        assert_eq!(Words(&refused).to_string(), expected);
        refused.client_id = Some("é".repeat(1000).into());
        assert!(Words(&refused).to_string().len() < 250);
    }
}
