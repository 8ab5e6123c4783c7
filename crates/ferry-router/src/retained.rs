//! The retained message of each topic.

use std::collections::BTreeMap;
use std::collections::btree_map::{Entry, Range};
use std::hint::black_box;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ahash::RandomState;

use crate::retained_scan::{FilterScan, Step};

/// Topics are spread over this many maps, each behind its own lock.
const PARTITIONS: usize = 16;

/// Topics are counted by their first level in this many counters.
const FIRST_LEVELS: usize = 64;

/// A seek in the tree costs about as much as walking past this many topics.
const SEEK_STEPS: usize = 8;

/// A walk whose topics match one after the other reads so many of the next ones ahead.
const AHEAD_STEPS: usize = 16;

/// After so many topics that match: if most do not, reading their messages is a waste.
const STEPS_BEFORE_READING_AHEAD: usize = 8;

/// What is retained: usually an `Arc` of the message.
pub trait RetainedBody {
    /// Bytes that count against [`RetainedLimits::bytes_max`], without the topic that is the key.
    fn size_bytes(&self) -> usize;

    /// Whether it counts against [`RetainedLimits`] at all.
    fn is_limited(&self) -> bool {
        true
    }
}

/// Limits on all retained messages together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetainedLimits {
    /// How many topics may have a retained message.
    pub count_max: usize,
    /// Bytes of the messages, their topics and [`Retained::OVERHEAD_BYTES`] for each.
    pub bytes_max: usize,
}

/// Why a message was not retained; the topic keeps what it had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RetainedRefused {
    /// [`RetainedLimits::count_max`] is reached.
    Count,
    /// [`RetainedLimits::bytes_max`] would be exceeded.
    Bytes,
}

/// topic -> last retained message, shared by all shards.
///
/// Partitioned by topic hash, each part a B-tree in byte order of the topics: a wildcard lookup is
/// an ordered walk with jumps, so it can stop anywhere and go on after the topic it saw last,
/// whatever was set or cleared in between: a topic that stays is seen exactly once.
pub struct Retained<M> {
    partitions: Box<[Partition<M>]>,
    hasher: RandomState,
    /// How many topics there are, by the hash of their first level: most filters can match none at all, and need not
    /// look into any partition.
    first_levels: [AtomicUsize; FIRST_LEVELS],
    /// All messages.
    count: AtomicUsize,
    limited_count: AtomicUsize,
    limited_bytes: AtomicUsize,
}

type Topics<M> = BTreeMap<Arc<str>, M>;

type Partition<M> = Mutex<Topics<M>>;

/// Where a walk over retained messages stands. Hold it as long as you like.
#[derive(Clone, Debug, Default)]
pub struct RetainedCursor {
    partition: usize,
    position: Position,
}

impl RetainedCursor {
    /// As a text from which [`RetainedCursor::from_text`] makes it again.
    pub fn to_text(&self) -> String {
        match &self.position {
            Position::Start => format!("{}", self.partition),
            Position::After(topic) => format!("{}>{topic}", self.partition),
            Position::From(text) => format!("{}={text}", self.partition),
        }
    }

    /// `None` if the text is not that of a cursor.
    pub fn from_text(text: &str) -> Option<Self> {
        let end = text.find(['>', '=']).unwrap_or(text.len());
        let partition = text[..end].parse().ok().filter(|partition| *partition < PARTITIONS)?;
        let position = match text[end..].split_at_checked(1) {
            None => Position::Start,
            Some((">", topic)) => Position::After(topic.into()),
            Some((_, text)) => Position::From(text.into()),
        };
        Some(Self { partition, position })
    }
}

#[derive(Clone, Debug, Default)]
enum Position {
    #[default]
    Start,
    /// This topic has been seen.
    After(Box<str>),
    /// Nothing before this text can match.
    From(Box<str>),
}

impl<M: RetainedBody> Retained<M> {
    /// What a retained message costs beyond its topic and itself, approximately, in bytes.
    pub const OVERHEAD_BYTES: usize = 64;

    /// Nothing retained. `seed` keys the choice of partition.
    pub fn new(seed: u64) -> Self {
        Self {
            partitions: (0..PARTITIONS).map(|_| Mutex::new(BTreeMap::new())).collect(),
            hasher: RandomState::with_seeds(seed, !seed, seed.rotate_left(8), 0x8CB9_2BA7_2F3D_8DD7),
            first_levels: [const { AtomicUsize::new(0) }; FIRST_LEVELS],
            count: AtomicUsize::new(0),
            limited_count: AtomicUsize::new(0),
            limited_bytes: AtomicUsize::new(0),
        }
    }

    /// Retains `message` for `topic`; what it replaces is returned [MQTT-3.3.1-5].
    ///
    /// # Errors
    /// A limit is reached: nothing changes.
    pub fn set(
        &self,
        topic: impl AsRef<str> + Into<Arc<str>>,
        message: M,
        limits: &RetainedLimits,
    ) -> Result<Option<M>, RetainedRefused> {
        self.set_with(topic, message, limits, |_, _| {})
    }

    /// As [`Self::set`]; `adopt` gets the old message and the new one when nothing can go wrong any
    /// more, under the lock: what it writes down has the order in which the topic changes.
    ///
    /// The text of `topic` is kept as it is with the first message, so a message can share it.
    ///
    /// # Errors
    /// A limit is reached: nothing changes, and `adopt` is not called.
    pub fn set_with(
        &self,
        topic: impl AsRef<str> + Into<Arc<str>>,
        mut message: M,
        limits: &RetainedLimits,
        adopt: impl FnOnce(Option<&M>, &mut M),
    ) -> Result<Option<M>, RetainedRefused> {
        let mut messages = self.partition(topic.as_ref());
        let new = Room::of(topic.as_ref(), &message);
        // One search, however long the topics are that they have in common.
        match messages.entry(topic.into()) {
            Entry::Occupied(mut entry) => {
                self.make_room(Room::of(entry.key(), entry.get()), new, limits)?;
                adopt(Some(entry.get()), &mut message);
                Ok(Some(entry.insert(message)))
            }
            Entry::Vacant(entry) => {
                self.make_room(Room::default(), new, limits)?;
                self.count.fetch_add(1, Ordering::Relaxed);
                self.first_level(first_level(entry.key())).fetch_add(1, Ordering::SeqCst);
                fence(Ordering::SeqCst);
                adopt(None, &mut message);
                entry.insert(message);
                Ok(None)
            }
        }
    }

    /// Removes the topic's retained message; it is returned [MQTT-3.3.1-6].
    pub fn clear(&self, topic: &str) -> Option<M> {
        self.clear_with(topic, |_| {})
    }

    /// As [`Self::clear`]; `on_clear` gets the old message under the lock.
    pub fn clear_with(&self, topic: &str, on_clear: impl FnOnce(&M)) -> Option<M> {
        let mut messages = self.partition(topic);
        let old = messages.remove(topic)?;
        on_clear(&old);
        self.uncount(topic, &old);
        Some(old)
    }

    /// The topic's retained message.
    pub fn get(&self, topic: &str) -> Option<M>
    where
        M: Clone,
    {
        self.partition(topic).get(topic).cloned()
    }

    /// Goes on with the walk that `cursor` stands for: calls `visit` for the topics that match
    /// `filter`, looking at about `steps_max` topics, matching or not. Returns whether the walk is
    /// complete; if not, call again with the same filter and cursor.
    ///
    /// `visit` is called under a lock: it must not use this `Retained`, and be short.
    pub fn for_each_matching(
        &self,
        filter: &str,
        cursor: &mut RetainedCursor,
        steps_max: usize,
        mut visit: impl FnMut(&str, &M),
    ) -> bool {
        if self.is_without(first_level(filter)) {
            return true;
        }
        if !filter.contains(['+', '#']) {
            if let Some((topic, message)) = self.partition(filter).get_key_value(filter) {
                visit(topic, message);
            }
            return true;
        }
        let scan = FilterScan::new(filter);
        self.walk(cursor, steps_max, |messages, position, steps_left| {
            let mut walk = Walk::new(messages, position, scan.first_target());
            walk.run(&scan, steps_left, &mut visit)
        })
    }

    /// Goes on with a walk over all topics, `$` ones too: removes those whose message `is_over`, as
    /// expired ones are, looking at about `steps_max`. Returns whether the walk is complete. `is_over`
    /// is called under the lock of the topic.
    pub fn sweep(
        &self,
        cursor: &mut RetainedCursor,
        steps_max: usize,
        mut is_over: impl FnMut(&str, &M) -> bool,
    ) -> bool {
        self.walk(cursor, steps_max, |messages, position, steps_left| {
            let mut over: Vec<Box<str>> = Vec::new();
            let mut walk = Walk::new(messages, position, "");
            let position = walk.run_all(steps_left, &mut |topic, message| {
                if is_over(topic, message) {
                    over.push(topic.into());
                }
            });
            for topic in over {
                if let Some(message) = messages.remove(&*topic) {
                    self.uncount(&topic, &message);
                }
            }
            position
        })
    }

    /// Number of retained messages.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether nothing is retained.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the retained messages, as they count against [`RetainedLimits::bytes_max`].
    pub fn size_bytes(&self) -> usize {
        self.limited_bytes.load(Ordering::Relaxed)
    }

    /// Calls `chunk` with one partition after the other until the steps are used up; it returns
    /// where it stopped, or `None` if it came to the end of its partition.
    fn walk(
        &self,
        cursor: &mut RetainedCursor,
        steps_max: usize,
        mut chunk: impl FnMut(&mut Topics<M>, &Position, &mut usize) -> Option<Position>,
    ) -> bool {
        let mut steps_left = steps_max.max(1);
        while let Some(partition) = self.partitions.get(cursor.partition) {
            if steps_left == 0 {
                return false;
            }
            let mut messages = partition.lock().unwrap_or_else(PoisonError::into_inner);
            match chunk(&mut messages, &cursor.position, &mut steps_left) {
                Some(position) => cursor.position = position,
                None => *cursor = RetainedCursor { partition: cursor.partition + 1, ..Default::default() },
            }
        }
        true
    }

    /// Whether no topic begins with this level of a filter.
    fn is_without(&self, level: &str) -> bool {
        if level.starts_with(['+', '#']) {
            return false;
        }
        // Either the caller, who has subscribed before it asks, sees the topic here, or whoever retains for the topic sees
        // the subscription when it routes the message afterwards. Both sides need the fence for that.
        fence(Ordering::SeqCst);
        self.first_level(level).load(Ordering::SeqCst) == 0
    }

    fn first_level(&self, level: &str) -> &AtomicUsize {
        &self.first_levels[self.hasher.hash_one(level.as_bytes()) as usize % FIRST_LEVELS]
    }

    fn partition(&self, topic: &str) -> MutexGuard<'_, Topics<M>> {
        let hash = self.hasher.hash_one(topic.as_bytes());
        self.partitions[hash as usize % PARTITIONS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Turns the room of the `old` message into room for the `new` one, if there is as much.
    fn make_room(&self, old: Room, new: Room, limits: &RetainedLimits) -> Result<(), RetainedRefused> {
        let count_growth = new.count.saturating_sub(old.count);
        reserve(&self.limited_count, count_growth, limits.count_max).ok_or(RetainedRefused::Count)?;
        let bytes_growth = new.bytes.saturating_sub(old.bytes);
        if reserve(&self.limited_bytes, bytes_growth, limits.bytes_max).is_none() {
            self.limited_count.fetch_sub(count_growth, Ordering::Relaxed);
            return Err(RetainedRefused::Bytes);
        }
        self.limited_count.fetch_sub(old.count.saturating_sub(new.count), Ordering::Relaxed);
        self.limited_bytes.fetch_sub(old.bytes.saturating_sub(new.bytes), Ordering::Relaxed);
        Ok(())
    }

    fn uncount(&self, topic: &str, message: &M) {
        let Room { count, bytes } = Room::of(topic, message);
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.first_level(first_level(topic)).fetch_sub(1, Ordering::Relaxed);
        self.limited_count.fetch_sub(count, Ordering::Relaxed);
        self.limited_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What one message takes of what [`RetainedLimits`] allow.
#[derive(Clone, Copy, Default)]
struct Room {
    count: usize,
    bytes: usize,
}

impl Room {
    fn of<M: RetainedBody>(topic: &str, message: &M) -> Self {
        if !message.is_limited() {
            return Self::default();
        }
        let bytes = message.size_bytes() + topic.len() + Retained::<M>::OVERHEAD_BYTES;
        Self { count: 1, bytes }
    }
}

fn first_level(topic: &str) -> &str {
    topic.split_once('/').map_or(topic, |(first, _)| first)
}

/// Adds `amount` unless `max` would be exceeded.
fn reserve(total: &AtomicUsize, amount: usize, max: usize) -> Option<()> {
    let add = |old: usize| old.checked_add(amount).filter(|&new| amount == 0 || new <= max);
    total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok().map(|_| ())
}

/// A walk over one partition's topics in byte order.
struct Walk<'m, M> {
    messages: &'m Topics<M>,
    topics: Range<'m, Arc<str>, M>,
    /// So many of the next topics are not to be read ahead: they have been already, or it is not worth it yet.
    steps_until_reading_ahead: usize,
}

impl<'m, M: RetainedBody> Walk<'m, M> {
    fn new(messages: &'m Topics<M>, position: &Position, first_target: &str) -> Self {
        let lower = match position {
            Position::Start => Bound::Included(first_target),
            Position::After(topic) => Bound::Excluded(&**topic),
            Position::From(target) => Bound::Included(&**target),
        };
        let topics = messages.range::<str, _>((lower, Bound::Unbounded));
        Self { messages, topics, steps_until_reading_ahead: STEPS_BEFORE_READING_AHEAD }
    }

    /// Visits all topics; returns where it stopped for lack of steps, `None` at the end.
    fn run_all(&mut self, steps_left: &mut usize, visit: &mut impl FnMut(&str, &M)) -> Option<Position> {
        while let Some((topic, message)) = self.next() {
            visit(topic, message);
            *steps_left -= 1;
            if *steps_left == 0 {
                return Some(Position::After(topic.into()));
            }
        }
        None
    }

    /// As [`Self::run_all`], for the topics that match.
    fn run(
        &mut self,
        scan: &FilterScan<'_>,
        steps_left: &mut usize,
        visit: &mut impl FnMut(&str, &M),
    ) -> Option<Position> {
        let mut target = String::new();
        let mut next = self.next();
        while let Some((topic, message)) = next {
            if *steps_left == 0 {
                return Some(Position::From(topic.into()));
            }
            *steps_left -= 1;
            next = match scan.step(topic, &mut target) {
                Step::Match => {
                    visit(topic, message);
                    self.next()
                }
                Step::Next => {
                    self.steps_until_reading_ahead = STEPS_BEFORE_READING_AHEAD;
                    self.next()
                }
                Step::Seek => self.seek(&target, steps_left),
                Step::End => None,
            };
        }
        None
    }

    /// The first topic from `target` on: some topics are passed one by one, as it is often near.
    fn seek(&mut self, target: &str, steps_left: &mut usize) -> Option<(&'m str, &'m M)> {
        self.steps_until_reading_ahead = STEPS_BEFORE_READING_AHEAD;
        for _ in 0..SEEK_STEPS {
            let (topic, message) = self.next()?;
            if topic >= target {
                return Some((topic, message));
            }
        }
        *steps_left = steps_left.saturating_sub(1);
        self.topics = self.messages.range::<str, _>((Bound::Included(target), Bound::Unbounded));
        self.steps_until_reading_ahead = STEPS_BEFORE_READING_AHEAD;
        self.next()
    }

    fn next(&mut self) -> Option<(&'m str, &'m M)> {
        if self.steps_until_reading_ahead == 0 {
            self.read_ahead();
        }
        self.steps_until_reading_ahead -= 1;
        self.topics.next().map(|(topic, message)| (&**topic, message))
    }

    /// Topics and messages lie anywhere in memory. The processor fetches many of them together if nothing else is done in
    /// between; whoever visits them would wait for each one.
    fn read_ahead(&mut self) {
        let read = |(topic, message): (&Arc<str>, &M)| {
            usize::from(topic.as_bytes().first().copied().unwrap_or_default()) ^ message.size_bytes()
        };
        black_box(self.topics.clone().take(AHEAD_STEPS).map(read).fold(0, |all, one| all ^ one));
        self.steps_until_reading_ahead = AHEAD_STEPS;
    }
}
