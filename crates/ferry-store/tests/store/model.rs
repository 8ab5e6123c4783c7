//! What a log must hold, in a few lines.

use std::collections::{BTreeMap, BTreeSet};

use ferry_store::{Batch, Disk, Entry, Key, Log};

/// What each key has: its value, what it refers to, and whether it goes with the last reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) values: BTreeMap<Key, Stored>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) value: Vec<u8>,
    pub(crate) refers_to: Option<Key>,
    pub(crate) is_shared: bool,
}

impl Model {
    /// The batches as one group.
    pub(crate) fn append(&mut self, batches: &[Batch]) {
        for entry in batches.iter().flat_map(Batch::entries) {
            let stored =
                |value: &[u8], refers_to, is_shared| Stored { value: value.to_vec(), refers_to, is_shared };
            match entry {
                Entry::Put { key, value } => drop(self.values.insert(key, stored(value, None, false))),
                Entry::PutShared { key, value } => drop(self.values.insert(key, stored(value, None, true))),
                Entry::PutReferring { key, shared, value } => {
                    self.values.insert(key, stored(value, Some(shared), false));
                }
                Entry::Delete { key } => drop(self.values.remove(&key)),
                Entry::DeleteGroup { group } => self.values.retain(|key, _| key.group != group),
            }
        }
        let referred: BTreeSet<Key> = self.values.values().filter_map(|stored| stored.refers_to).collect();
        self.values.retain(|key, stored| !stored.is_shared || referred.contains(key));
    }

    /// What a log holds, read value by value. What is shared cannot be seen there, and counts as it is here.
    pub(crate) fn of<D: Disk>(log: &mut Log<D>) -> Result<Self, String> {
        let mut values = BTreeMap::new();
        let mut referred = BTreeMap::new();
        let mut last = None;
        log.visit(&mut |stored| {
            if last.replace(stored.key) >= Some(stored.key) {
                return Err(format!("{} is out of order", stored.key));
            }
            let mut value = Vec::new();
            stored.read(&mut value).map_err(|error| format!("{}: {error}", stored.key))?;
            if let Some(shared) = stored.shared {
                let mut value = Vec::new();
                let is_there =
                    stored.read_shared(&mut value).map_err(|error| format!("{shared}: {error}"))?;
                if !is_there {
                    return Err(format!("{} refers to {shared}, which is not there", stored.key));
                }
                *referred.entry(shared).or_insert(0) += 1;
            }
            values.insert(stored.key, Stored { value, refers_to: stored.shared, is_shared: false });
            Ok(())
        })?;
        for (key, references) in &referred {
            if log.references(*key) != *references {
                return Err(format!("{key} has {} references, not {references}", log.references(*key)));
            }
        }
        let figures = log.figures();
        if figures.live_records != values.len() as u64 || figures.live_bytes > figures.total_bytes {
            return Err(format!("{} values, but {figures:?}", values.len()));
        }
        Ok(Self { values })
    }

    /// The same, without what cannot be seen in a log.
    pub(crate) fn visible(&self) -> Self {
        let mut visible = self.clone();
        visible.values.values_mut().for_each(|stored| stored.is_shared = false);
        visible
    }
}
