//! Which clients there are, what they publish and subscribe to, and which event loop has them. All of it follows from
//! the plan, so each process and thread works out its own share.

use crate::plan::{Pattern, Plan, Traffic};

/// One part of a plan, with its place among all clients and streams.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) number: usize,
    pub(crate) traffic: Traffic,
    first_stream: u32,
    first_publisher: u32,
    first_subscriber: u32,
    run: u64,
}

/// Streams in arithmetic progression, or any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Streams {
    Progression {
        first: u32,
        step: u32,
        count: u32,
    },
    /// Sorted.
    Listed(Vec<u32>),
}

impl Streams {
    /// The place of a stream among these.
    #[inline]
    pub(crate) fn position(&self, stream: u32) -> Option<usize> {
        match self {
            Self::Progression { first, count: 1, .. } => (stream == *first).then_some(0),
            Self::Progression { first, step: 1, count } => {
                let offset = stream.wrapping_sub(*first);
                (offset < *count).then_some(offset as usize)
            }
            Self::Progression { first, step, count } => {
                let offset = stream.checked_sub(*first)?;
                (offset % step == 0 && offset / step < *count).then_some((offset / step) as usize)
            }
            Self::Listed(streams) => streams.binary_search(&stream).ok(),
        }
    }

    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = u32> + '_> {
        match self {
            Self::Progression { first, step, count } => {
                Box::new((0..*count).map(move |number| first + number * step))
            }
            Self::Listed(streams) => Box::new(streams.iter().copied()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Progression { count, .. } => *count as usize,
            Self::Listed(streams) => streams.len(),
        }
    }
}

/// The parts of a plan.
pub(crate) fn parts(plan: &Plan) -> Vec<Part> {
    let (mut stream, mut publisher, mut subscriber) = (0, 0, 0);
    let number_of = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut parts = Vec::new();
    for (number, traffic) in plan.parts.iter().enumerate() {
        parts.push(Part {
            number,
            traffic: traffic.clone(),
            first_stream: stream,
            first_publisher: publisher,
            first_subscriber: subscriber,
            run: plan.seed,
        });
        stream += number_of(traffic.streams());
        publisher += number_of(traffic.publishers);
        subscriber += number_of(traffic.subscribers);
    }
    parts
}

impl Part {
    /// Among all publishers of the plan.
    pub(crate) fn publisher(&self, index: usize) -> u32 {
        self.first_publisher + index as u32
    }

    /// Among all subscribers of the plan.
    pub(crate) fn subscriber(&self, index: usize) -> u32 {
        self.first_subscriber + index as u32
    }

    /// Among all streams of the plan.
    pub(crate) fn stream(&self, index: usize) -> u32 {
        self.first_stream + index as u32
    }

    /// The streams of a publisher, with their topics.
    pub(crate) fn published(&self, publisher: usize) -> impl Iterator<Item = (u32, String)> {
        let streams = (publisher..self.traffic.streams()).step_by(self.traffic.publishers.max(1));
        streams.map(|stream| (self.stream(stream), self.topic(stream % self.traffic.topics)))
    }

    /// The publisher of a stream of this part, among all publishers of the plan.
    pub(crate) fn publisher_of(&self, stream: u32) -> u32 {
        self.first_publisher + (stream - self.first_stream) % self.traffic.publishers.max(1) as u32
    }

    /// Copies of each message of a stream that subscribers should get, over all processes.
    pub(crate) fn copies_of(&self, stream: u32) -> u64 {
        let Traffic { pattern, subscribers, topics, .. } = self.traffic;
        let topic = (stream - self.first_stream) as usize % topics;
        match pattern {
            Pattern::Everyone => subscribers as u64,
            Pattern::Shared => u64::from(subscribers > 0),
            // Subscriber i has topic i, and once more for each multiple of the topics.
            Pattern::Pairs | Pattern::Wildcards if subscribers > topics => {
                ((subscribers - topic - 1) / topics + 1) as u64
            }
            Pattern::Pairs | Pattern::Wildcards => u64::from(subscribers > 0),
            Pattern::Idle | Pattern::Retained => 0,
        }
    }

    /// The same, counting only subscribers on some event loops.
    pub(crate) fn copies_within(
        &self,
        stream: u32,
        workers: usize,
        is_within: impl Fn(usize) -> bool,
    ) -> u64 {
        let Traffic { pattern, subscribers, topics, .. } = self.traffic;
        let topic = (stream - self.first_stream) as usize % topics.max(1);
        let hears = |subscriber: &usize| is_within(self.worker_of_subscriber(*subscriber, workers));
        let count = match pattern {
            Pattern::Idle | Pattern::Retained => 0,
            _ if subscribers == 0 => 0,
            Pattern::Everyone => (0..subscribers).filter(hears).count(),
            Pattern::Shared => usize::from(hears(&0)),
            Pattern::Pairs | Pattern::Wildcards if topics < subscribers => {
                (topic..subscribers).step_by(topics).filter(hears).count()
            }
            Pattern::Pairs | Pattern::Wildcards => usize::from(hears(&(topic % subscribers))),
        };
        count as u64
    }

    /// What a subscriber subscribes to.
    pub(crate) fn filters(&self, subscriber: usize) -> Vec<String> {
        match self.traffic.pattern {
            Pattern::Retained => Vec::new(),
            Pattern::Shared => vec![format!("$share/bench/{}/#", self.prefix())],
            Pattern::Everyone if self.traffic.topics > FILTERS_OF_EVERYONE_MAX => {
                vec![format!("{}/#", self.prefix())]
            }
            Pattern::Everyone => (0..self.traffic.topics).map(|topic| self.topic(topic)).collect(),
            Pattern::Wildcards => {
                self.topics_of(subscriber).map(|topic| self.wildcard_filter(topic)).collect()
            }
            Pattern::Pairs | Pattern::Idle => {
                self.topics_of(subscriber).map(|topic| self.topic(topic)).collect()
            }
        }
    }

    /// The streams that a subscriber hears.
    pub(crate) fn heard(&self, subscriber: usize) -> Streams {
        let Traffic { pattern, publishers, subscribers, topics, .. } = self.traffic;
        let streams = self.traffic.streams();
        let progression = |first: usize, step: usize| Streams::Progression {
            first: self.stream(first),
            step: step as u32,
            count: ((streams.saturating_sub(first)).div_ceil(step)) as u32,
        };
        match pattern {
            Pattern::Idle | Pattern::Retained => Streams::Listed(Vec::new()),
            Pattern::Everyone | Pattern::Shared => progression(0, 1),
            Pattern::Pairs | Pattern::Wildcards if topics < subscribers => {
                progression(subscriber % topics, topics)
            }
            Pattern::Pairs | Pattern::Wildcards if publishers <= topics => {
                progression(subscriber, subscribers)
            }
            Pattern::Pairs | Pattern::Wildcards => {
                let heard = (0..streams).filter(|stream| stream % topics % subscribers == subscriber);
                Streams::Listed(heard.map(|stream| self.stream(stream)).collect())
            }
        }
    }

    /// The event loop of a publisher.
    pub(crate) fn worker_of_publisher(&self, publisher: usize, workers: usize) -> usize {
        (self.first_publisher as usize + publisher) % workers
    }

    /// The event loop of a subscriber: that of its publisher if it has one of its own, and one for all that share a
    /// subscription, since only together they know what is missing.
    pub(crate) fn worker_of_subscriber(&self, subscriber: usize, workers: usize) -> usize {
        match self.traffic.pattern {
            Pattern::Shared => self.number % workers,
            Pattern::Pairs | Pattern::Wildcards => {
                self.worker_of_publisher(subscriber % self.traffic.publishers.max(1), workers)
            }
            Pattern::Everyone | Pattern::Idle | Pattern::Retained => subscriber % workers,
        }
    }

    /// What all topics of this part begin with.
    pub(crate) fn prefix(&self) -> String {
        format!("bench/{:08x}/{}", self.run & 0xFFFF_FFFF, self.number)
    }

    /// The name of a topic.
    pub(crate) fn topic(&self, topic: usize) -> String {
        match self.traffic.pattern {
            Pattern::Wildcards => format!("{}/g{topic}/s{topic}/v", self.prefix()),
            Pattern::Retained => {
                format!("{}/{}/{}/v", self.prefix(), topic / RETAINED_GROUP, topic % RETAINED_GROUP)
            }
            _ => format!("{}/{topic}", self.prefix()),
        }
    }

    fn topics_of(&self, subscriber: usize) -> Box<dyn Iterator<Item = usize>> {
        let Traffic { subscribers, topics, .. } = self.traffic;
        if topics < subscribers {
            Box::new(std::iter::once(subscriber % topics))
        } else {
            Box::new((subscriber..topics).step_by(subscribers))
        }
    }

    /// A filter that matches one topic only, in one of four ways.
    fn wildcard_filter(&self, topic: usize) -> String {
        let prefix = self.prefix();
        match topic % 4 {
            0 => format!("{prefix}/g{topic}/s{topic}/v"),
            1 => format!("{prefix}/g{topic}/+/v"),
            2 => format!("{prefix}/+/s{topic}/v"),
            _ => format!("{prefix}/g{topic}/#"),
        }
    }
}

/// With more topics, a subscriber to all of them uses a wildcard.
const FILTERS_OF_EVERYONE_MAX: usize = 8;

/// Retained topics that differ in one level only.
pub(crate) const RETAINED_GROUP: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Overrides, resolve};
    use ferry_codec::topic::matches;
    use proptest::prelude::*;

    /// What the filters match must be what subscribers expect, and the copies what the subscribers hear.
    fn check(name: &str, publishers: usize, subscribers: usize, topics: usize) {
        let overrides = Overrides {
            publishers: Some(publishers),
            subscribers: Some(subscribers),
            topics: Some(topics),
            ..Overrides::default()
        };
        for part in parts(&resolve(name, &overrides).unwrap()) {
            let mut copies = vec![0; part.traffic.streams()];
            for subscriber in 0..subscribers {
                let heard = part.heard(subscriber);
                let filters = part.filters(subscriber);
                for (stream, copies) in copies.iter_mut().enumerate() {
                    let topic = part.topic(stream % topics);
                    let matched = filters.iter().filter(|filter| {
                        matches(filter.strip_prefix("$share/bench/").unwrap_or(filter), &topic)
                    });
                    let position = heard.position(part.stream(stream));
                    assert_eq!(
                        matched.count(),
                        usize::from(position.is_some()),
                        "{topic} {filters:?} {heard:?}"
                    );
                    *copies += u64::from(position.is_some());
                }
                assert_eq!(heard.iter().count(), heard.len());
                for (position, stream) in heard.iter().enumerate() {
                    assert_eq!(heard.position(stream), Some(position));
                }
            }
            if part.traffic.pattern == Pattern::Shared {
                copies.fill(1);
            }
            let expected: Vec<u64> =
                (0..part.traffic.streams()).map(|stream| part.copies_of(part.stream(stream))).collect();
            assert_eq!(copies, expected);
            let mut published = vec![0; part.traffic.streams()];
            for publisher in 0..publishers {
                for (stream, topic) in part.published(publisher) {
                    let index = (stream - part.stream(0)) as usize;
                    published[index] += 1;
                    assert_eq!(topic, part.topic(index % topics));
                    assert_eq!(part.publisher_of(stream), part.publisher(publisher));
                }
            }
            assert!(published.iter().all(|publishers| *publishers == 1));
        }
    }

    proptest! {
        #[test]
        fn subscribers_hear_what_their_filters_match(
            name in prop::sample::select(vec!["p2p", "fanout", "sharedsub", "wildcard"]),
            publishers in 1_usize..12,
            subscribers in 1_usize..12,
            topics in 1_usize..12,
        ) {
            check(name, publishers, subscribers, topics);
        }
    }

    #[test]
    fn every_client_has_one_worker() {
        let plan = resolve("mixed", &Overrides { threads: Some(3), ..Overrides::default() }).unwrap();
        for part in parts(&plan) {
            assert!((0..part.traffic.publishers).all(|publisher| part.worker_of_publisher(publisher, 3) < 3));
            assert!(
                (0..part.traffic.subscribers).all(|subscriber| part.worker_of_subscriber(subscriber, 3) < 3)
            );
        }
    }
}
