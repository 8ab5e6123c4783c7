use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::{Credentials, Judgement, Link, Outcome, Verdict};

/// Takes the user that the process at the other end of a Unix socket runs as, which the kernel has told, for the user of
/// the client, whatever that says itself. Whoever came in another way, or has no rule, is left to the next judge.
#[derive(Debug)]
pub struct PeerLink {
    rules: Vec<PeerRule>,
    users: SystemUsers,
}

/// Which users of the machine are which users of the broker, as a text such as `user=backup backup-service`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRule {
    who: PeerWho,
    /// `None`: the name that the system has for it.
    user_name: Option<Box<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PeerWho {
    UserId(u32),
    User(Box<str>),
    /// A group that the user belongs to.
    Group(Box<str>),
}

/// The users and groups that a system has by its files.
#[derive(Clone, Debug, Default)]
pub struct SystemUsers {
    users: HashMap<u32, SystemUser>,
    groups: HashMap<Box<str>, SystemGroup>,
}

#[derive(Clone, Debug)]
struct SystemUser {
    name: Box<str>,
    group_id: u32,
}

#[derive(Clone, Debug)]
struct SystemGroup {
    id: u32,
    members: Vec<Box<str>>,
}

impl PeerLink {
    /// The first rule that fits decides; without any rule everybody has the name that the system knows.
    #[must_use]
    pub fn new(rules: Vec<PeerRule>, users: SystemUsers) -> Self {
        Self { rules, users }
    }

    /// The user of the broker that a user of the system is.
    fn user_of(&self, user_id: u32) -> Option<Box<str>> {
        let system_user = self.users.users.get(&user_id);
        let own_name = || system_user.map(|user| user.name.clone());
        if self.rules.is_empty() {
            return own_name();
        }
        let fits = |rule: &&PeerRule| match &rule.who {
            PeerWho::UserId(id) => *id == user_id,
            PeerWho::User(name) => system_user.is_some_and(|user| user.name == *name),
            PeerWho::Group(name) => system_user.is_some_and(|user| self.users.is_member(user, name)),
        };
        let rule = self.rules.iter().find(fits)?;
        rule.user_name.clone().or_else(own_name)
    }
}

impl Link for PeerLink {
    fn judge(&self, credentials: &Arc<Credentials>) -> Verdict<Judgement> {
        let user_name = credentials.peer_user_id.and_then(|user_id| self.user_of(user_id));
        Verdict::Now(match user_name {
            Some(name) => Judgement::Final(Outcome::Accept {
                user_name: Some(name),
                until_unix_seconds: None,
                grants: None,
            }),
            None => Judgement::Pass,
        })
    }
}

impl SystemUsers {
    /// From the texts of `/etc/passwd` and `/etc/group`; lines that are none are passed over.
    #[must_use]
    pub fn parse(passwd: &str, group: &str) -> Self {
        let user = |line: &str| {
            let mut fields = line.split(':');
            let (name, user_id, group_id) = (fields.next()?, fields.nth(1)?, fields.next()?);
            let user = SystemUser { name: name.into(), group_id: group_id.parse().ok()? };
            Some((user_id.parse().ok()?, user)).filter(|_| !name.is_empty())
        };
        let group_of = |line: &str| {
            let mut fields = line.split(':');
            let (name, id, members) = (fields.next()?, fields.nth(1)?, fields.next()?);
            let members = members.split(',').map(str::trim).filter(|name| !name.is_empty()).map(Into::into);
            let group = SystemGroup { id: id.parse().ok()?, members: members.collect() };
            Some((name.into(), group)).filter(|_| !name.is_empty())
        };
        let mut users = Self::default();
        for (id, user) in passwd.lines().filter_map(user) {
            // As the system does: the first line with a number has it.
            users.users.entry(id).or_insert(user);
        }
        for (name, group) in group.lines().filter_map(group_of) {
            users.groups.entry(name).or_insert(group);
        }
        users
    }

    fn is_member(&self, user: &SystemUser, group: &str) -> bool {
        let group = self.groups.get(group);
        group.is_some_and(|group| group.id == user.group_id || group.members.contains(&user.name))
    }
}

impl FromStr for PeerRule {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "not uid=NUMBER, user=NAME or group=NAME, with the name that it has here behind it if that is another";
        let (who, user_name) =
            text.trim().split_once(char::is_whitespace).map_or((text.trim(), ""), |(who, name)| (who, name));
        let who = match who.split_once('=') {
            Some(("uid", id)) => PeerWho::UserId(id.parse().map_err(|_| wrong)?),
            Some(("user", name)) if !name.is_empty() => PeerWho::User(name.into()),
            Some(("group", name)) if !name.is_empty() => PeerWho::Group(name.into()),
            _ => return Err(wrong),
        };
        let user_name = Some(user_name.trim()).filter(|name| !name.is_empty()).map(Into::into);
        Ok(Self { who, user_name })
    }
}

impl fmt::Display for PeerRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.who {
            PeerWho::UserId(id) => write!(formatter, "uid={id}")?,
            PeerWho::User(name) => write!(formatter, "user={name}")?,
            PeerWho::Group(name) => write!(formatter, "group={name}")?,
        }
        match &self.user_name {
            Some(name) => write!(formatter, " {name}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000::/srv/ada:/bin/sh\n\
                          ben:x:1001:50:,,,:/:/bin/false\nsecond:x:1000:9::/:/bin/sh\nbroken:x:nine:9\n\n";
    const GROUP: &str = "root:x:0:\nada:x:1000:\nplant:x:50:ada, carl\nempty:x:51:\n";

    fn user(rules: &[&str], user_id: Option<u32>) -> Option<Box<str>> {
        let rules = rules.iter().map(|rule| rule.parse().expect("a rule")).collect();
        let link = PeerLink::new(rules, SystemUsers::parse(PASSWD, GROUP));
        let credentials = Credentials {
            peer_user_id: user_id,
            user_name: Some("whoever".into()),
            ..Credentials::default()
        };
        match link.judge(&Arc::new(credentials)) {
            Verdict::Now(Judgement::Final(Outcome::Accept { user_name, .. })) => user_name,
            Verdict::Now(Judgement::Pass) => None,
            _ => panic!("it takes or passes"),
        }
    }

    #[test]
    fn without_rules_users_have_their_own_names() {
        assert_eq!(user(&[], Some(1000)).as_deref(), Some("ada"));
        assert_eq!((user(&[], Some(7)), user(&[], None)), (None, None));
    }

    #[test]
    fn the_first_rule_that_fits_decides_and_others_are_passed() {
        let rules = ["uid=0", "user=ada plant manager", "group=plant", "uid=4711 container", "group=empty x"];
        let name = |user_id| user(&rules, Some(user_id));
        assert_eq!(name(0).as_deref(), Some("root"));
        assert_eq!(name(1000).as_deref(), Some("plant manager"));
        // By its own group, and under its own name.
        assert_eq!(name(1001).as_deref(), Some("ben"));
        // The files need not know it.
        assert_eq!(name(4711).as_deref(), Some("container"));
        assert_eq!((name(7), user(&rules, None), user(&["group=root"], Some(1000))), (None, None, None));
        assert_eq!(user(&["group=plant x"], Some(1000)).as_deref(), Some("x"));
        // A number alone has no name of its own.
        assert_eq!(user(&["uid=4711"], Some(4711)), None);
    }

    #[test]
    fn rules_are_texts() {
        for text in ["uid=0", "user=ada plant manager", "group=plant x"] {
            assert_eq!(text.parse::<PeerRule>().expect("a rule").to_string(), text);
        }
        for wrong in ["", "ada", "uid=-1 x", "uid=x", "user=", "group= x", "gid=1 x"] {
            assert!(wrong.parse::<PeerRule>().is_err(), "{wrong:?}");
        }
    }
}
