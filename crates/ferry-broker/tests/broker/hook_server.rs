//! A server that is asked who a client is, and can behave as none should.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// What comes at all comes much sooner.
const PATIENCE: Duration = Duration::from_secs(20);

/// What it does with a question.
pub(crate) enum Reply {
    /// Status 200 and this body; the connection stays.
    Body(String),
    /// These bytes, then the end.
    Raw(Vec<u8>),
    /// Status 200 and this body, then the end, which nothing has announced.
    BodyThenEnd(String),
    /// Nothing until the test says so, then this body.
    Wait(mpsc::Receiver<()>, String),
}

/// One request.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) head: String,
    pub(crate) body: Value,
}

pub(crate) struct HookServer {
    pub(crate) address: SocketAddr,
    questions: mpsc::Receiver<Question>,
    connections: Arc<AtomicUsize>,
}

impl HookServer {
    /// Answers each question as `reply` says. Its threads end with the connections.
    pub(crate) fn start(reply: impl Fn(&Question) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (asked, questions) = mpsc::channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let (reply, accepted) = (Arc::new(reply), Arc::clone(&connections));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, reply, asked) =
                    (stream.expect("a connection"), Arc::clone(&reply), asked.clone());
                accepted.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || serve(&stream, &*reply, &asked));
            }
        });
        Self { address, questions, connections }
    }

    /// Always this body.
    pub(crate) fn answering(body: &str) -> Self {
        let body = body.to_owned();
        Self::start(move |_| Reply::Body(body.clone()))
    }

    pub(crate) fn url(&self) -> Option<String> {
        Some(format!("http://{}/mqtt?x=1", self.address))
    }

    /// Waits for the next question.
    pub(crate) fn question(&self) -> Question {
        self.questions.recv_timeout(PATIENCE).expect("a question")
    }

    /// How many questions came since the last look.
    pub(crate) fn questions(&self) -> usize {
        self.questions.try_iter().count()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn serve(stream: &TcpStream, reply: &dyn Fn(&Question) -> Reply, asked: &mpsc::Sender<Question>) {
    let mut reader = BufReader::new(stream);
    while let Some(question) = read(&mut reader) {
        let reply = reply(&question);
        let _ = asked.send(question);
        let mut output = stream;
        let ends = matches!(reply, Reply::Raw(_) | Reply::BodyThenEnd(_));
        let bytes = match reply {
            Reply::Body(body) | Reply::BodyThenEnd(body) => whole(&body),
            Reply::Raw(bytes) => bytes,
            Reply::Wait(go_on, body) => {
                let _ = go_on.recv();
                whole(&body)
            }
        };
        if output.write_all(&bytes).is_err() || ends {
            return;
        }
    }
}

fn whole(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn read(reader: &mut impl BufRead) -> Option<Question> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Question { head, body: serde_json::from_slice(&body).unwrap_or_default() })
}
