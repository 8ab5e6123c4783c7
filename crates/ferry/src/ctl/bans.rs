//! `ferry ctl bans`.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::confirmation::Confirmation;
use super::failure::Failure;
use super::http::{Api, encoded};
use super::pages;
use super::print::{Printer, moment, text};

/// What to do with bans.
#[derive(Debug, Subcommand)]
pub(super) enum BansAct {
    /// Who may not connect, until when and why
    List {
        /// Show so many at most
        #[arg(long, value_name = "NUMBER", default_value = "1000")]
        limit: usize,
    },
    /// Keep somebody from connecting, and end the connections of those whom it is about
    Add {
        #[command(flatten)]
        about: About,
        /// How long: seconds, or such as 90s, 10m, 12h, 7d [default: until it is removed]
        #[arg(long = "for", value_name = "TIME", value_parser = seconds_of, conflicts_with = "until")]
        seconds: Option<u64>,
        /// When it ends, in UTC, such as 2026-12-31T18:00:00Z
        #[arg(long, value_name = "TIME", value_parser = seconds_until)]
        until: Option<u64>,
        /// Words for the log; clients are not told
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Lift the ban of exactly these; the configuration's are changed there
    Remove {
        #[command(flatten)]
        about: About,
    },
}

/// Whom a ban is about: whoever fits all that is named.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct About {
    /// Connections from this address, or network such as 192.0.2.0/24
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// Clients that give this user name
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Clients that give this client identifier
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
}

impl About {
    fn members(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let members = [("address", &self.address), ("user", &self.user), ("client_id", &self.client_id)];
        members.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)))
    }
}

pub(super) fn bans(
    api: &Api,
    printer: Printer,
    confirmation: Confirmation,
    act: &BansAct,
) -> Result<(), Failure> {
    match act {
        BansAct::List { limit } => {
            let titles = ["ADDRESS", "USER", "CLIENT", "UNTIL", "BY", "REASON"];
            printer.list(&pages(api, "/bans", &[], *limit)?, &titles, |ban| {
                let [address, user, client_id, origin, reason] =
                    ["address", "user", "client_id", "origin", "reason"].map(|name| text(&ban[name]));
                vec![address, user, client_id, moment(&ban["until_milliseconds"]), origin, reason]
            })
        }
        BansAct::Add { about, seconds, until, reason } => {
            let mut body = json!({});
            for (name, value) in about.members() {
                body[name] = value.clone().into();
            }
            if let Some(reason) = reason {
                body["reason"] = reason.clone().into();
            }
            if let Some(seconds) = seconds.or(*until) {
                body["seconds"] = seconds.into();
            }
            let answer = api.post("/bans", &body)?;
            let disconnected = match answer["disconnected"].as_u64() {
                Some(0) | None => String::new(),
                Some(count) => count.to_string(),
            };
            printer.members(&answer, &[("done", text(&answer["done"])), ("disconnected", disconnected)])
        }
        BansAct::Remove { about } => {
            let named: Vec<String> = about.members().map(|(name, value)| format!("{name} {value}")).collect();
            confirmation.ask(&format!("Lift the ban of {}?", named.join(", ")))?;
            let query: Vec<String> =
                about.members().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
            let answer: Value = api.delete(&format!("/bans?{}", query.join("&")))?;
            printer.done(&answer)
        }
    }
}

/// Seconds from now to a time such as `2026-12-31T18:00:00Z`.
fn seconds_until(text: &str) -> Result<u64, String> {
    let until: Timestamp = text.parse().map_err(|_| "write such as 2026-12-31T18:00:00Z".to_owned())?;
    let seconds = until.as_second() - Timestamp::now().as_second();
    u64::try_from(seconds)
        .ok()
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| "this time has passed".to_owned())
}

/// Seconds of a text such as `90`, `10m` or `7d`.
fn seconds_of(text: &str) -> Result<u64, String> {
    let (number, unit) =
        text.split_at(text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()).len());
    let unit: u64 = match unit {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("write seconds, or such as 90s, 10m, 12h, 7d".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write seconds, or such as 90s, 10m, 12h, 7d".to_owned())?;
    number.checked_mul(unit).filter(|seconds| *seconds > 0).ok_or_else(|| "too much or nothing".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, seconds) in
            [("90", 90), ("90s", 90), ("10m", 600), ("10min", 600), ("12h", 43_200), ("7d", 604_800)]
        {
            assert_eq!(seconds_of(text), Ok(seconds), "{text}");
        }
        assert!(seconds_until("2999-12-31T00:00:00Z").is_ok_and(|seconds| seconds > 1_000_000_000));
        assert!(seconds_until("2001-01-01T00:00:00Z").is_err() && seconds_until("tomorrow").is_err());
        for wrong in ["", "0", "m", "1.5h", "-1", "7w", "999999999999999999d"] {
            assert!(seconds_of(wrong).is_err(), "{wrong}");
        }
    }
}
