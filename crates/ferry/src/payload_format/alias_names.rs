use std::collections::{BTreeMap, HashMap};

/// The names of Sparkplug's metrics that are sent under their alias only, from the BIRTH messages of edge nodes and devices.
#[derive(Debug, Default)]
pub(super) struct AliasNames {
    births: HashMap<Source, Birth>,
    /// In the order in which they came.
    by_age: BTreeMap<u64, Source>,
    last_number: u64,
    bytes: usize,
}

/// Names that are kept, in bytes; above it, those of the oldest BIRTH messages are forgotten.
const NAMES_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a name takes besides its letters, and a BIRTH besides its names.
const OVERHEAD_BYTES: usize = 64;

/// Who speaks: the group and the edge node, and the device, which is empty for the edge node itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Source {
    node: String,
    device: String,
}

/// What a BIRTH message says of a metric.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NamedMetric {
    pub(super) name: Box<str>,
    /// The number of its type of data; 0 if it is not said.
    pub(super) datatype: u64,
}

/// By their aliases.
pub(super) type Metrics = HashMap<u64, NamedMetric>;

#[derive(Debug)]
struct Birth {
    metrics: Metrics,
    number: u64,
    bytes: usize,
}

/// What a message of Sparkplug is, by its topic: `spBv1.0/GROUP/TYPE/NODE[/DEVICE]`.
struct SparkplugTopic<'a> {
    kind: &'a str,
    source: Source,
}

impl AliasNames {
    /// A message has come; `named` gives the metrics that it names, if it is a BIRTH.
    ///
    /// # Errors
    /// Those of `named`.
    pub(super) fn take(
        &mut self,
        topic: &str,
        named: impl FnOnce() -> Result<Metrics, String>,
    ) -> Result<(), String> {
        let Some(SparkplugTopic { kind, source }) = SparkplugTopic::parse(topic) else { return Ok(()) };
        match kind {
            "NBIRTH" => {
                let metrics = named()?;
                // Its devices come with messages of their own after it.
                self.forget_node(&source);
                self.born(source, metrics);
            }
            "DBIRTH" => {
                let metrics = named()?;
                self.forget(&source);
                self.born(source, metrics);
            }
            "NDEATH" => self.forget_node(&source),
            "DDEATH" => self.forget(&source),
            _ => {}
        }
        Ok(())
    }

    /// What is known of the metrics of whoever publishes on this topic.
    pub(super) fn of(&self, topic: &str) -> Option<&Metrics> {
        let topic = SparkplugTopic::parse(topic)?;
        Some(&self.births.get(&topic.source)?.metrics)
    }

    fn born(&mut self, source: Source, metrics: Metrics) {
        let names = metrics.values().map(|metric| metric.name.len() + OVERHEAD_BYTES);
        let bytes = OVERHEAD_BYTES + 2 * (source.node.len() + source.device.len()) + names.sum::<usize>();
        if metrics.is_empty() || bytes > NAMES_BYTES_MAX {
            return;
        }
        while self.bytes + bytes > NAMES_BYTES_MAX {
            let Some(oldest) = self.by_age.first_key_value().map(|(_, source)| source.clone()) else { break };
            self.forget(&oldest);
        }
        self.last_number += 1;
        self.bytes += bytes;
        self.by_age.insert(self.last_number, source.clone());
        self.births.insert(source, Birth { metrics, number: self.last_number, bytes });
    }

    fn forget(&mut self, source: &Source) {
        if let Some(birth) = self.births.remove(source) {
            self.by_age.remove(&birth.number);
            self.bytes -= birth.bytes;
        }
    }

    fn forget_node(&mut self, node: &Source) {
        let of_node = self.births.keys().filter(|source| source.node == node.node);
        for source in of_node.cloned().collect::<Vec<_>>() {
            self.forget(&source);
        }
    }
}

impl<'a> SparkplugTopic<'a> {
    fn parse(topic: &'a str) -> Option<Self> {
        let mut levels = topic.strip_prefix("spBv1.0/")?.splitn(4, '/');
        let (group, kind, node) = (levels.next()?, levels.next()?, levels.next()?);
        let device = levels.next().unwrap_or_default().to_owned();
        Some(Self { kind, source: Source { node: format!("{group}/{node}"), device } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(names: &[(u64, &str)]) -> Metrics {
        names
            .iter()
            .map(|(alias, name)| (*alias, NamedMetric { name: (*name).into(), datatype: 3 }))
            .collect()
    }

    fn name<'a>(names: &'a AliasNames, topic: &str, alias: u64) -> Option<&'a str> {
        Some(&names.of(topic)?.get(&alias)?.name)
    }

    #[test]
    fn names_are_those_of_the_last_birth() {
        let mut names = AliasNames::default();
        let mut take = |topic: &str, named: &[(u64, &str)]| {
            names.take(topic, || Ok(metrics(named))).unwrap();
            let of = |topic: &str| name(&names, topic, 1).unwrap_or("-").to_owned();
            ["spBv1.0/g/NDATA/n", "spBv1.0/g/DDATA/n/d", "spBv1.0/g/DDATA/n/e"].map(of).join(" ")
        };
        assert_eq!(take("spBv1.0/g/NBIRTH/n", &[(1, "node")]), "node - -");
        assert_eq!(take("spBv1.0/g/DBIRTH/n/d", &[(1, "d")]), "node d -");
        assert_eq!(take("spBv1.0/g/DBIRTH/n/e", &[(1, "e")]), "node d e");
        assert_eq!(take("spBv1.0/g/DDATA/n/e", &[(1, "data")]), "node d e");
        assert_eq!(take("spBv1.0/g/DBIRTH/other/e", &[(1, "other")]), "node d e");
        assert_eq!(take("spBv1.0/g/DBIRTH/n/d", &[(1, "new")]), "node new e");
        assert_eq!(take("spBv1.0/g/DDEATH/n/d", &[]), "node - e");
        assert_eq!(take("spBv1.0/g/NBIRTH/n", &[(1, "again")]), "again - -");
        assert_eq!(take("spBv1.0/g/NDEATH/n", &[]), "- - -");
        assert_eq!(names.births.len(), 1, "that of the other edge node");
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut names = AliasNames::default();
        let long = "x".repeat(1024 * 1024);
        for node in 0..40 {
            let named = || Ok(metrics(&[(1, &long), (2, "short")]));
            names.take(&format!("spBv1.0/g/NBIRTH/{node}"), named).unwrap();
            assert!(names.bytes <= NAMES_BYTES_MAX);
        }
        assert_eq!(name(&names, "spBv1.0/g/NDATA/39", 2), Some("short"));
        assert_eq!(name(&names, "spBv1.0/g/NDATA/0", 2), None);
        assert_eq!((names.births.len(), names.by_age.len()), (15, 15));
        let too_long = "x".repeat(NAMES_BYTES_MAX);
        names.take("spBv1.0/g/NBIRTH/huge", || Ok(metrics(&[(1, &too_long)]))).unwrap();
        assert_eq!(names.births.len(), 15);
        for node in 0..40 {
            names.take(&format!("spBv1.0/g/NDEATH/{node}"), || Ok(Metrics::new())).unwrap();
        }
        assert_eq!((names.births.len(), names.by_age.len(), names.bytes), (0, 0, 0));
    }
}
