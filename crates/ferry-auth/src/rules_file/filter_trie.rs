//! Rules by the levels of their filters, so that a thousand rules cost little more than one.

use std::collections::HashMap;

use ahash::RandomState;

use super::filter::{Level, Names, RuleFilter, Template};

/// A rule, by its place in the file. [`NONE`] is behind them all.
pub(super) type RuleIndex = u32;

pub(super) const NONE: RuleIndex = RuleIndex::MAX;

/// The filters of all rules.
#[derive(Clone, Debug)]
pub(super) struct FilterTrie {
    /// The first is the root.
    pub(super) nodes: Vec<Node>,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) literals: HashMap<Box<str>, usize, RandomState>,
    pub(super) plus: Option<usize>,
    pub(super) templates: Vec<(Template, usize)>,
    /// Rules that end in `#` below this node, in their order.
    pub(super) below: Vec<RuleIndex>,
    /// Rules that end at this node, in their order.
    pub(super) here: Vec<RuleIndex>,
    /// The first of the rules at and below this node.
    pub(super) first: RuleIndex,
}

impl Node {
    fn new(first: RuleIndex) -> Self {
        let (literals, templates, below, here) = Default::default();
        Self { literals, plus: None, templates, below, here, first }
    }
}

impl Default for FilterTrie {
    fn default() -> Self {
        Self { nodes: vec![Node::new(NONE)] }
    }
}

impl FilterTrie {
    /// Adds a filter of a rule; rules come in their order.
    pub(super) fn insert(&mut self, filter: &RuleFilter, rule: RuleIndex) {
        let mut at = 0;
        for level in &filter.levels {
            self.nodes[at].first = self.nodes[at].first.min(rule);
            if *level == Level::Hash {
                return self.nodes[at].below.push(rule);
            }
            at = self.child(at, level, rule);
        }
        self.nodes[at].here.push(rule);
    }

    fn child(&mut self, at: usize, level: &Level, rule: RuleIndex) -> usize {
        let next = self.nodes.len();
        let node = &mut self.nodes[at];
        let child = match level {
            Level::Plus | Level::Hash => *node.plus.get_or_insert(next),
            Level::Literal(level) => *node.literals.entry(level.clone()).or_insert(next),
            Level::Template(template) => {
                let known = node.templates.iter().find(|(known, _)| known == template);
                known.map(|(_, child)| *child).unwrap_or_else(|| {
                    node.templates.push((template.clone(), next));
                    next
                })
            }
        };
        if child == next {
            self.nodes.push(Node::new(rule));
        }
        child
    }

    /// The first of the rules that match a topic name and that `applies` says are asked; [`NONE`] if there is none.
    pub(super) fn first(
        &self,
        topic: &str,
        names: Names<'_>,
        applies: &dyn Fn(RuleIndex) -> bool,
    ) -> RuleIndex {
        let mut search = Search { nodes: &self.nodes, names, applies, found: NONE };
        search.visit(0, Some(topic), true);
        search.found
    }
}

/// The first of `rules`, which are in their order, that is before `found` and applies; else `found`.
pub(super) fn first_of(
    rules: &[RuleIndex],
    found: RuleIndex,
    applies: &dyn Fn(RuleIndex) -> bool,
) -> RuleIndex {
    let mut before = rules.iter().copied().take_while(|rule| *rule < found);
    before.find(|rule| applies(*rule)).unwrap_or(found)
}

struct Search<'a> {
    nodes: &'a [Node],
    names: Names<'a>,
    applies: &'a dyn Fn(RuleIndex) -> bool,
    found: RuleIndex,
}

impl Search<'_> {
    /// `rest` is what of the topic is below the node. As deep as the filters of the file, not the topic.
    fn visit(&mut self, at: usize, rest: Option<&str>, is_root: bool) {
        let node = &self.nodes[at];
        if node.first >= self.found {
            return;
        }
        // Wildcards do not reach topics of the server [MQTT-4.7.2-1].
        let is_of_server = is_root && rest.is_some_and(|rest| rest.starts_with('$'));
        if !is_of_server {
            // `a/#` matches `a` too.
            self.found = first_of(&node.below, self.found, self.applies);
        }
        let Some(rest) = rest else {
            self.found = first_of(&node.here, self.found, self.applies);
            return;
        };
        let (level, below) = match rest.split_once('/') {
            Some((level, below)) => (level, Some(below)),
            None => (rest, None),
        };
        if !node.literals.is_empty()
            && let Some(child) = node.literals.get(level)
        {
            self.visit(*child, below, false);
        }
        for (template, child) in &node.templates {
            if template.matches(level, self.names, is_root) {
                self.visit(*child, below, false);
            }
        }
        if let Some(child) = node.plus.filter(|_| !is_of_server) {
            self.visit(child, below, false);
        }
    }
}
