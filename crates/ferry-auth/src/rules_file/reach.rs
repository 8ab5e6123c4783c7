//! Whether all topics of a filter may be had: decided exactly, by going through the filter and all rules level by level.

use std::collections::{BTreeSet, HashSet};

use super::filter::Names;
use super::filter_trie::{FilterTrie, NONE, RuleIndex, first_of};

/// Steps that one filter may take: far more than a file that people write needs, and no more than milliseconds.
pub(super) const STEPS_MAX: usize = 20_000;

/// The first rules of all topics of a filter.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// Each rule that decides about some of the topics, with one of these; [`NONE`] stands for the default.
    pub(super) rules: Vec<(RuleIndex, String)>,
    /// It took too many steps; what was found is not all.
    pub(super) is_incomplete: bool,
}

/// Which rules decide about the topics of a filter. Ends at the first that `ends` says is enough.
pub(super) fn reach(
    trie: &FilterTrie,
    filter: &str,
    names: Names<'_>,
    applies: &dyn Fn(RuleIndex) -> bool,
    ends: &dyn Fn(RuleIndex) -> bool,
) -> Reached {
    let mut levels: Vec<&str> = filter.split('/').collect();
    // Nothing is behind it in a filter; what is no filter is not taken for a narrower one.
    let end = levels.iter().position(|level| *level == "#").map_or(levels.len(), |at| at + 1);
    levels.truncate(end);
    let mut search = Search {
        trie,
        levels: &levels,
        names,
        applies,
        ends,
        steps: 0,
        seen: HashSet::new(),
        path: Vec::new(),
        reached: Reached::default(),
    };
    let is_of_server = levels[0].starts_with('$');
    let below = if is_of_server { NONE } else { first_of(&trie.nodes[0].below, NONE, applies) };
    search.visit(vec![0], below, 0);
    search.reached
}

struct Search<'a> {
    trie: &'a FilterTrie,
    levels: &'a [&'a str],
    names: Names<'a>,
    applies: &'a dyn Fn(RuleIndex) -> bool,
    ends: &'a dyn Fn(RuleIndex) -> bool,
    steps: usize,
    seen: HashSet<(Vec<usize>, RuleIndex, usize)>,
    /// Levels of the topics that are looked at.
    path: Vec<String>,
    reached: Reached,
}

impl Search<'_> {
    /// All topics that begin with the path and go on as the filter does from its level `at`. `states` are the nodes that
    /// match the path, `below` is the first of the rules that match it and everything below. Whether to go on.
    fn visit(&mut self, states: Vec<usize>, below: RuleIndex, at: usize) -> bool {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            self.reached.is_incomplete = true;
            return false;
        }
        let nodes = &self.trie.nodes;
        if states.iter().all(|state| nodes[*state].first >= below) {
            return self.decided(below, at);
        }
        let key = (states, below, at);
        if self.seen.contains(&key) {
            return true;
        }
        let states = &key.0;
        let goes_on = match self.levels.get(at) {
            None => self.decided_here(states, below, at),
            Some(&"#") => {
                (self.path.is_empty() || self.decided_here(states, below, at))
                    && self.each_level(states, below, at)
            }
            Some(&"+") => self.each_level(states, below, at + 1),
            Some(level) => self.descend(states, below, Some(level), level, at + 1),
        };
        self.seen.insert(key);
        goes_on
    }

    /// Every level that rules tell from others, and one of these others.
    fn each_level(&mut self, states: &[usize], below: RuleIndex, next_at: usize) -> bool {
        let (nodes, names) = (&self.trie.nodes, self.names);
        let is_first = self.path.is_empty();
        let nodes = states.iter().map(|state| &nodes[*state]);
        let literals = nodes.clone().flat_map(|node| node.literals.keys().map(|level| level.to_string()));
        let templates = nodes.flat_map(|node| node.templates.iter());
        let expanded = templates.filter_map(|(template, _)| template.expand(names));
        // Wildcards do not reach topics of the server [MQTT-4.7.2-1].
        let levels: BTreeSet<String> =
            literals.chain(expanded).filter(|level| !is_first || !level.starts_with('$')).collect();
        let mut other = "x".to_owned();
        while levels.contains(&other) {
            other.push('x');
        }
        levels.iter().all(|level| self.descend(states, below, Some(level), level, next_at))
            && self.descend(states, below, None, &other, next_at)
    }

    /// One level down: to `level`, or to one that only `+` matches, such as `shown`.
    fn descend(
        &mut self,
        states: &[usize],
        below: RuleIndex,
        level: Option<&str>,
        shown: &str,
        next_at: usize,
    ) -> bool {
        let is_first = self.path.is_empty();
        let is_of_server = is_first && shown.starts_with('$');
        let mut next = Vec::new();
        for state in states {
            let node = &self.trie.nodes[*state];
            if let Some(level) = level {
                next.extend(node.literals.get(level));
                let templates = node.templates.iter();
                let matching =
                    templates.filter(|(template, _)| template.matches(level, self.names, is_first));
                next.extend(matching.map(|(_, child)| *child));
            }
            next.extend(node.plus.filter(|_| !is_of_server));
        }
        next.sort_unstable();
        let below = next
            .iter()
            .fold(below, |below, state| first_of(&self.trie.nodes[*state].below, below, self.applies));
        self.path.push(shown.to_owned());
        let goes_on = self.visit(next, below, next_at);
        self.path.pop();
        goes_on
    }

    /// The path itself is a topic.
    fn decided_here(&mut self, states: &[usize], below: RuleIndex, at: usize) -> bool {
        let rule = states
            .iter()
            .fold(below, |below, state| first_of(&self.trie.nodes[*state].here, below, self.applies));
        self.decided(rule, at)
    }

    fn decided(&mut self, rule: RuleIndex, at: usize) -> bool {
        if !self.reached.rules.iter().any(|(known, _)| *known == rule) {
            let rest = self.levels.get(at..).unwrap_or_default().iter();
            let rest = rest.filter(|level| **level != "#" || self.path.is_empty());
            let rest = rest.map(|level| if matches!(*level, "+" | "#") { "x" } else { level });
            let topic: Vec<&str> = self.path.iter().map(String::as_str).chain(rest).collect();
            self.reached.rules.push((rule, topic.join("/")));
        }
        !(self.ends)(rule)
    }
}
