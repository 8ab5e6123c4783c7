use std::collections::HashMap;
use std::hash::Hash;

use ahash::RandomState;
use ferry_core::Traffic;
use ferry_session::Timestamp;

/// Connections that are counted at the same time. When there are more, those with little traffic make room.
const CONNS_MAX: usize = 1_024;

/// How many of them stay then.
const CONNS_KEPT: usize = CONNS_MAX / 2;

/// How long is counted until counting begins anew; what was counted before is kept for so long again.
const WINDOW_SECONDS: u32 = 60;

/// Who has sent and was sent most lately, in memory that does not grow with the number of clients (the algorithm of Misra
/// and Gries, "Finding repeated elements", 1982, with weights and in batches). A client's bytes may be more than is told, by at
/// most [`TopTalkers::error_bytes_max`], which is at most a 512th part of all bytes of the shard in the same time.
#[derive(Debug)]
pub(super) struct Talkers<K> {
    current: Window<K>,
    previous: Window<K>,
}

#[derive(Debug)]
struct Window<K> {
    begin: Timestamp,
    /// Looked up for each read and each write.
    conns: HashMap<K, Talk, RandomState>,
    /// What those that had to make room had at most.
    error_bytes: u64,
}

#[derive(Debug, Default)]
struct Talk {
    /// Its bytes, less what was taken from all to make room.
    weight: u64,
    traffic: Traffic,
    /// Looked up the second time that it is counted: most are counted once in a minute.
    client_id: Option<Box<str>>,
}

/// The clients with most traffic on a shard.
#[derive(Debug)]
pub(crate) struct TopTalkers {
    /// Most bytes first.
    pub(crate) clients: Vec<(Box<str>, Traffic)>,
    /// Since when.
    pub(crate) since: Timestamp,
    pub(crate) error_bytes_max: u64,
}

impl<K: Copy + Eq + Hash> Talkers<K> {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { current: Window::begin(now), previous: Window::begin(now) }
    }

    /// Counts what has passed on a connection.
    pub(super) fn add(&mut self, id: K, traffic: Traffic, client_id: impl FnOnce() -> Option<Box<str>>) {
        let conns = &mut self.current.conns;
        if let Some(talk) = conns.get_mut(&id) {
            talk.weight += traffic.bytes();
            talk.traffic += traffic;
            if talk.client_id.is_none() {
                talk.client_id = client_id();
            }
            return;
        }
        if conns.len() >= CONNS_MAX {
            self.current.make_room();
        }
        let talk = Talk { weight: traffic.bytes(), traffic, client_id: None };
        self.current.conns.insert(id, talk);
    }

    /// Begins anew once the time has come.
    pub(super) fn keep_time(&mut self, now: Timestamp) {
        if now >= self.current.begin.plus_seconds(WINDOW_SECONDS) {
            self.previous = std::mem::replace(&mut self.current, Window::begin(now));
        }
    }

    /// The clients with most bytes, of those whose names are known.
    pub(super) fn top<'a>(
        &'a self,
        clients_max: usize,
        client_id: impl Fn(K) -> Option<&'a str>,
    ) -> TopTalkers {
        let mut clients: HashMap<&str, Traffic> = HashMap::new();
        for (id, talk) in self.previous.conns.iter().chain(&self.current.conns) {
            if let Some(name) = talk.client_id.as_deref().or_else(|| client_id(*id)) {
                *clients.entry(name).or_default() += talk.traffic;
            }
        }
        let mut clients: Vec<(&str, Traffic)> = clients.into_iter().collect();
        clients.sort_unstable_by(|one, other| other.1.bytes().cmp(&one.1.bytes()).then(one.0.cmp(other.0)));
        clients.truncate(clients_max);
        TopTalkers {
            clients: clients.into_iter().map(|(name, traffic)| (name.into(), traffic)).collect(),
            since: self.previous.begin,
            error_bytes_max: self.previous.error_bytes + self.current.error_bytes,
        }
    }
}

impl<K: Copy + Eq + Hash> Window<K> {
    fn begin(now: Timestamp) -> Self {
        // No secret: no peer chooses the numbers of connections.
        let hasher = RandomState::with_seeds(1, 2, 3, 4);
        Self { begin: now, conns: HashMap::with_hasher(hasher), error_bytes: 0 }
    }

    /// Takes from all what the middle one has, and forgets those that have nothing left.
    fn make_room(&mut self) {
        let mut weights: Vec<u64> = self.conns.values().map(|talk| talk.weight).collect();
        let place = weights.len() - 1 - CONNS_KEPT;
        let (_, taken, _) = weights.select_nth_unstable(place);
        let taken = *taken;
        self.error_bytes += taken;
        self.conns.retain(|_, talk| {
            talk.weight = talk.weight.saturating_sub(taken);
            talk.weight > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn received(bytes: u64) -> Traffic {
        Traffic { bytes_received: bytes, messages_received: 1, ..Traffic::default() }
    }

    /// As text, for those that are still there.
    fn top(talkers: &Talkers<u32>, clients_max: usize) -> Vec<(String, u64)> {
        let names: Vec<String> = (0..10_000).map(|id| format!("c{id}")).collect();
        let top = talkers.top(clients_max, |id| names.get(id as usize).map(String::as_str));
        top.clients.into_iter().map(|(name, traffic)| (name.into(), traffic.bytes())).collect()
    }

    #[test]
    fn a_client_counts_over_its_connections_for_two_minutes_at_most() {
        let mut talkers = Talkers::new(Timestamp(0));
        let name = || Some("pump".into());
        (0..2).for_each(|_| talkers.add(100_000, received(5), name));
        talkers.keep_time(Timestamp(60_000));
        (0..2).for_each(|_| talkers.add(200_000, received(7), name));
        talkers.add(3, received(20), || None);
        talkers.keep_time(Timestamp(119_000));
        assert_eq!(top(&talkers, 9), [("pump".to_owned(), 24), ("c3".to_owned(), 20)]);
        talkers.keep_time(Timestamp(120_000));
        assert_eq!(top(&talkers, 1), [("c3".to_owned(), 20)]);
        assert_eq!(talkers.top(0, |_| None).since, Timestamp(60_000));
        talkers.keep_time(Timestamp(180_000));
        assert!(top(&talkers, 9).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// Many small clients cannot hide a large one, and nobody is told by more than the bound to have sent less.
        #[test]
        fn the_error_is_bounded(
            small in prop::collection::vec((0..9_000_u32, 1..100_u64), 3_000..6_000),
            large in prop::collection::vec((9_000..9_004_u32, 500..1_000_u64), 300),
        ) {
            let mut talkers = Talkers::new(Timestamp(0));
            let mut exact: HashMap<u32, u64> = HashMap::new();
            let turns = small.chunks(small.len() / 300).zip(large.iter());
            for (id, bytes) in turns.flat_map(|(small, large)| small.iter().chain([large])) {
                talkers.add(*id, received(*bytes), || None);
                *exact.entry(*id).or_default() += bytes;
                prop_assert!(talkers.current.conns.len() <= CONNS_MAX);
            }
            let total: u64 = exact.values().sum();
            let error = talkers.top(0, |_| None).error_bytes_max;
            prop_assert!(error <= total / CONNS_KEPT as u64);
            let told: HashMap<String, u64> = top(&talkers, usize::MAX).into_iter().collect();
            for (id, bytes) in exact {
                let told = told.get(&format!("c{id}")).copied().unwrap_or(0);
                prop_assert!(told <= bytes && bytes <= told + error, "{told} {bytes} {error}");
            }
        }
    }
}
