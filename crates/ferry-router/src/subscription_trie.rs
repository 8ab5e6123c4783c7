//! Which subscribers' filters match a topic.

use std::hash::Hash;
use std::hint::black_box;

use ahash::RandomState;
use smallvec::SmallVec;

use crate::arena::{Arena, NONE};
use crate::id_table::IdTable;
use crate::intern::{Interner, Symbol};
use crate::subscriber_list::SubscriberList;

/// Something of each topic that is read ahead.
type Ahead<T> = SmallVec<[T; 32]>;

/// Where topics lead to more nodes than this, all that is read at a time would push out what was read before.
const AHEAD_NODES_MAX: usize = 256;

/// The node every wildcard filter starts from.
const ROOT: u32 = 0;

/// Names a filter of one [`SubscriptionTrie`], as long as somebody subscribes to it: four bytes for those who would
/// otherwise keep its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FilterId(u32);

impl FilterId {
    /// Set for filters with wildcards.
    const WILDCARD: u32 = 1 << 31;

    fn exact(id: u32) -> Self {
        assert!(id & Self::WILDCARD == 0, "fewer than 2^31 filters fit in memory");
        Self(id)
    }

    fn wildcard(list: u32) -> Self {
        Self(Self::exact(list).0 | Self::WILDCARD)
    }

    fn list(self) -> Option<u32> {
        (self.0 & Self::WILDCARD != 0).then_some(self.0 & !Self::WILDCARD)
    }
}

/// What [`SubscriptionTrie::subscribe`] did.
#[derive(Debug, PartialEq, Eq)]
pub struct Subscribed<V> {
    /// The filter.
    pub filter: FilterId,
    /// The value of the subscription that this one replaces [MQTT-3.8.4-3].
    pub replaced: Option<V>,
    /// Nobody had subscribed to this filter before: tell the route table.
    pub first_of_filter: bool,
}

/// What [`SubscriptionTrie::unsubscribe`] removed.
#[derive(Debug, PartialEq, Eq)]
pub struct Unsubscribed<V> {
    /// The value of the subscription.
    pub value: V,
    /// Nobody subscribes to this filter any more: tell the route table.
    pub last_of_filter: bool,
}

/// Topic filter -> subscribers (key and value), looked up by topic name.
///
/// Filters without wildcards are found by one hash lookup of the whole topic. The others form a trie
/// by level: the literal children of all nodes share one hash table keyed by node and level, the `+`
/// child is a field, and `#` is not a node but a second list of its parent, which is also what makes
/// `a/#` match `a`. Cost of a match: the nodes reached, at most two per node of the level before;
/// filters that do not match cost nothing. A subscription `fleet/<unique>/+` takes about 110 bytes.
pub struct SubscriptionTrie<K, V> {
    levels: Interner,
    nodes: Arena<Node>,
    children: IdTable,
    lists: Arena<WildcardFilter<K, V>>,
    exact_filters: Arena<ExactFilter<K, V>>,
    exact_table: IdTable,
    hasher: RandomState,
    subscription_count: usize,
    /// Another one with every change: for [`LastMatches`](crate::LastMatches).
    generation: u64,
}

#[derive(Clone, Copy)]
struct Node {
    parent: u32,
    /// What leads here from the parent; `None` for the `+` child (and the root).
    symbol: Option<Level>,
    /// Of that level's text: so neither growing the table of children nor passing one over reads texts.
    level_hash: u32,
    literal_children: u32,
    plus_child: u32,
    /// Who subscribed to the path to this node.
    list: u32,
    /// Who subscribed to the path to this node followed by `#`.
    hash_list: u32,
}

/// A [`Symbol`] with a niche, so that a [`Node`] is 28 bytes.
#[derive(Clone, Copy)]
struct Level(std::num::NonZeroU32);

impl Level {
    fn new(symbol: Symbol) -> Self {
        Self(std::num::NonZeroU32::MIN.saturating_add(symbol.0))
    }

    fn symbol(self) -> Symbol {
        Symbol(self.0.get() - 1)
    }
}

impl Default for Node {
    fn default() -> Self {
        Self {
            parent: NONE,
            symbol: None,
            level_hash: 0,
            literal_children: 0,
            plus_child: NONE,
            list: NONE,
            hash_list: NONE,
        }
    }
}

struct WildcardFilter<K, V> {
    subscribers: SubscriberList<K, V>,
    /// The node whose list it is.
    node: u32,
}

impl<K, V> Default for WildcardFilter<K, V> {
    fn default() -> Self {
        Self { subscribers: SubscriberList::Empty, node: NONE }
    }
}

struct ExactFilter<K, V> {
    text: Box<str>,
    subscribers: SubscriberList<K, V>,
}

impl<K, V> Default for ExactFilter<K, V> {
    fn default() -> Self {
        Self { text: Box::default(), subscribers: SubscriberList::Empty }
    }
}

impl<K: Copy + Eq + Hash, V> SubscriptionTrie<K, V> {
    /// An empty trie. `seed` keys the hash tables: take a random one in production, so that nobody
    /// can choose filters that collide.
    pub fn new(seed: u64) -> Self {
        let hasher = RandomState::with_seeds(seed, !seed, seed.rotate_left(32), 0x9E37_79B9_7F4A_7C15);
        let mut nodes = Arena::new();
        nodes.insert(Node::default());
        Self {
            levels: Interner::new(hasher.clone()),
            nodes,
            children: IdTable::new(),
            lists: Arena::new(),
            exact_filters: Arena::new(),
            exact_table: IdTable::new(),
            hasher,
            subscription_count: 0,
            generation: 1,
        }
    }

    /// Subscribes `key` to `filter`, or replaces the value if it already is [MQTT-3.8.4-3].
    /// The filter is used as it is, with no normalisation [MQTT-4.7.3-4] [MQTT3-4.7.3-4].
    pub fn subscribe(&mut self, filter: &str, key: K, value: V) -> Subscribed<V> {
        let (filter, list) = if has_wildcard(filter) {
            let list = self.create_path(filter);
            (FilterId::wildcard(list), &mut self.lists[list].subscribers)
        } else {
            let id = self.find_exact(filter).unwrap_or_else(|| self.create_exact(filter));
            (FilterId::exact(id), &mut self.exact_filters[id].subscribers)
        };
        let first_of_filter = list.is_empty();
        let replaced = list.insert(key, value, &self.hasher);
        self.generation += 1;
        self.subscription_count += usize::from(replaced.is_none());
        Subscribed { filter, replaced, first_of_filter }
    }

    /// The filter, compared character by character; `None`: nobody subscribes to it.
    pub fn find(&self, filter: &str) -> Option<FilterId> {
        if has_wildcard(filter) {
            self.find_list(filter).map(FilterId::wildcard)
        } else {
            self.find_exact(filter).map(FilterId::exact)
        }
    }

    /// Appends the text of a filter that somebody subscribes to.
    pub fn write_filter(&self, filter: FilterId, text: &mut String) {
        let Some(list) = filter.list() else {
            return text.push_str(&self.exact_filters[filter.0].text);
        };
        let id = self.lists[list].node;
        self.write_path(id, text);
        if self.nodes[id].hash_list == list {
            text.push_str(if id == ROOT { "#" } else { "/#" });
        }
    }

    /// The value of the subscription of `key` to a filter that somebody subscribes to.
    pub fn get(&self, filter: FilterId, key: K) -> Option<&V> {
        let subscribers = match filter.list() {
            Some(list) => &self.lists[list].subscribers,
            None => &self.exact_filters[filter.0].subscribers,
        };
        subscribers.get(key, &self.hasher)
    }

    /// Ends the subscription of `key` to exactly this filter, compared character by character
    /// [MQTT-3.10.4-1]. `None`: there was none.
    pub fn unsubscribe(&mut self, filter: &str, key: K) -> Option<Unsubscribed<V>> {
        self.unsubscribe_id(self.find(filter)?, key)
    }

    /// As [`Self::unsubscribe`], for a filter that somebody subscribes to.
    pub fn unsubscribe_id(&mut self, filter: FilterId, key: K) -> Option<Unsubscribed<V>> {
        let unsubscribed = match filter.list() {
            Some(list) => self.unsubscribe_wildcard(list, key),
            None => self.unsubscribe_exact(filter.0, key),
        }?;
        self.subscription_count -= 1;
        self.generation += 1;
        Some(unsubscribed)
    }

    /// Calls `visit` for each subscription whose filter matches `topic`; a key with several matching
    /// filters is visited once for each. No allocation, unless more than 16 paths are open at a time.
    ///
    /// `#` and `+` as the first level do not match a topic that starts with `$` [MQTT-4.7.2-1]
    /// [MQTT3-4.7.2-1].
    pub fn matches(&self, topic: &str, mut visit: impl FnMut(K, &V)) {
        if let Some(id) = self.find_exact(topic) {
            self.exact_filters[id].subscribers.for_each(&mut visit);
        }
        if self.lists.len() > 0 {
            self.match_wildcards(topic, &mut visit);
        }
    }

    /// Reads what [`Self::matches`] of these topics will read, so that it is near the processor then. One topic's parts
    /// are found one after the other, each by the one before, and for each the processor waits if the trie is large. Here it
    /// waits for those of all topics at a time: as many as there are instructions for in what it looks ahead, so each
    /// loop that reads from far away does nothing else.
    ///
    /// Of no use for more than some dozens of topics, or for few.
    pub fn read_ahead(&self, topics: &[&str]) {
        if self.exact_filters.len() > 0 {
            let hashes: Ahead<u64> =
                topics.iter().map(|topic| self.hasher.hash_one(topic.as_bytes())).collect();
            let ids: Ahead<u32> =
                hashes.iter().filter_map(|hash| self.exact_table.find(*hash, |_| true)).collect();
            let read = |id: &u32| {
                let exact = &self.exact_filters[*id];
                let first = exact.text.as_bytes().first().copied().unwrap_or_default();
                usize::from(first) ^ usize::from(exact.subscribers.is_empty())
            };
            // Or nothing would be read.
            black_box(ids.iter().map(read).fold(0, |all, one| all ^ one));
        }
        if self.lists.len() > 0 {
            self.read_wildcards_ahead(topics);
        }
    }

    fn read_wildcards_ahead(&self, topics: &[&str]) {
        let mut levels: Ahead<_> = topics.iter().map(|topic| levels(topic)).collect();
        // Topics, by number, and nodes that they lead to.
        let mut frontier: Ahead<(usize, u32)> = (0..topics.len()).map(|number| (number, ROOT)).collect();
        while (1..=AHEAD_NODES_MAX).contains(&frontier.len()) {
            let hashes: Ahead<Option<u32>> = levels
                .iter_mut()
                .map(|levels| levels.next().map(|level| short(self.levels.hash(level))))
                .collect();
            let mut next: Ahead<(usize, u32)> = SmallVec::new();
            let mut edges: Ahead<(usize, u64)> = SmallVec::new();
            for &(number, id) in &frontier {
                let node = &self.nodes[id];
                let Some(hash) = hashes[number] else { continue };
                if node.literal_children > 0 {
                    edges.push((number, edge_hash(&self.hasher, id, hash)));
                }
                if node.plus_child != NONE {
                    next.push((number, node.plus_child));
                }
            }
            for &(number, edge) in &edges {
                // Seldom another one than that of the level, which was read in vain then.
                if let Some(child) = self.children.find(edge, |_| true) {
                    next.push((number, child));
                }
            }
            let mut lists: Ahead<u32> = SmallVec::new();
            let mut symbols: Ahead<Symbol> = SmallVec::new();
            for &(_, id) in &next {
                let Node { symbol, list, hash_list, .. } = self.nodes[id];
                lists.extend([list, hash_list].into_iter().filter(|list| *list != NONE));
                symbols.extend(symbol.map(Level::symbol));
            }
            let read = |list: &u32| usize::from(self.lists[*list].subscribers.is_empty());
            black_box(lists.iter().map(read).fold(0, |all, one| all ^ one));
            let read = |symbol: &Symbol| self.levels.first_byte(*symbol);
            black_box(symbols.iter().map(read).fold(0, |all, one| all ^ one));
            frontier = next;
        }
    }

    /// Another number with every change of what [`Self::matches`] says, never 0.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Number of subscriptions: pairs of filter and key.
    pub fn len(&self) -> usize {
        self.subscription_count
    }

    /// Number of filters that somebody subscribes to.
    pub(crate) fn filter_count(&self) -> usize {
        self.exact_filters.len() + self.lists.len()
    }

    /// Whether there is no subscription.
    pub fn is_empty(&self) -> bool {
        self.subscription_count == 0
    }

    /// Memory in use, within some percent; takes time in proportion to the number of filters.
    pub fn bytes_estimate(&self) -> usize {
        const ALLOCATION_OVERHEAD_BYTES: usize = 16;
        let mut bytes = self.levels.bytes_estimate()
            + self.nodes.bytes_estimate()
            + self.children.bytes_estimate()
            + self.lists.bytes_estimate()
            + self.exact_filters.bytes_estimate()
            + self.exact_table.bytes_estimate();
        self.lists.for_each(|list| bytes += list.subscribers.heap_bytes());
        self.exact_filters.for_each(|exact| {
            bytes += exact.text.len() + ALLOCATION_OVERHEAD_BYTES + exact.subscribers.heap_bytes();
        });
        bytes
    }

    fn match_wildcards(&self, topic: &str, visit: &mut impl FnMut(K, &V)) {
        let mut frontier: SmallVec<[u32; 16]> = SmallVec::new();
        let mut next: SmallVec<[u32; 16]> = SmallVec::new();
        let mut wildcards_apply = !topic.starts_with('$');
        if wildcards_apply {
            self.visit_list(self.nodes[ROOT].hash_list, visit);
        }
        frontier.push(ROOT);
        for level in levels(topic) {
            let mut level_hash = None;
            for &id in &frontier {
                if self.nodes[id].literal_children > 0 {
                    let hash = *level_hash.get_or_insert_with(|| short(self.levels.hash(level)));
                    next.extend(self.find_child(id, level, hash));
                }
                if wildcards_apply && self.nodes[id].plus_child != NONE {
                    next.push(self.nodes[id].plus_child);
                }
            }
            wildcards_apply = true;
            std::mem::swap(&mut frontier, &mut next);
            next.clear();
            if frontier.is_empty() {
                return;
            }
            for &id in &frontier {
                self.visit_list(self.nodes[id].hash_list, visit);
            }
        }
        for &id in &frontier {
            self.visit_list(self.nodes[id].list, visit);
        }
    }

    fn visit_list(&self, list: u32, visit: &mut impl FnMut(K, &V)) {
        if list != NONE {
            self.lists[list].subscribers.for_each(visit);
        }
    }

    /// The child that `level`, of this hash, leads to.
    fn find_child(&self, parent: u32, level: &[u8], level_hash: u32) -> Option<u32> {
        self.children.find(edge_hash(&self.hasher, parent, level_hash), |id| {
            let node = &self.nodes[id];
            node.parent == parent
                && node.level_hash == level_hash
                && node.symbol.is_some_and(|known| self.levels.is(known.symbol(), level))
        })
    }

    /// The list of `filter`'s subscribers; nodes that are missing are made.
    fn create_path(&mut self, filter: &str) -> u32 {
        let (path, ends_with_hash) = split_hash(filter);
        let mut id = ROOT;
        for level in path.into_iter().flat_map(|path| path.split('/')) {
            id = if level == "+" { self.create_plus(id) } else { self.create_child(id, level) };
        }
        let node = self.nodes[id];
        let list = if ends_with_hash { node.hash_list } else { node.list };
        if list != NONE {
            return list;
        }
        let list = self.lists.insert(WildcardFilter { subscribers: SubscriberList::Empty, node: id });
        *self.list_field(id, ends_with_hash) = list;
        list
    }

    fn create_plus(&mut self, parent: u32) -> u32 {
        if self.nodes[parent].plus_child == NONE {
            let child = self.nodes.insert(Node { parent, ..Node::default() });
            self.nodes[parent].plus_child = child;
        }
        self.nodes[parent].plus_child
    }

    fn create_child(&mut self, parent: u32, level: &str) -> u32 {
        let hash = self.levels.hash(level.as_bytes());
        let level_hash = short(hash);
        if let Some(child) = self.find_child(parent, level.as_bytes(), level_hash) {
            return child;
        }
        let symbol = Some(Level::new(self.levels.acquire(level.as_bytes(), hash)));
        let child = self.nodes.insert(Node { parent, symbol, level_hash, ..Node::default() });
        self.nodes[parent].literal_children += 1;
        let (nodes, hasher) = (&self.nodes, &self.hasher);
        self.children.insert(edge_hash(hasher, parent, level_hash), child, |id| {
            edge_hash(hasher, nodes[id].parent, nodes[id].level_hash)
        });
        child
    }

    fn find_list(&self, filter: &str) -> Option<u32> {
        let (path, ends_with_hash) = split_hash(filter);
        let mut id = ROOT;
        for level in path.into_iter().flat_map(|path| path.split('/')) {
            id = match level {
                "+" => Some(self.nodes[id].plus_child).filter(|&child| child != NONE)?,
                literal => {
                    self.find_child(id, literal.as_bytes(), short(self.levels.hash(literal.as_bytes())))?
                }
            };
        }
        let node = &self.nodes[id];
        Some(if ends_with_hash { node.hash_list } else { node.list }).filter(|&list| list != NONE)
    }

    /// The levels that lead to a node.
    fn write_path(&self, id: u32, text: &mut String) {
        let mut path: SmallVec<[u32; 16]> = SmallVec::new();
        path.extend(
            std::iter::successors(Some(id), |&id| Some(self.nodes[id].parent)).take_while(|&id| id != ROOT),
        );
        for (index, &id) in path.iter().rev().enumerate() {
            if index > 0 {
                text.push('/');
            }
            match self.nodes[id].symbol {
                Some(level) => text.push_str(self.levels.text(level.symbol())),
                None => text.push('+'),
            }
        }
    }

    fn unsubscribe_wildcard(&mut self, list: u32, key: K) -> Option<Unsubscribed<V>> {
        let filter = &mut self.lists[list];
        let value = filter.subscribers.remove(key, &self.hasher)?;
        let last_of_filter = filter.subscribers.is_empty();
        if last_of_filter {
            let id = filter.node;
            let ends_with_hash = self.nodes[id].hash_list == list;
            self.lists.remove(list);
            *self.list_field(id, ends_with_hash) = NONE;
            self.prune(id);
        }
        Some(Unsubscribed { value, last_of_filter })
    }

    /// Removes the node, and its ancestors as far as they are needed no more.
    fn prune(&mut self, mut id: u32) {
        while id != ROOT {
            let node = self.nodes[id];
            let is_needed = node.literal_children > 0
                || node.plus_child != NONE
                || node.list != NONE
                || node.hash_list != NONE;
            if is_needed {
                return;
            }
            match node.symbol.map(Level::symbol) {
                None => self.nodes[node.parent].plus_child = NONE,
                Some(symbol) => {
                    self.children.remove(edge_hash(&self.hasher, node.parent, node.level_hash), id);
                    self.levels.release(symbol);
                    self.nodes[node.parent].literal_children -= 1;
                }
            }
            self.nodes.remove(id);
            id = node.parent;
        }
    }

    fn list_field(&mut self, id: u32, ends_with_hash: bool) -> &mut u32 {
        let node = &mut self.nodes[id];
        if ends_with_hash { &mut node.hash_list } else { &mut node.list }
    }

    fn find_exact(&self, filter: &str) -> Option<u32> {
        if self.exact_filters.len() == 0 {
            return None;
        }
        let hash = self.hasher.hash_one(filter.as_bytes());
        self.exact_table.find(hash, |id| *self.exact_filters[id].text == *filter)
    }

    fn create_exact(&mut self, filter: &str) -> u32 {
        let id = self
            .exact_filters
            .insert(ExactFilter { text: filter.into(), subscribers: SubscriberList::Empty });
        let (filters, hasher) = (&self.exact_filters, &self.hasher);
        self.exact_table.insert(hasher.hash_one(filter.as_bytes()), id, |id| {
            hasher.hash_one(filters[id].text.as_bytes())
        });
        id
    }

    fn unsubscribe_exact(&mut self, id: u32, key: K) -> Option<Unsubscribed<V>> {
        let value = self.exact_filters[id].subscribers.remove(key, &self.hasher)?;
        let last_of_filter = self.exact_filters[id].subscribers.is_empty();
        if last_of_filter {
            let removed = self.exact_filters.remove(id);
            self.exact_table.remove(self.hasher.hash_one(removed.text.as_bytes()), id);
        }
        Some(Unsubscribed { value, last_of_filter })
    }
}

fn has_wildcard(filter: &str) -> bool {
    filter.bytes().any(|byte| byte == b'+' || byte == b'#')
}

/// As bytes: a search that is fast for long texts takes longer for these.
pub(crate) fn levels(topic: &str) -> impl Iterator<Item = &[u8]> {
    topic.as_bytes().split(|byte| *byte == b'/')
}

/// The levels before a final `#` (none for `#` alone), and whether there is one.
fn split_hash(filter: &str) -> (Option<&str>, bool) {
    if filter == "#" {
        return (None, true);
    }
    match filter.strip_suffix("/#") {
        Some(path) => (Some(path), true),
        None => (Some(filter), false),
    }
}

/// What a node keeps of a level's hash. Texts that have it in common are told apart when they are compared.
fn short(level_hash: u64) -> u32 {
    (level_hash >> 32) as u32
}

fn edge_hash(hasher: &RandomState, parent: u32, level_hash: u32) -> u64 {
    hasher.hash_one(u64::from(parent) << 32 | u64::from(level_hash))
}
