use crate::authorizer::{Authorizer, Identity};
use ferry_codec::QoS;

/// Answers kept for one session.
const ANSWERS_MAX: usize = 8;

/// Bytes of a topic whose answer is kept.
const TOPIC_BYTES_MAX: usize = 256;

/// How the answers of an authorizer are used: asked once, not for each message.
#[derive(Clone, Copy)]
pub(crate) struct Answers {
    /// Reloads of the shard when it came; `None` if its answers are not kept.
    pub(crate) generation: Option<u32>,
    /// It says of some that they may not be sent something.
    pub(crate) restrict_receiving: bool,
}

impl Answers {
    pub(crate) fn new(authorizer: &dyn Authorizer, generation: u32) -> Self {
        Self {
            generation: authorizer.answers_last().then_some(generation),
            restrict_receiving: authorizer.restricts_receiving(),
        }
    }
}

/// What the authorizer has said of one session lately: most clients publish to few topics and are sent few, over and over,
/// and comparing a topic costs much less than finding its rule.
///
/// It is for an authorizer whose answers [last](Authorizer::answers_last), and belongs to one identity and one generation
/// of rules.
#[derive(Default)]
pub(crate) struct RightsCache {
    /// Reloads of the shard when the answers were given.
    generation: u32,
    answers: Vec<Answer>,
    /// The one that was asked for last.
    last: usize,
    /// The one that is forgotten next.
    oldest: usize,
}

struct Answer {
    topic: String,
    question: Question,
    allowed: bool,
}

/// What is asked about a topic: bits, so that comparing takes one step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question(u8);

impl Question {
    pub(crate) const RECEIVE: Self = Self(0x80);
    const RETAIN: u8 = 0x04;
    const QOS: u8 = 0x03;

    #[inline]
    pub(crate) fn publish(qos: QoS, retain: bool) -> Self {
        Self(qos.to_byte() | if retain { Self::RETAIN } else { 0 })
    }

    #[inline]
    fn ask(self, authorizer: &dyn Authorizer, identity: &Identity, topic: &str) -> bool {
        if self == Self::RECEIVE {
            return authorizer.may_receive(identity, topic);
        }
        let qos = QoS::from_byte(self.0 & Self::QOS).unwrap_or(QoS::ExactlyOnce);
        authorizer.may_publish(identity, topic, qos, self.0 & Self::RETAIN != 0)
    }
}

/// Asks the authorizer, unless the answer is known.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) authorizer: &'a dyn Authorizer,
    pub(crate) answers: Answers,
}

impl Rules<'_> {
    #[inline]
    pub(crate) fn may_receive(
        self,
        cache: &mut Option<Box<RightsCache>>,
        identity: &Identity,
        topic: &str,
    ) -> bool {
        !self.answers.restrict_receiving || self.allow(cache, identity, Question::RECEIVE, topic)
    }

    #[inline]
    pub(crate) fn allow(
        self,
        cache: &mut Option<Box<RightsCache>>,
        identity: &Identity,
        question: Question,
        topic: &str,
    ) -> bool {
        let Some(generation) = self.answers.generation else {
            return question.ask(self.authorizer, identity, topic);
        };
        // Nearly always what was asked before.
        if let Some(cache) = cache.as_deref()
            && let Some(last) = cache.answers.get(cache.last)
            && cache.generation == generation
            && last.question == question
            && *last.topic == *topic
        {
            return last.allowed;
        }
        self.look_up(generation, cache, identity, question, topic)
    }

    // Not to make everything around it slower where there are no rules.
    #[inline(never)]
    fn look_up(
        self,
        generation: u32,
        cache: &mut Option<Box<RightsCache>>,
        identity: &Identity,
        question: Question,
        topic: &str,
    ) -> bool {
        if topic.len() > TOPIC_BYTES_MAX {
            return question.ask(self.authorizer, identity, topic);
        }
        let cache = cache.get_or_insert_default();
        cache.answer((self.authorizer, generation), identity, question, topic)
    }
}

impl RightsCache {
    fn answer(
        &mut self,
        (authorizer, generation): (&dyn Authorizer, u32),
        identity: &Identity,
        question: Question,
        topic: &str,
    ) -> bool {
        if self.generation != generation {
            *self = Self { generation, ..Self::default() };
        }
        let is_it = |answer: &Answer| answer.question == question && answer.topic == topic;
        if let Some(known) = self.answers.iter().position(is_it) {
            self.last = known;
            return self.answers[known].allowed;
        }
        let allowed = question.ask(authorizer, identity, topic);
        self.keep(topic, question, allowed);
        allowed
    }

    fn keep(&mut self, topic: &str, question: Question, allowed: bool) {
        if self.answers.len() < ANSWERS_MAX {
            self.last = self.answers.len();
            return self.answers.push(Answer { topic: topic.to_owned(), question, allowed });
        }
        // Its text is overwritten, so that nothing is allocated for each message of a client of many topics.
        let answer = &mut self.answers[self.oldest];
        answer.topic.clear();
        answer.topic.push_str(topic);
        (answer.question, answer.allowed) = (question, allowed);
        self.last = self.oldest;
        self.oldest = (self.oldest + 1) % ANSWERS_MAX;
    }
}
