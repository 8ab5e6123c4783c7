//! Walking an ordered map of topics by a filter.

/// What to do after looking at a topic; see [`FilterScan::step`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// The topic matches.
    Match,
    /// It does not; the next one may.
    Next,
    /// No topic before the one written to `target` can match.
    Seek,
    /// No later topic can match.
    End,
}

/// A topic filter prepared for a walk over topics in byte order that jumps over what cannot match:
/// with `+` in the middle, whole subtrees are passed by one seek.
pub(crate) struct FilterScan<'f> {
    levels: Vec<&'f str>,
    filter: &'f str,
}

impl<'f> FilterScan<'f> {
    pub(crate) fn new(filter: &'f str) -> Self {
        Self { levels: filter.split('/').collect(), filter }
    }

    /// No topic before this one can match: the text before the first wildcard.
    pub(crate) fn first_target(&self) -> &'f str {
        let literal = &self.filter[..self.filter.find(['+', '#']).unwrap_or(self.filter.len())];
        // `a/#` matches `a` too, which sorts before `a/`.
        if self.filter.ends_with("/#") { literal.trim_end_matches('/') } else { literal }
    }

    /// Compares `topic` with the filter; on [`Step::Seek`], `target` is greater than `topic`.
    pub(crate) fn step(&self, topic: &str, target: &mut String) -> Step {
        if topic.starts_with('$') && matches!(self.levels[0], "+" | "#") {
            // Wildcards at the start do not match `$` topics [MQTT-4.7.2-1] [MQTT3-4.7.2-1]; `%` follows `$`.
            return seek(target, &["%"]);
        }
        let mut start = 0;
        let mut rest = Some(topic);
        for (index, &level) in self.levels.iter().enumerate() {
            if level == "#" {
                return Step::Match;
            }
            let Some(remaining) = rest else { return Step::Next };
            let end = remaining.find('/').unwrap_or(remaining.len());
            if level != "+" && level != &remaining[..end] {
                let is_last = index + 1 == self.levels.len();
                return seek_literal(&topic[..start], remaining, level, is_last, target);
            }
            start += end + 1;
            rest = remaining.get(end + 1..);
        }
        match rest {
            None => Step::Match,
            Some(_) => seek_past(&topic[..start], target),
        }
    }
}

/// `tail` follows `prefix` in the topic and has another level than `literal` there.
fn seek_literal(prefix: &str, tail: &str, literal: &str, is_last: bool, target: &mut String) -> Step {
    if tail < literal {
        return seek(target, &[prefix, literal]);
    }
    if !is_last && tail.strip_prefix(literal).is_some_and(|more| more < "/") {
        return seek(target, &[prefix, literal, "/"]);
    }
    seek_past(prefix, target)
}

/// Past all topics that start with `prefix`, which ends with `/` or is empty.
fn seek_past(prefix: &str, target: &mut String) -> Step {
    match prefix.strip_suffix('/') {
        // `0` is the character after `/`.
        Some(levels) => seek(target, &[levels, "0"]),
        None => Step::End,
    }
}

fn seek(target: &mut String, parts: &[&str]) -> Step {
    target.clear();
    parts.iter().for_each(|part| target.push_str(part));
    Step::Seek
}
