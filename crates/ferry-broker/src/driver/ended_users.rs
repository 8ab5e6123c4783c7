use std::collections::{BTreeMap, HashMap, HashSet};

/// Users that are not there any more, or have another password: what was begun to be judged about them before does not
/// hold. Only those are remembered whom a judgement under way may be about.
#[derive(Debug, Default)]
pub(super) struct EndedUsers {
    /// How often users have been ended.
    changes: u64,
    /// With the number of the last change that ended them.
    ended: HashMap<Box<str>, u64>,
    /// Judgements under way, by the number of changes when they began.
    under_way: BTreeMap<u64, usize>,
}

/// A judgement under way.
#[derive(Debug)]
pub(super) struct BegunAt(u64);

impl EndedUsers {
    /// Somebody begins to be judged; [`Self::holds`] is to be asked when that is done.
    pub(super) fn begin(&mut self) -> BegunAt {
        *self.under_way.entry(self.changes).or_default() += 1;
        BegunAt(self.changes)
    }

    /// These users are ended.
    pub(super) fn end(&mut self, users: &HashSet<Box<str>>) {
        self.changes += 1;
        if !self.under_way.is_empty() {
            self.ended.extend(users.iter().map(|user| (user.clone(), self.changes)));
        }
    }

    /// A judgement is done: whether it still holds if it is about this user.
    pub(super) fn holds(&mut self, BegunAt(begun_at): BegunAt, user_name: Option<&str>) -> bool {
        let ended_at = user_name.and_then(|user_name| self.ended.get(user_name).copied());
        if let Some(count) = self.under_way.get_mut(&begun_at) {
            *count -= 1;
            if *count == 0 {
                self.under_way.remove(&begun_at);
                self.forget();
            }
        }
        ended_at.is_none_or(|ended_at| ended_at <= begun_at)
    }

    fn forget(&mut self) {
        match self.under_way.first_key_value() {
            None => self.ended = HashMap::new(),
            Some((oldest, _)) => self.ended.retain(|_, ended_at| *ended_at > *oldest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(names: &[&str]) -> HashSet<Box<str>> {
        names.iter().map(|name| (*name).into()).collect()
    }

    #[test]
    fn what_began_before_the_end_of_a_user_does_not_hold() {
        let mut ended = EndedUsers::default();
        let before = [ended.begin(), ended.begin(), ended.begin()];
        ended.end(&users(&["ada"]));
        let between = ended.begin();
        ended.end(&users(&["ben"]));
        let after = [ended.begin(), ended.begin()];
        let held = before.into_iter().zip([Some("ada"), Some("ben"), Some("cid")]);
        assert_eq!(
            held.map(|(begun, user)| ended.holds(begun, user)).collect::<Vec<_>>(),
            [false, false, true]
        );
        assert!(ended.holds(between, Some("ada")), "it began after that");
        let held = after.into_iter().zip([Some("ben"), None]);
        assert_eq!(held.map(|(begun, user)| ended.holds(begun, user)).collect::<Vec<_>>(), [true, true]);
    }

    #[test]
    fn nobody_is_remembered_for_longer_than_somebody_is_judged() {
        let mut ended = EndedUsers::default();
        ended.end(&users(&["ada"]));
        assert!(ended.ended.is_empty(), "nobody is judged");
        let first = ended.begin();
        ended.end(&users(&["ada", "ben"]));
        let second = ended.begin();
        ended.end(&users(&["ben", "cid"]));
        assert_eq!(ended.ended.len(), 3);
        assert!(!ended.holds(first, Some("ada")));
        assert_eq!(ended.ended.len(), 2, "{ended:?}");
        assert!(!ended.holds(second, Some("cid")));
        assert!(ended.ended.is_empty() && ended.under_way.is_empty());
    }
}
