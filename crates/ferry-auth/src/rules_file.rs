//! Rules of our own, in TOML.

mod condition;
mod filter;
mod filter_trie;
mod granted;
mod parse;
mod reach;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::{ClientCertificate, Grants, ManagedRoles};

use condition::{Conditions, Members};
use filter::{Names, RuleFilter};
use filter_trie::{FilterTrie, NONE, RuleIndex};
use reach::{Reached, reach};

pub use parse::RuleProblem;

/// Who may do what: rules in their order, of which the first that matches decides. What none matches is denied.
///
/// A rule matches by what is done, by the topic, and by who does it. A rule that allows may set a maximum QoS and forbid
/// RETAIN: what is above that is denied, no further rule is asked.
#[derive(Clone, Debug, Default)]
pub struct RulesFile {
    rules: Vec<Rule>,
    trie: FilterTrie,
    /// The users that `[roles]` lists.
    roles: HashMap<Box<str>, Members>,
    judges_origin: bool,
    /// Clients may have grants, so that one whose connection is not known may have any.
    expects_grants: bool,
}

/// A client, as far as rules are concerned.
#[derive(Clone, Copy, Debug)]
pub struct RuleClient<'a> {
    /// The name that was proven; `None` for an anonymous client.
    pub user_name: Option<&'a str>,
    /// The client identifier.
    pub client_id: &'a str,
    /// Where it is connected from; `None` if that is not known, because its session was restored and it has not come back.
    pub origin: Option<RuleOrigin<'a>>,
}

/// What is known of a client from its connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct RuleOrigin<'a> {
    /// Its address, with or without a port; `unix` or `unix:...` for a Unix socket.
    pub peer_address: &'a str,
    /// Common name of its verified certificate.
    pub certificate_common_name: Option<&'a str>,
    /// The whole of it, if it is known.
    pub certificate: Option<&'a ClientCertificate>,
    /// What its authenticator has granted.
    pub grants: Option<&'a Grants>,
}

impl<'a> RuleClient<'a> {
    /// The rules that it has by its token or from the hook.
    #[must_use]
    pub fn own_rules(&self) -> Option<&'a RulesFile> {
        self.origin?.grants?.rules()
    }
}

/// What rules say of one client and one topic or filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleDecision {
    /// Whether it may.
    pub allowed: bool,
    /// The highest QoS that is allowed, 0 to 2.
    pub maximum_qos: u8,
    /// Why.
    pub reason: RuleReason,
}

/// Why rules allow or deny something. Rules are numbered from 0 in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleReason {
    /// This rule is the first that matches.
    Rule(usize),
    /// No rule matches.
    NoRule,
    /// This rule is the first that matches, and allows a lower QoS only.
    QosAbove(usize),
    /// This rule is the first that matches, and does not allow RETAIN.
    Retain(usize),
    /// Of the topics that a filter matches, this one is denied by this rule, or by none.
    Reaches {
        /// Such a topic.
        topic: Box<str>,
        /// The rule that denies it.
        rule: Option<usize>,
    },
    /// The filter matches too many different topics to decide about them all.
    TooManyTopics,
    /// No rule matches, but one of the client's own does, by which this is so.
    Own(Box<RuleReason>),
    /// No rule matches, but the client may have rules of its own, which are not known until it comes back.
    NotKnown,
}

/// What a rule is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Actions(u8);

impl Actions {
    const PUBLISH: Self = Self(1);
    const SUBSCRIBE: Self = Self(2);
    const RECEIVE: Self = Self(4);

    fn contain(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

#[derive(Clone, Debug)]
struct Rule {
    /// From 1.
    line: usize,
    /// The role whose rules it is one of; `None`: it is one of the file.
    role: Option<Arc<str>>,
    allows: bool,
    actions: Actions,
    filters: Vec<RuleFilter>,
    conditions: Conditions,
    maximum_qos: u8,
    retain: bool,
}

impl RulesFile {
    /// How many rules there are.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.rules.len()
    }

    /// Whether any rule is about an address or a certificate.
    #[must_use]
    pub fn judges_origin(&self) -> bool {
        self.judges_origin
    }

    /// The line in which a rule begins, from 1; `None` if there is no rule of this number.
    #[must_use]
    pub fn line(&self, rule: usize) -> Option<usize> {
        self.rules.get(rule).map(|rule| rule.line)
    }

    /// A rule in words; empty if there is none of this number.
    #[must_use]
    pub fn words(&self, rule: usize) -> String {
        self.rules.get(rule).map(ToString::to_string).unwrap_or_default()
    }

    /// The role that a rule belongs to, in which its [line](Self::line) is counted; `None` if it is one of the file.
    #[must_use]
    pub fn role(&self, rule: usize) -> Option<&str> {
        self.rules.get(rule)?.role.as_deref()
    }

    /// The same rules, and behind them those of the roles, in the order of their names. Who is a member of a role that the
    /// file names has it there too.
    #[must_use]
    pub fn with_roles(&self, roles: &ManagedRoles) -> Self {
        let mut all = Self { trie: FilterTrie::default(), ..self.clone() };
        for (_, role) in roles.iter() {
            all.rules.extend(role.rules().rules.iter().cloned());
        }
        let mut known: HashMap<Box<str>, Members> = HashMap::new();
        for role in all.rules.iter_mut().flat_map(|rule| &mut rule.conditions.roles) {
            let members = known.entry(role.name.clone()).or_insert_with(|| {
                let of_file = self.roles.get(&role.name).into_iter().flat_map(|users| users.iter());
                Arc::new(
                    of_file.map(|user| &**user).chain(roles.members(&role.name)).map(Into::into).collect(),
                )
            });
            role.users = Arc::clone(members);
        }
        all.index();
        all
    }

    /// Whether `[roles]` names this role.
    #[must_use]
    pub fn has_role(&self, name: &str) -> bool {
        self.roles.contains_key(name)
    }

    /// The same rules for clients that may have [`Grants`]. Their own rules are asked where none of these matches.
    #[must_use]
    pub fn with_grants(self) -> Self {
        Self { expects_grants: true, ..self }
    }

    /// Whether a client may publish to a topic name.
    #[must_use]
    pub fn may_publish(&self, client: &RuleClient<'_>, topic: &str, qos: u8, retain: bool) -> RuleDecision {
        let decision = self.publish_decision(client, topic, qos, retain);
        match client.own_rules() {
            Some(own) if decision.reason == RuleReason::NoRule => {
                own_decision(own.publish_decision(client, topic, qos, retain))
            }
            _ => decision,
        }
    }

    /// Prepares what is derived from the rules; the trie is empty before.
    fn index(&mut self) {
        for (number, rule) in (0..NONE).zip(&self.rules) {
            rule.filters.iter().for_each(|filter| self.trie.insert(filter, number));
        }
        self.judges_origin = self.rules.iter().any(|rule| rule.conditions.judge_origin());
    }

    fn publish_decision(&self, client: &RuleClient<'_>, topic: &str, qos: u8, retain: bool) -> RuleDecision {
        let decision = self.decide(client, topic, Actions::PUBLISH, false);
        let RuleReason::Rule(number) = decision.reason else { return decision };
        let reason = match self.rules.get(number) {
            Some(rule) if rule.allows && qos > rule.maximum_qos => RuleReason::QosAbove(number),
            Some(rule) if rule.allows && retain && !rule.retain => RuleReason::Retain(number),
            _ => return decision,
        };
        RuleDecision { allowed: false, reason, ..decision }
    }

    /// Whether a client may be sent a message on a topic name. If its origin is not known, the answer is about whether the
    /// message is worth keeping until the client comes back: no rule about addresses or certificates denies it then.
    #[must_use]
    pub fn may_receive(&self, client: &RuleClient<'_>, topic: &str) -> RuleDecision {
        let decision = self.decide(client, topic, Actions::RECEIVE, true);
        if decision.reason != RuleReason::NoRule {
            return decision;
        }
        match client.own_rules() {
            Some(own) => own_decision(own.decide(client, topic, Actions::RECEIVE, true)),
            None if client.origin.is_none() && self.expects_grants => {
                RuleDecision { allowed: true, maximum_qos: 2, reason: RuleReason::NotKnown }
            }
            None => decision,
        }
    }

    /// Whether a client may subscribe to a filter, which is one without `$share/group/`: only if it may subscribe to every
    /// topic that the filter matches. The maximum QoS is the lowest for any of these.
    #[must_use]
    pub fn may_subscribe(&self, client: &RuleClient<'_>, filter: &str) -> RuleDecision {
        let Some(own) = client.own_rules() else { return self.subscribe_decision(client, filter, false) };
        let decision = self.subscribe_decision(client, filter, true);
        // What no rule matches is part of the filter; the client's own rules must allow all of it.
        if !matches!(decision.reason, RuleReason::NoRule | RuleReason::Reaches { rule: None, .. }) {
            return decision;
        }
        let by_own = own_decision(own.subscribe_decision(client, filter, false));
        RuleDecision { maximum_qos: by_own.maximum_qos.min(decision.maximum_qos), ..by_own }
    }

    /// `is_partial`: others are asked where no rule matches, so the search goes on for one that denies.
    fn subscribe_decision(&self, client: &RuleClient<'_>, filter: &str, is_partial: bool) -> RuleDecision {
        let denies = |rule: RuleIndex| self.rules.get(rule as usize).is_some_and(|rule| !rule.allows);
        let is_denied = |rule: RuleIndex| denies(rule) || (rule == NONE && !is_partial);
        let applies = |rule| self.applies(rule, client, Actions::SUBSCRIBE, false);
        let Reached { rules, is_incomplete } =
            reach(&self.trie, filter, Names::new(client), &applies, &is_denied);
        let nothing = rules.iter().find(|(rule, _)| *rule == NONE);
        let denied = rules.iter().find(|(rule, _)| denies(*rule));
        // Unless all of them are known, one may be among the rest that denies.
        let denied = denied.or(nothing.filter(|_| !is_partial || !is_incomplete));
        let is_plain = !filter.contains(['+', '#']);
        let allowed = denied.is_none() && !is_incomplete;
        let reason = match (denied, rules.first()) {
            (Some((NONE, _)), _) if is_plain => RuleReason::NoRule,
            (Some((rule, _)), _) if is_plain => RuleReason::Rule(*rule as usize),
            (Some((rule, topic)), _) => {
                let rule = Some(*rule).filter(|rule| *rule != NONE).map(|rule| rule as usize);
                RuleReason::Reaches { topic: topic.as_str().into(), rule }
            }
            (None, _) if is_incomplete => RuleReason::TooManyTopics,
            (None, Some((rule, _))) => RuleReason::Rule(*rule as usize),
            (None, None) => RuleReason::NoRule,
        };
        let deciding = rules.iter().filter_map(|(rule, _)| self.rules.get(*rule as usize));
        let maximum_qos = deciding.map(|rule| rule.maximum_qos).min().unwrap_or(2);
        RuleDecision { allowed, maximum_qos, reason }
    }

    fn decide(
        &self,
        client: &RuleClient<'_>,
        topic: &str,
        action: Actions,
        is_judged_again: bool,
    ) -> RuleDecision {
        let applies = |rule| self.applies(rule, client, action, is_judged_again);
        let found = self.trie.first(topic, Names::new(client), &applies) as usize;
        match self.rules.get(found) {
            None => RuleDecision { allowed: false, maximum_qos: 0, reason: RuleReason::NoRule },
            Some(rule) => RuleDecision {
                allowed: rule.allows,
                maximum_qos: rule.maximum_qos,
                reason: RuleReason::Rule(found),
            },
        }
    }

    /// Whether a rule is for an action of a client. Of an origin that is not known the worst is assumed, unless what is
    /// decided will be judged again.
    fn applies(
        &self,
        rule: RuleIndex,
        client: &RuleClient<'_>,
        action: Actions,
        is_judged_again: bool,
    ) -> bool {
        let Some(rule) = self.rules.get(rule as usize) else { return false };
        rule.actions.contain(action)
            && rule.conditions.hold(client, rule.allows == is_judged_again, self.expects_grants)
    }

    /// Rules that are never asked, each with the earlier one that matches whatever it does.
    fn unreachable(&self) -> Vec<(&Rule, &Rule)> {
        let mut found = Vec::new();
        for (number, later) in self.rules.iter().enumerate() {
            let hides = |earlier: &&Rule| {
                earlier.actions.contain(later.actions)
                    && earlier.conditions.include(&later.conditions)
                    && later
                        .filters
                        .iter()
                        .all(|filter| earlier.filters.iter().any(|wider| wider.includes(filter)))
            };
            found.extend(self.rules[..number].iter().find(hides).map(|earlier| (later, earlier)));
        }
        found
    }
}

/// What the client's own rules say.
fn own_decision(decision: RuleDecision) -> RuleDecision {
    match decision.reason {
        RuleReason::NoRule => decision,
        reason => RuleDecision { reason: RuleReason::Own(Box::new(reason)), ..decision },
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.allows { "allow " } else { "deny " })?;
        let actions = match (self.actions.contain(Actions::PUBLISH), self.actions.contain(Actions::SUBSCRIBE))
        {
            (true, true) => "all",
            (false, true) => "subscribe",
            (true, false) if self.actions.contain(Actions::RECEIVE) => "publish and receive",
            (true, false) => "publish",
            (false, false) => "receive",
        };
        formatter.write_str(actions)?;
        for (index, filter) in self.filters.iter().enumerate() {
            write!(formatter, "{}{filter}", if index == 0 { ", topic " } else { " or " })?;
        }
        self.conditions.fmt(formatter)?;
        if self.maximum_qos < 2 {
            write!(formatter, ", maximum QoS {}", self.maximum_qos)?;
        }
        if self.retain { Ok(()) } else { formatter.write_str(", not retained") }
    }
}
