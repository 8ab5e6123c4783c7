//! Rules that a client brings along, as JSON.

use serde_json::{Map, Value};

use super::condition::Conditions;
use super::filter::RuleFilter;
use super::{Actions, Rule, RulesFile};

/// Rules of one client.
const RULES_MAX: usize = 64;

/// Filters of all its rules.
const FILTERS_MAX: usize = 128;

/// Bytes of one filter.
const FILTER_BYTES_MAX: usize = 1024;

impl RulesFile {
    /// A list of rules, as `{"permission": "allow", "action": "publish", "topic": "a/#"}`, or an object with lists of topics that
    /// are allowed, under `pub`, `sub` and `all`. `None` if it is neither: what is missing may be what denies.
    pub(crate) fn of_json(value: &Value) -> Option<Self> {
        let rules: Vec<Rule> = match value {
            Value::Array(rules) if rules.len() <= RULES_MAX => {
                let rules = rules.iter().zip(1..).map(|(rule, number)| of_object(rule.as_object()?, number));
                rules.collect::<Option<_>>()?
            }
            Value::Object(lists) => of_lists(lists)?,
            _ => return None,
        };
        let mut file = Self { rules, ..Self::default() };
        if file.rules.iter().map(|rule| rule.filters.len()).sum::<usize>() > FILTERS_MAX {
            return None;
        }
        file.index();
        Some(file)
    }
}

fn of_object(rule: &Map<String, Value>, number: usize) -> Option<Rule> {
    let mut made = new_rule(true, Actions::default(), Vec::new(), number);
    for (key, value) in rule {
        match key.as_str() {
            "permission" => {
                made.allows = match value.as_str()? {
                    "allow" => true,
                    "deny" => false,
                    _ => return None,
                }
            }
            "action" => made.actions = actions(value.as_str()?)?,
            "topic" => made.filters = filters(value)?,
            "maximum_qos" => made.maximum_qos = value.as_u64().filter(|qos| *qos <= 2)? as u8,
            "retain" => made.retain = value.as_bool()?,
            // It might limit the rule.
            _ => return None,
        }
    }
    let is_whole = ["permission", "action", "topic"].iter().all(|key| rule.contains_key(*key));
    is_whole.then_some(made)
}

fn of_lists(lists: &Map<String, Value>) -> Option<Vec<Rule>> {
    let rules = lists.iter().zip(1..).map(|((key, topics), number)| {
        let action = match key.as_str() {
            "pub" => "publish",
            "sub" => "subscribe",
            "all" => "all",
            _ => return None,
        };
        Some(new_rule(true, actions(action)?, filters(topics)?, number))
    });
    rules.collect()
}

fn new_rule(allows: bool, actions: Actions, filters: Vec<RuleFilter>, line: usize) -> Rule {
    let conditions = Conditions::default();
    Rule { line, role: None, allows, actions, filters, conditions, maximum_qos: 2, retain: true }
}

fn actions(name: &str) -> Option<Actions> {
    Some(match name {
        "publish" => Actions::PUBLISH,
        // As in a file: who may subscribe may be sent what comes.
        "subscribe" => Actions(Actions::SUBSCRIBE.0 | Actions::RECEIVE.0),
        "receive" => Actions::RECEIVE,
        "all" => Actions(Actions::PUBLISH.0 | Actions::SUBSCRIBE.0 | Actions::RECEIVE.0),
        _ => return None,
    })
}

/// A text, or a list of texts.
fn filters(value: &Value) -> Option<Vec<RuleFilter>> {
    let filter = |value: &Value| {
        let text = value.as_str().filter(|text| text.len() <= FILTER_BYTES_MAX)?;
        RuleFilter::parse(text).ok()
    };
    match value {
        Value::Array(values) if values.len() <= FILTERS_MAX => values.iter().map(filter).collect(),
        value => Some(vec![filter(value)?]),
    }
}
