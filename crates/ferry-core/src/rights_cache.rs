use crate::authorizer::{Authorizer, Identity};
use ferry_codec::QoS;

/// Answers kept for one session.
const ANSWERS_MAX: usize = 8;

/// Bytes of a topic whose answer is kept.
const TOPIC_BYTES_MAX: usize = 256;

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
    /// The one that is forgotten next.
    oldest: usize,
}

struct Answer {
    topic: String,
    question: Question,
    allowed: bool,
}

/// What is asked about a topic.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    Publish { qos: QoS, retain: bool },
    Receive,
}

impl Question {
    fn ask(self, authorizer: &dyn Authorizer, identity: &Identity, topic: &str) -> bool {
        match self {
            Self::Publish { qos, retain } => authorizer.may_publish(identity, topic, qos, retain),
            Self::Receive => authorizer.may_receive(identity, topic),
        }
    }
}

/// Asks the authorizer, unless the answer is known.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) authorizer: &'a dyn Authorizer,
    /// `None` if answers are not kept.
    pub(crate) generation: Option<u32>,
}

impl Rules<'_> {
    #[inline]
    pub(crate) fn may_receive(
        self,
        cache: &mut Option<Box<RightsCache>>,
        identity: &Identity,
        topic: &str,
    ) -> bool {
        !self.authorizer.restricts_receiving() || self.allow(cache, identity, Question::Receive, topic)
    }

    #[inline]
    pub(crate) fn allow(
        self,
        cache: &mut Option<Box<RightsCache>>,
        identity: &Identity,
        question: Question,
        topic: &str,
    ) -> bool {
        match self.generation {
            Some(generation) if topic.len() <= TOPIC_BYTES_MAX => {
                let cache = cache.get_or_insert_default();
                cache.answer((self.authorizer, generation), identity, question, topic)
            }
            _ => question.ask(self.authorizer, identity, topic),
        }
    }
}

impl RightsCache {
    // Not to make everything around it slower where there are no rules.
    #[inline(never)]
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
        let known = self.answers.iter().find(|answer| answer.question == question && answer.topic == topic);
        if let Some(answer) = known {
            return answer.allowed;
        }
        let allowed = question.ask(authorizer, identity, topic);
        self.keep(topic, question, allowed);
        allowed
    }

    fn keep(&mut self, topic: &str, question: Question, allowed: bool) {
        if self.answers.len() < ANSWERS_MAX {
            return self.answers.push(Answer { topic: topic.to_owned(), question, allowed });
        }
        // Its text is overwritten, so that nothing is allocated for each message of a client of many topics.
        let answer = &mut self.answers[self.oldest];
        answer.topic.clear();
        answer.topic.push_str(topic);
        (answer.question, answer.allowed) = (question, allowed);
        self.oldest = (self.oldest + 1) % ANSWERS_MAX;
    }
}
