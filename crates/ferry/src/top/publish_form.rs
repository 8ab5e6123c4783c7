use ferry_client::{Message, QoS};

use crate::client::{check_topic_name, qos};

/// A message in the making.
#[derive(Debug)]
pub(super) struct PublishForm {
    /// What is written: topic and payload.
    pub(super) texts: [String; 2],
    pub(super) qos: u8,
    pub(super) retain: bool,
    pub(super) at: Place,
    /// What is wrong with it.
    pub(super) wrong: Option<String>,
}

/// Where the keys go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Topic,
    Payload,
    Qos,
    Retain,
}

impl Place {
    pub(super) const ALL: [Self; 4] = [Self::Topic, Self::Payload, Self::Qos, Self::Retain];

    fn by(self, distance: usize) -> Self {
        Self::ALL[(self as usize + distance) % Self::ALL.len()]
    }
}

impl PublishForm {
    /// With the payload to be written first, if there is a topic.
    pub(super) fn new(topic: String) -> Self {
        let at = if topic.is_empty() { Place::Topic } else { Place::Payload };
        Self { texts: [topic, String::new()], qos: 0, retain: false, at, wrong: None }
    }

    pub(super) fn next(&mut self) {
        self.at = self.at.by(1);
    }

    pub(super) fn previous(&mut self) {
        self.at = self.at.by(Place::ALL.len() - 1);
    }

    /// A letter: it is written, or changes the choice.
    pub(super) fn write(&mut self, letter: char) {
        match self.at {
            Place::Topic => self.texts[0].push(letter),
            Place::Payload => self.texts[1].push(letter),
            Place::Qos => {
                let digit = letter.to_digit(3).and_then(|digit| u8::try_from(digit).ok());
                self.qos = digit.unwrap_or((self.qos + 1) % 3);
            }
            Place::Retain => self.retain = !self.retain,
        }
    }

    pub(super) fn erase(&mut self, all: bool) {
        let text = match self.at {
            Place::Topic => &mut self.texts[0],
            Place::Payload => &mut self.texts[1],
            Place::Qos | Place::Retain => return,
        };
        if all {
            text.clear();
        } else {
            text.pop();
        }
    }

    /// The message, if it is one.
    pub(super) fn message(&mut self) -> Option<Message> {
        let [topic, payload] = &self.texts;
        self.wrong = check_topic_name(topic).err();
        let qos: QoS = qos(self.qos);
        self.wrong.is_none().then(|| Message::new(topic, payload.as_str()).qos(qos).retain(self.retain))
    }
}
