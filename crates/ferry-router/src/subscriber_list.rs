//! The subscribers of one filter.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;

/// Up to this many subscribers are searched one by one; above, a table of positions is kept.
const SEARCHED_MAX: usize = 16;

/// The subscribers of one filter: none and one (by far the most) need no allocation; many are kept
/// dense, so that visiting them is a walk over one slice.
#[derive(Default)]
pub(crate) enum SubscriberList<K, V> {
    #[default]
    Empty,
    One(K, V),
    Many(Box<Many<K, V>>),
}

pub(crate) struct Many<K, V> {
    entries: Vec<(K, V)>,
    /// Where each key is in `entries`; empty while there are at most [`SEARCHED_MAX`].
    positions: HashTable<u32>,
}

impl<K: Copy + Eq + Hash, V> SubscriberList<K, V> {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Adds the subscriber or replaces its value; the old value is returned.
    pub(crate) fn insert(&mut self, key: K, value: V, hasher: &impl BuildHasher) -> Option<V> {
        match self {
            Self::Empty => {
                *self = Self::One(key, value);
                None
            }
            Self::One(first, old) if *first == key => Some(std::mem::replace(old, value)),
            Self::One(..) => {
                let Self::One(first, first_value) = std::mem::take(self) else { return None };
                let entries = vec![(first, first_value), (key, value)];
                *self = Self::Many(Box::new(Many { entries, positions: HashTable::new() }));
                None
            }
            Self::Many(many) => many.insert(key, value, hasher),
        }
    }

    pub(crate) fn remove(&mut self, key: K, hasher: &impl BuildHasher) -> Option<V> {
        match self {
            Self::One(only, _) if *only == key => match std::mem::take(self) {
                Self::One(_, value) => Some(value),
                Self::Empty | Self::Many(_) => None,
            },
            Self::Empty | Self::One(..) => None,
            Self::Many(many) => {
                let value = many.remove(key, hasher)?;
                if many.entries.len() == 1 {
                    let (key, value) = many.entries.pop()?;
                    *self = Self::One(key, value);
                }
                Some(value)
            }
        }
    }

    pub(crate) fn get(&self, key: K, hasher: &impl BuildHasher) -> Option<&V> {
        match self {
            Self::One(only, value) if *only == key => Some(value),
            Self::Empty | Self::One(..) => None,
            Self::Many(many) => many.position(key, hasher).map(|position| &many.entries[position].1),
        }
    }

    pub(crate) fn for_each(&self, visit: &mut impl FnMut(K, &V)) {
        match self {
            Self::Empty => {}
            Self::One(key, value) => visit(*key, value),
            Self::Many(many) => many.entries.iter().for_each(|(key, value)| visit(*key, value)),
        }
    }

    /// Memory beyond the list itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Empty | Self::One(..) => 0,
            Self::Many(many) => {
                size_of::<Many<K, V>>()
                    + many.entries.capacity() * size_of::<(K, V)>()
                    + many.positions.capacity() * 6
            }
        }
    }
}

impl<K: Copy + Eq + Hash, V> Many<K, V> {
    fn insert(&mut self, key: K, value: V, hasher: &impl BuildHasher) -> Option<V> {
        if let Some(position) = self.position(key, hasher) {
            return Some(std::mem::replace(&mut self.entries[position].1, value));
        }
        self.entries.push((key, value));
        match self.entries.len() {
            ..=SEARCHED_MAX => {}
            len if self.positions.is_empty() => (0..len).for_each(|at| self.index(at, hasher)),
            len => self.index(len - 1, hasher),
        }
        None
    }

    fn remove(&mut self, key: K, hasher: &impl BuildHasher) -> Option<V> {
        let position = self.position(key, hasher)?;
        let last = self.entries.len() - 1;
        if !self.positions.is_empty() {
            self.forget(key, position, hasher);
            if position != last {
                self.forget(self.entries[last].0, last, hasher);
            }
        }
        let (_, value) = self.entries.swap_remove(position);
        if self.entries.len() <= SEARCHED_MAX {
            self.positions = HashTable::new();
        } else if position != last {
            self.index(position, hasher);
        }
        if self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(self.entries.len() * 2);
        }
        Some(value)
    }

    fn position(&self, key: K, hasher: &impl BuildHasher) -> Option<usize> {
        if self.positions.is_empty() {
            return self.entries.iter().position(|(other, _)| *other == key);
        }
        let is_it = |&at: &u32| self.entries[at as usize].0 == key;
        self.positions.find(hasher.hash_one(key), is_it).map(|&at| at as usize)
    }

    fn index(&mut self, position: usize, hasher: &impl BuildHasher) {
        let entries = &self.entries;
        let hash = hasher.hash_one(entries[position].0);
        self.positions.insert_unique(hash, position as u32, |&at| hasher.hash_one(entries[at as usize].0));
    }

    fn forget(&mut self, key: K, position: usize, hasher: &impl BuildHasher) {
        if let Ok(entry) = self.positions.find_entry(hasher.hash_one(key), |&at| at as usize == position) {
            entry.remove();
        }
    }
}
