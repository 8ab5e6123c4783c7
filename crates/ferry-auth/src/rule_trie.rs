//! Rules by the levels of their filters, so that a thousand rules cost little more than one.

use std::collections::HashMap;

use ahash::RandomState;

use crate::acl_file::{Access, Rights};

/// Who placeholders stand for.
#[derive(Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) user_name: Option<&'a str>,
    pub(crate) client_id: &'a str,
}

/// Rules of one kind.
#[derive(Clone, Debug)]
pub(crate) struct RuleTrie {
    /// The first is the root.
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, usize, RandomState>,
    plus: Option<usize>,
    templates: Vec<(Template, usize)>,
    /// Rules that end in `#` below this node.
    below: Vec<Rule>,
    /// Rules that end at this node.
    here: Vec<Rule>,
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    rights: Rights,
    line: usize,
}

/// A level with placeholders, which may stand for several levels: a client identifier may hold `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    ClientId,
    UserName,
}

/// The first of the rules that match, by kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    pub(crate) denied: Option<usize>,
    pub(crate) allowed: Option<usize>,
}

impl Default for RuleTrie {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl RuleTrie {
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.len() == 1 && self.nodes[0].below.is_empty()
    }

    /// Adds a rule of a line; with `placeholders`, `%c` and `%u` in it stand for the client.
    pub(crate) fn insert(&mut self, filter: &str, rights: Rights, line: usize, placeholders: bool) {
        let rule = Rule { rights, line };
        let mut at = 0;
        for level in filter.split('/') {
            if level == "#" {
                self.nodes[at].below.push(rule);
                return;
            }
            at = self.child(at, level, placeholders);
        }
        self.nodes[at].here.push(rule);
    }

    fn child(&mut self, at: usize, level: &str, placeholders: bool) -> usize {
        let next = self.nodes.len();
        let node = &mut self.nodes[at];
        let child = if level == "+" {
            *node.plus.get_or_insert(next)
        } else if placeholders && (level.contains("%c") || level.contains("%u")) {
            let template = Template::parse(level);
            match node.templates.iter().find(|(known, _)| *known == template) {
                Some((_, child)) => *child,
                None => {
                    node.templates.push((template, next));
                    next
                }
            }
        } else {
            *node.literals.entry(level.into()).or_insert(next)
        };
        if child == next {
            self.nodes.push(Node::default());
        }
        child
    }

    /// The rules that match a topic name, as far as they decide about `access`.
    pub(crate) fn find(&self, topic: &str, who: Who<'_>, access: Access) -> Found {
        let mut search = Search { nodes: &self.nodes, who, access, found: Found::default() };
        // Topics of the server are for filters that name them: neither wildcards nor clients' names reach them.
        if topic.starts_with('$') {
            let (level, rest) = split(topic);
            if let Some(child) = self.nodes[0].literals.get(level) {
                search.visit(*child, rest);
            }
        } else {
            search.visit(0, Some(topic));
        }
        search.found
    }
}

struct Search<'a> {
    nodes: &'a [Node],
    who: Who<'a>,
    access: Access,
    found: Found,
}

impl Search<'_> {
    /// `rest` is what of the topic is below the node. As deep as the filters of the file, not the topic.
    fn visit(&mut self, at: usize, rest: Option<&str>) {
        let nodes = self.nodes;
        let node = &nodes[at];
        // `a/#` matches `a` too.
        self.note(&node.below);
        let Some(rest) = rest else { return self.note(&node.here) };
        let (level, below) = split(rest);
        if !node.literals.is_empty()
            && let Some(child) = node.literals.get(level)
        {
            self.visit(*child, below);
        }
        if let Some(child) = node.plus {
            self.visit(child, below);
        }
        for (template, child) in &node.templates {
            if let Some(below) = template.strip(rest, self.who) {
                self.visit(*child, below);
            }
        }
    }

    fn note(&mut self, rules: &[Rule]) {
        for rule in rules {
            let place = if rule.rights.deny() {
                &mut self.found.denied
            } else if rule.rights.allow(self.access) {
                &mut self.found.allowed
            } else {
                continue;
            };
            *place = Some(place.map_or(rule.line, |line| line.min(rule.line)));
        }
    }
}

impl Template {
    fn parse(level: &str) -> Self {
        let mut parts = Vec::new();
        let mut text = level;
        while let Some(at) = text.find("%c").into_iter().chain(text.find("%u")).min() {
            if at > 0 {
                parts.push(Part::Text(text[..at].into()));
            }
            parts.push(if text[at..].starts_with("%c") { Part::ClientId } else { Part::UserName });
            text = &text[at + 2..];
        }
        if !text.is_empty() {
            parts.push(Part::Text(text.into()));
        }
        Self(parts)
    }

    /// What follows the level that this stands for, if `rest` starts with it; `None` inside at the topic's end.
    fn strip<'a>(&self, mut rest: &'a str, who: Who<'_>) -> Option<Option<&'a str>> {
        for part in &self.0 {
            let text = match part {
                Part::Text(text) => text,
                Part::ClientId => who.client_id,
                Part::UserName => who.user_name?,
            };
            rest = rest.strip_prefix(text)?;
        }
        if rest.is_empty() { Some(None) } else { rest.strip_prefix('/').map(Some) }
    }
}

fn split(rest: &str) -> (&str, Option<&str>) {
    match rest.split_once('/') {
        Some((level, below)) => (level, Some(below)),
        None => (rest, None),
    }
}
