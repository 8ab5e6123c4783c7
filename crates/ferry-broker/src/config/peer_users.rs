//! Reading who the users of this machine are.

use std::fs;

use ferry_auth::{PeerRule, SystemUsers};

use super::option::Field;
use super::value::Setting;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// The users and groups of this machine; nobody if the files cannot be read, as on a system without.
pub(crate) fn read_system_users() -> SystemUsers {
    let read =
        |path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    SystemUsers::parse(&read(PASSWD), &read(GROUP))
}

impl Field for PeerRule {
    fn from_setting(setting: Setting) -> Option<Self> {
        String::from_setting(setting)?.parse().ok()
    }

    fn to_setting(&self) -> Setting {
        Setting::Text(self.to_string())
    }
}
