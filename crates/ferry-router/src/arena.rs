//! Stable `u32` ids for values that come and go.

/// No value has this id.
pub(crate) const NONE: u32 = u32::MAX;

const CHUNK_SHIFT: u32 = 11;
const CHUNK_LEN: usize = 1 << CHUNK_SHIFT;

/// Values in chunks of 2,048, addressed by id: few enough chunks that the list of them stays in the cache. It grows chunk
/// by chunk, so that growing never copies
/// what is there (no pause at the millionth subscription) and wastes no half-filled doubling.
/// A removed value leaves `T::default()` behind and its id is handed out again.
pub(crate) struct Arena<T> {
    chunks: Vec<Vec<T>>,
    free: Vec<u32>,
    len: usize,
}

impl<T: Default> Arena<T> {
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), free: Vec::new(), len: 0 }
    }

    pub(crate) fn insert(&mut self, value: T) -> u32 {
        self.len += 1;
        if let Some(id) = self.free.pop() {
            self[id] = value;
            return id;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_LEN) {
            self.chunks.push(Vec::with_capacity(CHUNK_LEN));
        }
        let id = ((self.chunks.len() - 1) << CHUNK_SHIFT) + self.chunks[self.chunks.len() - 1].len();
        assert!(id < NONE as usize, "an arena holds at most 2^32 - 1 values");
        self.chunks.last_mut().expect("pushed above if there was none").push(value);
        id as u32
    }

    pub(crate) fn remove(&mut self, id: u32) -> T {
        self.len -= 1;
        self.free.push(id);
        std::mem::take(&mut self[id])
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Visits every value, and the defaults that removed ones left behind.
    pub(crate) fn for_each(&self, visit: impl FnMut(&T)) {
        self.chunks.iter().flatten().for_each(visit);
    }

    /// Memory held by the chunks and the free list, without what the values point to.
    pub(crate) fn bytes_estimate(&self) -> usize {
        self.chunks.len() * (CHUNK_LEN * size_of::<T>() + size_of::<Vec<T>>())
            + self.free.capacity() * size_of::<u32>()
    }
}

impl<T> std::ops::Index<u32> for Arena<T> {
    type Output = T;

    fn index(&self, id: u32) -> &T {
        &self.chunks[(id >> CHUNK_SHIFT) as usize][id as usize & (CHUNK_LEN - 1)]
    }
}

impl<T> std::ops::IndexMut<u32> for Arena<T> {
    fn index_mut(&mut self, id: u32) -> &mut T {
        &mut self.chunks[(id >> CHUNK_SHIFT) as usize][id as usize & (CHUNK_LEN - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_reused() {
        let mut arena = Arena::new();
        let ids: Vec<u32> = (0..1000).map(|value| arena.insert(value)).collect();
        assert_eq!(arena.remove(ids[300]), 300);
        assert_eq!(arena.len(), 999);
        assert_eq!(arena.insert(7), ids[300]);
        assert_eq!((arena[ids[300]], arena[ids[999]]), (7, 999));
    }
}
