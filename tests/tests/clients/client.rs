//! One client of some library, that does what a test says.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::line::Line;

/// How long a fact may take. Nothing takes as long, unless the machine is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// How orders reach a client: a program's standard input, or a thread.
pub(crate) enum Hand {
    Process { child: Child, orders: ChildStdin, facts: Receiver<String> },
    Thread { orders: UnboundedSender<Line>, facts: Receiver<String> },
}

/// Tells a fact to the test.
pub(crate) type Tell = mpsc::Sender<String>;

impl Hand {
    pub(crate) fn process(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("{}: {error}: `cargo xtask test-tools` installs it", command.get_program().display())
        });
        let orders = child.stdin.take().expect("piped");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (tell, facts) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _unwanted = tell.send(line);
            }
        });
        Self::Process { child, orders, facts }
    }

    /// The thread ends, and with it the connection, when no more orders can come.
    pub(crate) fn thread(run: fn(UnboundedReceiver<Line>, Tell)) -> Self {
        let (orders, incoming) = unbounded_channel();
        let (tell, facts) = mpsc::channel();
        std::thread::spawn(move || run(incoming, tell));
        Self::Thread { orders, facts }
    }

    fn facts(&self) -> &Receiver<String> {
        match self {
            Self::Process { facts, .. } | Self::Thread { facts, .. } => facts,
        }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        if let Self::Process { child, .. } = self {
            let _ended = child.kill();
            let _status = child.wait();
        }
    }
}

/// A client and the facts that it has told.
pub(crate) struct Client {
    hand: Hand,
    /// For messages of failed tests.
    name: String,
    transcript: Vec<String>,
    unread: VecDeque<Line>,
}

impl Client {
    pub(crate) fn new(name: &str, hand: Hand) -> Self {
        Self { hand, name: name.to_owned(), transcript: Vec::new(), unread: VecDeque::new() }
    }

    /// Gives an order, written as in `tests/clients/README.md`.
    pub(crate) fn order(&mut self, order: &str) {
        self.order_line(&Line::parse(order));
    }

    pub(crate) fn order_line(&mut self, order: &Line) {
        self.transcript.push(format!("> {order}"));
        let sent = match &mut self.hand {
            Hand::Process { orders, .. } => writeln!(orders, "{order}").is_ok(),
            Hand::Thread { orders, .. } => orders.send(order.clone()).is_ok(),
        };
        assert!(sent, "the client has ended\n{}", self.story());
    }

    /// The next fact of this kind. Facts of other kinds may come before: an acknowledgement and a message that it
    /// caused have no order between them.
    pub(crate) fn next(&mut self, word: &str) -> Line {
        let fact = self.next_within(word, PATIENCE);
        fact.unwrap_or_else(|| panic!("\"{word}\" does not come\n{}", self.story()))
    }

    /// As [`Client::next`], if it comes in this time.
    pub(crate) fn next_within(&mut self, word: &str, patience: Duration) -> Option<Line> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(at) = self.unread.iter().position(|fact| fact.word == word) {
                return self.unread.remove(at);
            }
            let fact =
                match self.hand.facts().recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                    Ok(line) => Line::parse(&line),
                    Err(RecvTimeoutError::Timeout) => return None,
                    Err(RecvTimeoutError::Disconnected) => {
                        panic!("\"{word}\" does not come, the client has ended\n{}", self.story())
                    }
                };
            self.transcript.push(format!("< {fact}"));
            self.unread.push_back(fact);
        }
    }

    /// Waits for a fact of the same kind; it must be this one.
    pub(crate) fn expect(&mut self, expected: &str) {
        let expected = Line::parse(expected);
        let fact = self.next(&expected.word);
        assert_eq!(fact.to_string(), expected.to_string(), "\n{}", self.story());
    }

    /// An order and the fact that must follow.
    pub(crate) fn does(&mut self, order: &str, expected: &str) {
        self.order(order);
        self.expect(expected);
    }

    /// The process ends at once and cannot say DISCONNECT.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Ends the connection as a client does.
    pub(crate) fn disconnect(mut self) {
        self.order("disconnect");
        self.next("closed");
        self.has_no_more("message");
    }

    /// No fact of this kind may be left that the test has not asked for.
    pub(crate) fn has_no_more(&mut self, word: &str) {
        while let Ok(line) = self.hand.facts().try_recv() {
            self.transcript.push(format!("< {line}"));
            self.unread.push_back(Line::parse(&line));
        }
        let left = self.unread.iter().find(|fact| fact.word == word);
        assert!(left.is_none(), "unexpected: {}\n{}", left.expect("there is one"), self.story());
    }

    fn story(&self) -> String {
        format!("what {} was told (>) and told (<):\n{}", self.name, self.transcript.join("\n"))
    }
}
