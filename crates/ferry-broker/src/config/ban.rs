//! `[[abuse.ban]]`: who may not connect.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ferry_session::Timestamp;

use super::network::Network;
use super::option::Field;
use super::value::{Raw, Setting, quote};

const DAY_SECONDS: i64 = 86_400;

/// Somebody who may not connect: whoever fits everything that is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ban {
    /// Whose address is one of these.
    pub network: Option<Network>,
    /// Who gives this user name.
    pub user_name: Option<String>,
    /// Who gives this client identifier.
    pub client_id: Option<String>,
    /// When it ends; `None`: not by itself.
    pub until: Option<Timestamp>,
    /// Words for the log; clients are not told.
    pub reason: String,
}

/// The keys of a `[[abuse.ban]]`, and of the text that says the same.
const KEYS: [&str; 5] = ["address", "user", "client_id", "until", "reason"];

impl Ban {
    /// Whether it is over.
    #[must_use]
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether it is about the same, whatever its end and its reason.
    #[must_use]
    pub fn is_about_same(&self, other: &Self) -> bool {
        (self.network, &self.user_name, &self.client_id)
            == (other.network, &other.user_name, &other.client_id)
    }

    /// Whether it holds for this client, of which `None` is not known.
    pub(crate) fn fits(&self, address: Option<IpAddr>, user: Option<&str>, client_id: Option<&str>) -> bool {
        self.network.is_none_or(|network| address.is_some_and(|address| network.contains(address)))
            && self.user_name.as_deref().is_none_or(|name| user == Some(name))
            && self.client_id.as_deref().is_none_or(|id| client_id == Some(id))
    }

    /// The text that says the same as the table.
    pub(super) fn text_of_table(entries: &[(String, Raw)]) -> Result<Raw, String> {
        if let Some((key, _)) = entries.iter().find(|(key, _)| !KEYS.contains(&&**key)) {
            return Err(format!("unknown key {}", quote(key)));
        }
        let mut text = String::new();
        for key in KEYS {
            match entries.iter().find(|(known, _)| known == key) {
                Some((_, Raw::Text(value))) => part(&mut text, key, value),
                Some(_) => return Err(format!("{} is not a text", quote(key))),
                None => {}
            }
        }
        Ok(Raw::Text(text))
    }
}

/// Adds `key=value`, with a `;` between two.
fn part(text: &mut String, key: &str, value: &str) {
    if !text.is_empty() {
        text.push_str("; ");
    }
    text.push_str(key);
    text.push('=');
    text.push_str(&value.replace('\\', "\\\\").replace(';', "\\;"));
}

/// The parts of a text: split at each `;` that has no `\` before it.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, parts.last_mut()) {
            ('\\', Some(part)) => part.extend(characters.next()),
            (';', _) => parts.push(String::new()),
            (_, Some(part)) => part.push(character),
            (_, None) => {}
        }
    }
    parts
}

impl FromStr for Ban {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut ban = Self::default();
        for part in parts(text) {
            let Some((key, value)) = part.split_once('=') else {
                return Err("no = between a key and its value".to_owned());
            };
            match key.trim_start() {
                "address" => ban.network = Some(value.parse()?),
                "user" => ban.user_name = Some(value.to_owned()),
                "client_id" => ban.client_id = Some(value.to_owned()),
                "until" => {
                    let until = parse_time(value);
                    ban.until = Some(until.ok_or("until is not a time such as 2026-12-31T18:00:00Z")?);
                }
                "reason" => value.clone_into(&mut ban.reason),
                key => return Err(format!("unknown key {}", quote(key))),
            }
        }
        if ban.is_about_same(&Self::default()) {
            return Err("neither address nor user nor client_id is named".to_owned());
        }
        Ok(ban)
    }
}

impl fmt::Display for Ban {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let network = self.network.map(|network| network.to_string());
        let until = self.until.map(|time| show_time(i64::try_from(time.0 / 1000).unwrap_or(i64::MAX)));
        let reason = (!self.reason.is_empty()).then_some(&self.reason);
        let values = [&network, &self.user_name, &self.client_id, &until, &reason.cloned()];
        for (key, value) in KEYS.into_iter().zip(values) {
            if let Some(value) = value {
                part(&mut text, key, value);
            }
        }
        formatter.write_str(&text)
    }
}

impl Field for Ban {
    fn from_setting(setting: Setting) -> Option<Self> {
        String::from_setting(setting)?.parse().ok()
    }

    fn to_setting(&self) -> Setting {
        Setting::Text(self.to_string())
    }
}

/// The time of `2026-12-31` or `2026-12-31T18:00:00Z`, in UTC (RFC 3339).
fn parse_time(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
    let numbers = |text: &str, separator: char| -> Option<[i64; 3]> {
        let parts: Vec<&str> = text.split(separator).collect();
        let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !parts.iter().all(is_number) {
            return None;
        }
        let numbers: Option<Vec<i64>> = parts.into_iter().map(|part| part.parse().ok()).collect();
        numbers?.try_into().ok()
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time.strip_suffix('Z')?, ':')?;
    let in_range = (1970..=9999).contains(&year) && hour < 24 && minute < 60 && second < 60;
    if !in_range || !(1..=12).contains(&month) {
        return None;
    }
    let days = days_since_1970(year, month, day);
    // A day that its month does not have is one of the next month.
    if date_of(days) != (year, month, day) {
        return None;
    }
    let seconds = days * DAY_SECONDS + hour * 3600 + minute * 60 + second;
    Some(Timestamp(u64::try_from(seconds).ok()? * 1000))
}

/// A time in seconds since 1970 as `2026-12-31T18:00:00Z`.
pub(crate) fn show_time(seconds: i64) -> String {
    let ((year, month, day), of_day) =
        (date_of(seconds.div_euclid(DAY_SECONDS)), seconds.rem_euclid(DAY_SECONDS));
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Days of the Gregorian calendar since 1970-01-01. Years begin in March here, so that a leap day is the last of its year,
/// and 400 of them have 146,097 days.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_since_1970`].
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_comes_back_from_its_text() {
        for text in [
            "address=192.0.2.0/24",
            "client_id=a\\; b\\\\=c",
            "address=2001:db8::/32; user=x; client_id=y; until=2026-12-31T18:00:00Z; reason=it floods",
        ] {
            assert_eq!(text.parse::<Ban>().expect("a ban").to_string(), text);
        }
        let ban: Ban = "client_id=a\\; b\\\\=c".parse().expect("a ban");
        assert_eq!(ban.client_id.as_deref(), Some("a; b\\=c"));
        for text in ["", "address", "reason=x", "address=x", "user=a; until=tomorrow", "name=x; user=a"] {
            assert!(text.parse::<Ban>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_ban_holds_for_whoever_fits_all_of_it() {
        let ban: Ban = "address=192.0.2.0/24; client_id=y".parse().expect("a ban");
        let inside = Some("192.0.2.7".parse().expect("an address"));
        assert!(ban.fits(inside, None, Some("y")));
        assert!(!ban.fits(inside, None, Some("x")) && !ban.fits(None, None, Some("y")));
        assert!(!ban.fits(inside, None, None));
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-12-31T18:00:00Z", 1_798_740_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
        ] {
            assert_eq!(parse_time(text), Some(Timestamp(seconds * 1000)), "{text}");
            assert_eq!(show_time(seconds as i64), text);
        }
        assert_eq!(parse_time("1970-01-02"), Some(Timestamp(86_400_000)));
        for text in
            ["2100-02-29", "2026-13-01", "2026-00-01", "2026-04-31", "1969-12-31", "2026-1-1T24:00:00Z"]
        {
            assert_eq!(parse_time(text), None, "{text}");
        }
        let _ = show_time(i64::MAX);
    }
}
