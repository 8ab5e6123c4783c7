//! Checking what Kerberos tickets are judged by.

use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use super::Config;
use super::authentication::Authentication;
use super::file_access::FileUse;
use super::option::Field;
use super::problem::{Place, Problem};
use super::value::Setting;

const KEYTAB: &str = "authentication.kerberos_keytab_file";
const SERVICE: &str = "authentication.kerberos_service";
const HOST: &str = "authentication.kerberos_host";

/// Where the library of Kerberos learns which keytab it is to use.
const VARIABLE: &str = "KRB5_KTNAME";

/// What every keytab begins with: version 2 of its format.
const KEYTAB_VERSION: [u8; 2] = [5, 2];

/// The name of a Kerberos realm, such as `EXAMPLE.COM`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realm(pub String);

impl FromStr for Realm {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_wrong = |character: char| {
            character.is_control() || character.is_whitespace() || "@/\\".contains(character)
        };
        if text.is_empty() || text.contains(is_wrong) {
            return Err("not a realm; it is what a principal has behind its @");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Field for Realm {
    fn from_setting(setting: Setting) -> Option<Self> {
        String::from_setting(setting)?.parse().ok()
    }

    fn to_setting(&self) -> Setting {
        Setting::Text(self.to_string())
    }
}

impl Config {
    /// What the environment of the process must be for the keytab of this configuration to be used, if `environment`, which it has,
    /// says something else. The library looks nowhere else, and a program cannot change its environment while it runs.
    #[must_use]
    pub fn kerberos_environment(&self, environment: &[(String, String)]) -> Option<(&'static str, OsString)> {
        let wanted = keytab_name(self.authentication.kerberos_keytab_file.as_deref()?);
        let is_there = environment.iter().any(|(name, value)| name == VARIABLE && **value == *wanted);
        (!is_there).then_some((VARIABLE, wanted))
    }
}

/// The name by which the library knows a file.
fn keytab_name(path: &Path) -> OsString {
    let mut name = OsString::from("FILE:");
    name.push(path);
    name
}

/// Checks the keytab, if there is one, and what tickets must be for; what is doubtful goes to `warnings`. `place_of` says where an
/// option was set.
pub(super) fn check_keytab(
    authentication: &Authentication,
    place_of: &dyn Fn(&str) -> Place,
    warnings: &mut Vec<Problem>,
) -> Result<(), Problem> {
    let Some(path) = &authentication.kerberos_keytab_file else { return Ok(()) };
    let problem = |option: &str, message: String, remedy: &str| Problem {
        place: place_of(option),
        option: option.to_owned(),
        message,
        remedy: remedy.to_owned(),
    };
    if !cfg!(feature = "kerberos") {
        let remedy = "build it with `cargo build --release --features kerberos`, which needs the library of MIT Kerberos";
        return Err(problem(KEYTAB, "this program is built without Kerberos".to_owned(), remedy));
    }
    for (option, text) in
        [(SERVICE, Some(&authentication.kerberos_service)), (HOST, authentication.kerberos_host.as_ref())]
    {
        if text.is_some_and(|text| text.is_empty() || text.contains(['/', '@', '\\', '\0'])) {
            let message = "it is one part of a principal".to_owned();
            let remedy = "of mqtt/broker.example@EXAMPLE.COM the service is \"mqtt\" and the host is \"broker.example\"";
            return Err(problem(option, message, remedy));
        }
    }
    let mut version = [0; KEYTAB_VERSION.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut version));
    let message = match read {
        Ok(()) if version == KEYTAB_VERSION => {
            warnings.extend(FileUse::Secret.warning(path, KEYTAB));
            return Ok(());
        }
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            format!("it cannot be read: {error}")
        }
        Ok(()) | Err(_) => "it is no keytab".to_owned(),
    };
    let remedy =
        "make it with `kadmin -q \"ktadd -k FILE mqtt/HOST\"`, and check the path and its permissions";
    Err(problem(KEYTAB, message, remedy))
}

/// What tickets are judged by, if there is a keytab, with a key in it.
///
/// # Errors
/// There is no key for the service, or the library would look for it elsewhere.
#[cfg(feature = "kerberos")]
pub(crate) fn kerberos_rules(
    authentication: &Authentication,
) -> Result<Option<ferry_auth::KerberosRules>, Problem> {
    let Some(path) = &authentication.kerberos_keytab_file else { return Ok(None) };
    let problem = |message: String, remedy: String| Problem {
        place: Place::WholeFile(path.display().to_string()),
        option: KEYTAB.to_owned(),
        message,
        remedy,
    };
    let wanted = keytab_name(path);
    let named = std::env::var_os(VARIABLE);
    if named.as_ref() != Some(&wanted) {
        let message = format!("the environment of this process does not say {VARIABLE}={}", wanted.display());
        return Err(problem(message, "start it with that; `ferry serve` does so by itself".to_owned()));
    }
    let realms = authentication.kerberos_realms.iter().map(|realm| Box::from(&*realm.0)).collect();
    let (service, host) = (&authentication.kerberos_service, authentication.kerberos_host.as_deref());
    let rules = ferry_auth::KerberosRules::new(service, host, realms);
    rules
        .check()
        .map_err(|words| problem(words, format!("`klist -k {}` shows whose keys it has", path.display())))?;
    Ok(Some(rules))
}
