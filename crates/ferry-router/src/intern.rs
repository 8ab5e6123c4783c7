//! Level strings as numbers.

use ahash::RandomState;
use smallvec::SmallVec;

use crate::arena::Arena;
use crate::id_table::IdTable;

/// One topic level's text, as a number: equal texts have equal symbols while either is in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Symbol(pub(crate) u32);

const _: () = assert!(size_of::<Level>() == 32);

/// Holds each distinct level string once, counted. A topic's levels are looked up once each,
/// whatever the number of trie nodes they are compared with, and `temperature` in a million
/// filters costs its text once.
pub(crate) struct Interner {
    levels: Arena<Level>,
    table: IdTable,
    hasher: RandomState,
}

/// Aligned so that it is in one cache line.
#[derive(Default)]
#[repr(align(32))]
struct Level {
    /// Most levels of real topics are short: up to 16 bytes need no allocation.
    text: SmallVec<[u8; 16]>,
    uses: u32,
}

impl Interner {
    pub(crate) fn new(hasher: RandomState) -> Self {
        Self { levels: Arena::new(), table: IdTable::new(), hasher }
    }

    /// By which a level is found, here and, with its parent, among the nodes.
    pub(crate) fn hash(&self, level: &[u8]) -> u64 {
        self.hasher.hash_one(level)
    }

    /// Whether a symbol stands for `level`.
    pub(crate) fn is(&self, symbol: Symbol, level: &[u8]) -> bool {
        self.levels[symbol.0].text.as_slice() == level
    }

    /// The symbol of `level`, made if new, with one more use. `hash` is that of the level.
    pub(crate) fn acquire(&mut self, level: &[u8], hash: u64) -> Symbol {
        if let Some(id) = self.table.find(hash, |id| self.is(Symbol(id), level)) {
            self.levels[id].uses += 1;
            return Symbol(id);
        }
        let id = self.levels.insert(Level { text: SmallVec::from_slice(level), uses: 1 });
        let (levels, hasher) = (&self.levels, &self.hasher);
        self.table.insert(hash, id, |id| hasher.hash_one(levels[id].text.as_slice()));
        Symbol(id)
    }

    /// Gives one use back; the last one frees the text.
    pub(crate) fn release(&mut self, symbol: Symbol) {
        let uses = &mut self.levels[symbol.0].uses;
        *uses -= 1;
        if *uses == 0 {
            let level = self.levels.remove(symbol.0);
            self.table.remove(self.hasher.hash_one(level.text.as_slice()), symbol.0);
        }
    }

    /// The first byte of the level's text, or 0.
    pub(crate) fn first_byte(&self, symbol: Symbol) -> u8 {
        self.levels[symbol.0].text.first().copied().unwrap_or_default()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.levels.len()
    }

    /// The level's text.
    pub(crate) fn text(&self, symbol: Symbol) -> &str {
        std::str::from_utf8(&self.levels[symbol.0].text).expect("it was copied from a string")
    }

    /// Without the texts longer than 16 bytes.
    pub(crate) fn bytes_estimate(&self) -> usize {
        self.levels.bytes_estimate() + self.table.bytes_estimate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acquire(interner: &mut Interner, level: &str) -> Symbol {
        interner.acquire(level.as_bytes(), interner.hash(level.as_bytes()))
    }

    #[test]
    fn texts_are_counted() {
        let mut interner = Interner::new(RandomState::with_seed(1));
        let long = "a level that is longer than sixteen bytes";
        let (first, second) = (acquire(&mut interner, "rooms"), acquire(&mut interner, long));
        assert_eq!(acquire(&mut interner, "rooms"), first);
        assert_ne!(first, second);
        interner.release(first);
        assert!(interner.is(first, b"rooms") && interner.is(second, long.as_bytes()));
        assert_eq!((interner.text(first), interner.len()), ("rooms", 2));
        interner.release(first);
        assert_eq!(interner.len(), 1);
        assert_eq!(interner.text(second), long);
        interner.release(second);
        assert_eq!(interner.len(), 0);
    }

    #[test]
    fn no_normalisation_and_empty_levels() {
        // Case and composed characters stay different [MQTT-4.7.3-4].
        let mut interner = Interner::new(RandomState::with_seed(1));
        let levels = ["", "A", "a", "\u{c4}", "A\u{308}", "\u{feff}a"];
        let symbols = levels.map(|level| acquire(&mut interner, level));
        for (i, symbol) in symbols.iter().enumerate() {
            assert!(!symbols[i + 1..].contains(symbol));
        }
    }
}
