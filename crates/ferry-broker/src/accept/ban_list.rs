use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use ferry_session::Timestamp;

use crate::config::{Ban, Network};

/// Bans at the same time.
pub(crate) const BANS_MAX: usize = 10_000;

/// There are as many bans as there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BanListFull;

impl std::fmt::Display for BanListFull {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "there are {BANS_MAX} bans already")
    }
}

impl std::error::Error for BanListFull {}

/// Who may not connect. Shared by all shards; costs nothing while there are no bans.
#[derive(Debug, Default)]
pub(crate) struct BanList {
    count: AtomicUsize,
    bans: RwLock<HashMap<Key, Vec<Entry>>>,
}

/// What a ban is found by: the most special of what it names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    ClientId(String),
    UserName(String),
    Network(Option<Network>),
}

/// Where a ban comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BanOrigin {
    /// The configuration, which alone can change it.
    Configuration,
    /// Too many connections, or too many that failed.
    Automatic,
    /// Somebody who runs the broker.
    Operator,
}

#[derive(Debug)]
struct Entry {
    ban: Ban,
    origin: BanOrigin,
}

impl Entry {
    fn is_configured(&self) -> bool {
        self.origin == BanOrigin::Configuration
    }
}

impl Key {
    fn of(ban: &Ban) -> Self {
        match (&ban.client_id, &ban.user_name) {
            (Some(client_id), _) => Self::ClientId(client_id.clone()),
            (None, Some(user_name)) => Self::UserName(user_name.clone()),
            (None, None) => Self::Network(ban.network),
        }
    }
}

impl BanList {
    /// Whether there is nobody to be looked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Why nobody may connect from this address, whoever it is.
    pub(crate) fn of_address(&self, now: Timestamp, address: IpAddr) -> Option<Ban> {
        if self.is_empty() {
            return None;
        }
        let bits = if address.to_canonical().is_ipv4() { 32 } else { 128 };
        (0..=bits).rev().find_map(|prefix_bits| {
            let key = Key::Network(Some(Network::new(address, prefix_bits)));
            self.find(&key, |ban| !ban.has_ended(now) && ban.fits(Some(address), None, None))
        })
    }

    /// Why this client may not connect, apart from bans of its address alone.
    pub(crate) fn of_client(
        &self,
        now: Timestamp,
        address: Option<IpAddr>,
        user_name: Option<&str>,
        client_id: &str,
    ) -> Option<Ban> {
        if self.is_empty() {
            return None;
        }
        let user_key = user_name.map(|name| Key::UserName(name.to_owned()));
        [Some(Key::ClientId(client_id.to_owned())), user_key].iter().flatten().find_map(|key| {
            self.find(key, |ban| !ban.has_ended(now) && ban.fits(address, user_name, Some(client_id)))
        })
    }

    /// Adds a ban, in the place of one about the same.
    pub(crate) fn add(&self, now: Timestamp, ban: Ban, origin: BanOrigin) -> Result<(), BanListFull> {
        self.change(|bans| {
            remove(bans, |entry| entry.ban.is_about_same(&ban) && !entry.is_configured());
            if len(bans) >= BANS_MAX {
                remove(bans, |entry| entry.ban.has_ended(now));
            }
            if len(bans) >= BANS_MAX {
                return Err(BanListFull);
            }
            bans.entry(Key::of(&ban)).or_default().push(Entry { ban, origin });
            Ok(())
        })
    }

    /// Ends the bans about the same that were not configured; whether there was one.
    pub(crate) fn lift(&self, about: &Ban) -> bool {
        self.change(|bans| remove(bans, |entry| entry.ban.is_about_same(about) && !entry.is_configured()))
    }

    /// The bans of the configuration, in the place of those it had before.
    pub(crate) fn configure(&self, configured: &[Ban]) {
        self.change(|bans| {
            remove(bans, Entry::is_configured);
            for ban in configured {
                let entry = Entry { ban: ban.clone(), origin: BanOrigin::Configuration };
                bans.entry(Key::of(ban)).or_default().push(entry);
            }
        });
    }

    /// The bans in force, in no particular order.
    pub(crate) fn all(&self, now: Timestamp) -> Vec<(Ban, BanOrigin)> {
        let bans = self.bans.read().unwrap_or_else(PoisonError::into_inner);
        let entries = bans.values().flatten().filter(|entry| !entry.ban.has_ended(now));
        entries.map(|entry| (entry.ban.clone(), entry.origin)).collect()
    }

    fn find(&self, key: &Key, fits: impl Fn(&Ban) -> bool) -> Option<Ban> {
        let bans = self.bans.read().unwrap_or_else(PoisonError::into_inner);
        bans.get(key)?.iter().map(|entry| &entry.ban).find(|ban| fits(ban)).cloned()
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<Key, Vec<Entry>>) -> T) -> T {
        let mut bans = self.bans.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut bans);
        self.count.store(len(&bans), Ordering::Relaxed);
        result
    }
}

fn len(bans: &HashMap<Key, Vec<Entry>>) -> usize {
    bans.values().map(Vec::len).sum()
}

/// Removes entries; whether there were any.
fn remove(bans: &mut HashMap<Key, Vec<Entry>>, is_unwanted: impl Fn(&Entry) -> bool) -> bool {
    let before = len(bans);
    bans.retain(|_, entries| {
        entries.retain(|entry| !is_unwanted(entry));
        !entries.is_empty()
    });
    len(bans) < before
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(text: &str) -> Ban {
        text.parse().expect("a ban")
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn a_ban_is_found_by_what_it_names_until_it_ends() {
        let bans = BanList::default();
        for text in ["address=192.0.2.0/24; until=1970-01-02", "user=u", "address=10.0.0.1; client_id=c"] {
            bans.add(NOW, ban(text), BanOrigin::Operator).expect("room");
        }
        assert!(bans.of_address(NOW, address("192.0.2.9")).is_some());
        assert!(bans.of_address(NOW, address("192.0.3.9")).is_none());
        assert!(bans.of_address(NOW, address("10.0.0.1")).is_none(), "only for one client");
        assert!(bans.of_client(NOW, Some(address("10.0.0.1")), None, "c").is_some());
        assert!(bans.of_client(NOW, Some(address("10.0.0.2")), None, "c").is_none());
        assert!(bans.of_client(NOW, None, Some("u"), "x").is_some());
        let later = Timestamp(86_400_000);
        assert!(bans.of_address(later, address("192.0.2.9")).is_none());
        assert_eq!((bans.all(NOW).len(), bans.all(later).len()), (3, 2));
    }

    #[test]
    fn the_configuration_changes_only_its_own() {
        let bans = BanList::default();
        bans.configure(&[ban("user=a"), ban("user=b")]);
        bans.add(NOW, ban("user=c"), BanOrigin::Automatic).expect("room");
        assert!(!bans.lift(&ban("user=a")));
        bans.configure(&[ban("user=b")]);
        assert!(bans.of_client(NOW, None, Some("a"), "").is_none());
        assert!(bans.of_client(NOW, None, Some("c"), "").is_some());
        assert!(bans.lift(&ban("user=c")));
        bans.configure(&[]);
        assert!(bans.is_empty());
    }

    #[test]
    fn there_are_only_so_many() {
        let bans = BanList::default();
        let numbered = |number: usize| ban(&format!("user={number}; until=1970-01-02"));
        let mut full = HashMap::new();
        for number in 0..BANS_MAX {
            let ban = numbered(number);
            full.insert(Key::of(&ban), vec![Entry { ban, origin: BanOrigin::Operator }]);
        }
        bans.change(|bans| *bans = full);
        assert_eq!(bans.add(NOW, numbered(0), BanOrigin::Operator), Ok(()), "in the place of another");
        assert_eq!(bans.add(NOW, ban("user=new"), BanOrigin::Operator), Err(BanListFull));
        assert_eq!(bans.add(Timestamp(86_400_000), ban("user=new"), BanOrigin::Operator), Ok(()));
        assert_eq!(bans.all(NOW).len(), 1);
    }
}
