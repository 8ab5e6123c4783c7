use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use ferry_client::{Message, Properties, QoS};
use ferry_codec::topic::matches;

/// The last message of each topic, as many as there is room for.
#[derive(Debug)]
pub(super) struct Topics {
    topics: BTreeMap<TopicName, Topic>,
    topics_max: usize,
    bytes: usize,
    bytes_max: usize,
    /// Messages of topics for which there was no room.
    pub(super) unshown: u64,
}

/// What is known of a topic.
#[derive(Debug, Default)]
pub(super) struct Topic {
    /// Of the last message, or its beginning.
    pub(super) payload: Vec<u8>,
    /// All of it.
    pub(super) payload_length: usize,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) properties: Option<Box<Properties>>,
    pub(super) messages: u64,
    /// Messages per second.
    pub(super) rate: f64,
    /// When the last one came, since the beginning.
    pub(super) last: Duration,
    /// Messages since the last tick.
    recent: u32,
}

/// A topic name, ordered level by level, so that what belongs together stays together.
#[derive(Debug, PartialEq, Eq)]
struct TopicName(Box<str>);

/// A line of the tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) depth: usize,
    /// The last level.
    pub(super) label: String,
    /// All levels.
    pub(super) path: String,
    /// There have been messages on it.
    pub(super) is_topic: bool,
    pub(super) has_children: bool,
    pub(super) is_collapsed: bool,
    /// Topics at it and below.
    pub(super) topics: usize,
    pub(super) messages: u64,
    pub(super) rate: f64,
}

/// So much is kept of a payload, and of the properties.
pub(super) const KEPT_BYTES_MAX: usize = 16 * 1024;

/// Levels with a line each; what is below is one line.
const DEPTH_MAX: usize = 16;

/// What an entry takes besides its texts.
const ENTRY_BYTES: usize = 256;

/// How much of a rate is kept each second.
const RATE_KEPT: f64 = 0.7;

impl Topics {
    /// Room for so many topics, and so many bytes of names and messages.
    pub(super) fn new(topics_max: usize, bytes_max: usize) -> Self {
        Self { topics: BTreeMap::new(), topics_max, bytes: 0, bytes_max, unshown: 0 }
    }

    pub(super) fn take(&mut self, message: Message, now: Duration) {
        let name = TopicName(message.topic.into());
        if !self.topics.contains_key(&name) {
            let bytes = ENTRY_BYTES + name.0.len();
            if self.topics.len() >= self.topics_max || self.bytes + bytes > self.bytes_max {
                self.unshown += 1;
                return;
            }
            self.bytes += bytes;
        }
        let topic = self.topics.entry(name).or_default();
        self.bytes -= topic.kept_bytes();
        let room = KEPT_BYTES_MAX.min(self.bytes_max - self.bytes);
        topic.payload_length = message.payload.len();
        topic.payload = message.payload;
        topic.payload.truncate(room);
        topic.payload.shrink_to_fit();
        topic.properties = message
            .properties
            .filter(|properties| topic.payload.len() + size_of_properties(properties) <= room);
        self.bytes += topic.kept_bytes();
        (topic.qos, topic.retain, topic.last) = (message.qos, message.retain, now);
        topic.messages += 1;
        topic.recent = topic.recent.saturating_add(1);
    }

    /// So much time has gone by.
    pub(super) fn tick(&mut self, seconds: f64) {
        for topic in self.topics.values_mut() {
            let recent = f64::from(std::mem::take(&mut topic.recent)) / seconds;
            topic.rate =
                if topic.rate == 0.0 { recent } else { topic.rate * RATE_KEPT + recent * (1.0 - RATE_KEPT) };
            // So that it comes to rest.
            if topic.rate < 0.005 {
                topic.rate = 0.0;
            }
        }
    }

    pub(super) fn get(&self, topic: &str) -> Option<&Topic> {
        self.topics.get(&TopicName(topic.into()))
    }

    /// The last payload of a topic, if it is a text.
    pub(super) fn text(&self, topic: &str) -> Option<&str> {
        std::str::from_utf8(&self.get(topic)?.payload).ok()
    }

    pub(super) fn len(&self) -> usize {
        self.topics.len()
    }

    /// The lines of the tree, without what does not match and what is below a level that is collapsed.
    pub(super) fn rows(&self, filter: &str, collapsed: &HashSet<String>) -> Vec<Row> {
        let mut rows = Rows { collapsed, rows: Vec::new(), open: Vec::new(), closed_at: None };
        for (name, topic) in self.topics.iter().filter(|(name, _)| is_wanted(filter, &name.0)) {
            rows.add(&name.0, topic);
        }
        rows.rows
    }
}

/// The lines of a tree in the making.
struct Rows<'a> {
    collapsed: &'a HashSet<String>,
    rows: Vec<Row>,
    /// The levels of the last line, each with its line.
    open: Vec<(&'a str, usize)>,
    /// So many levels have to be the same for a topic not to be seen.
    closed_at: Option<usize>,
}

impl<'a> Rows<'a> {
    fn add(&mut self, name: &'a str, topic: &Topic) {
        let levels: Vec<&str> = name.splitn(DEPTH_MAX, '/').collect();
        let same = levels.iter().zip(&self.open).take_while(|(level, (open, _))| *level == open).count();
        self.closed_at = self.closed_at.filter(|closed_at| same >= *closed_at);
        if self.closed_at.is_none() {
            self.open.truncate(same);
            self.open_levels(name, &levels);
        }
        // Below a closed level the lines above it are told nevertheless.
        let shown = self.closed_at.unwrap_or(levels.len());
        for (_, row) in self.open.iter().take(shown) {
            let row = &mut self.rows[*row];
            row.topics += 1;
            row.messages += topic.messages;
            row.rate += topic.rate;
        }
        if shown < levels.len()
            && let Some((_, row)) = self.open.get(shown - 1)
        {
            self.rows[*row].has_children = true;
        }
    }

    /// A line for each level that has none yet, up to one that is collapsed.
    fn open_levels(&mut self, name: &str, levels: &[&'a str]) {
        let mut path_length = levels.iter().take(self.open.len()).map(|level| level.len() + 1).sum::<usize>();
        for depth in self.open.len()..levels.len() {
            path_length += levels[depth].len();
            let path = name[..path_length].to_owned();
            path_length += 1;
            if let Some((_, parent)) = depth.checked_sub(1).and_then(|above| self.open.get(above)) {
                self.rows[*parent].has_children = true;
            }
            let is_collapsed = self.collapsed.contains(&path);
            let is_topic = depth + 1 == levels.len();
            self.open.push((levels[depth], self.rows.len()));
            self.rows.push(Row {
                depth,
                label: levels[depth].to_owned(),
                path,
                is_topic,
                is_collapsed,
                ..Row::default()
            });
            if is_collapsed {
                self.closed_at = Some(depth + 1);
                return;
            }
        }
    }
}

impl Topic {
    fn kept_bytes(&self) -> usize {
        self.payload.len() + self.properties.as_deref().map_or(0, size_of_properties)
    }
}

fn size_of_properties(properties: &Properties) -> usize {
    let pairs = properties.user_properties.iter().map(|(name, value)| name.len() + value.len() + 48);
    size_of::<Properties>()
        + properties.content_type.as_ref().map_or(0, String::len)
        + properties.response_topic.as_ref().map_or(0, String::len)
        + properties.correlation_data.as_ref().map_or(0, Vec::len)
        + pairs.sum::<usize>()
}

/// A filter with wildcards is one of topics, any other a part of their names, in capital letters or not.
fn is_wanted(filter: &str, topic: &str) -> bool {
    if filter.contains(['+', '#']) {
        return matches(filter, topic);
    }
    filter.is_empty() || topic.to_lowercase().contains(&filter.to_lowercase())
}

impl Ord for TopicName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.split('/').cmp(other.0.split('/'))
    }
}

impl PartialOrd for TopicName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(names: &[&str]) -> Topics {
        let mut topics = Topics::new(100, 1 << 20);
        for name in names {
            topics.take(Message::new(*name, "x"), Duration::ZERO);
        }
        topics
    }

    fn lines(topics: &Topics, filter: &str, collapsed: &[&str]) -> Vec<String> {
        let collapsed = collapsed.iter().map(|path| (*path).to_owned()).collect();
        let rows = topics.rows(filter, &collapsed);
        let mark = |row: &Row| match (row.has_children, row.is_collapsed) {
            (true, true) => "+",
            (true, false) => "-",
            _ => "",
        };
        let line = |row: &Row| format!("{}{}{} {}", " ".repeat(row.depth), mark(row), row.label, row.topics);
        rows.iter().map(line).collect()
    }

    #[test]
    fn topics_are_a_tree() {
        let topics = topics(&["a-b", "a/c", "b/x/y", "a", "a/b/d", "/a", "b/x/z"]);
        let all =
            [" 1", " a 1", "-a 3", " -b 1", "  d 1", " c 1", "a-b 1", "-b 2", " -x 2", "  y 1", "  z 1"];
        let mut expected: Vec<String> = all.iter().map(|line| (*line).to_owned()).collect();
        expected[0] = "- 1".to_owned();
        assert_eq!(lines(&topics, "", &[]), expected);
        assert_eq!(lines(&topics, "", &["a", "b/x", ""]), ["+ 1", "+a 3", "a-b 1", "-b 2", " +x 2"]);
        assert_eq!(lines(&topics, "", &["a-b", "c"]), expected, "nothing is below");
        assert_eq!(lines(&topics, "X/Z", &[]), ["-b 1", " -x 1", "  z 1"]);
        assert_eq!(lines(&topics, "+/+", &[]), ["- 1", " a 1", "-a 1", " c 1"]);
        let rows = topics.rows("", &HashSet::new());
        let paths: Vec<&str> = rows.iter().filter(|row| row.is_topic).map(|row| row.path.as_str()).collect();
        assert_eq!(paths, ["/a", "a", "a/b/d", "a/c", "a-b", "b/x/y", "b/x/z"]);
    }

    #[test]
    fn very_deep_topics_have_few_lines() {
        let deep = "/".repeat(60_000);
        let topics = topics(&[&deep]);
        let rows = topics.rows("", &HashSet::new());
        assert_eq!(rows.len(), DEPTH_MAX);
        assert_eq!(rows[DEPTH_MAX - 1].path, deep);
    }

    #[test]
    fn memory_is_bounded() {
        let mut topics = Topics::new(2, 1 << 20);
        for name in ["a", "b", "c", "a", "c"] {
            topics.take(Message::new(name, vec![0; 100_000]), Duration::ZERO);
        }
        assert_eq!((topics.len(), topics.unshown), (2, 2));
        let topic = topics.get("a").unwrap();
        assert_eq!((topic.payload.len(), topic.payload_length, topic.messages), (KEPT_BYTES_MAX, 100_000, 2));

        let mut small = Topics::new(100, 1_000);
        for number in 0..10 {
            small.take(
                Message::new(format!("topic/{number}"), vec![0; 300]).content_type("text"),
                Duration::ZERO,
            );
        }
        assert_eq!((small.len(), small.unshown), (2, 8));
        assert!(small.bytes <= 1_000, "{}", small.bytes);
        let kept: usize = small.topics.values().map(Topic::kept_bytes).sum();
        small.take(Message::new("topic/0", ""), Duration::ZERO);
        small.take(Message::new("topic/1", ""), Duration::ZERO);
        assert_eq!(small.bytes, 2 * (ENTRY_BYTES + "topic/0".len()));
        assert!(kept > 300);
    }

    #[test]
    fn rates_follow_slowly_and_come_to_rest() {
        let mut topics = topics(&["a", "a", "a", "a"]);
        topics.tick(2.0);
        assert!((topics.get("a").unwrap().rate - 2.0).abs() < 1e-9);
        topics.tick(1.0);
        assert!((topics.get("a").unwrap().rate - 1.4).abs() < 1e-9);
        (0..30).for_each(|_| topics.tick(1.0));
        assert_eq!(topics.get("a").unwrap().rate, 0.0);
    }
}
