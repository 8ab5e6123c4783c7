use std::io::{BufRead, BufReader, Read, Write};

use ferry_client::TlsOptions;
use serde_json::Value;

use super::door::Door;
use super::failure::Failure;

/// Bytes of an answer; a page has far fewer.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Bytes of the head of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Bytes of one line.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// Asks the admin API, one connection for each request.
pub(super) struct Api {
    door: Door,
    tls: TlsOptions,
    token: Option<String>,
}

impl Api {
    /// `tls` is for a door with TLS.
    pub(super) fn new(door: Door, tls: TlsOptions, token: Option<String>) -> Self {
        Self { door, tls, token }
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask("GET", path, None)
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask("POST", path, Some(body))
    }

    pub(super) fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask("PUT", path, Some(body))
    }

    pub(super) fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.ask("DELETE", path, None)
    }

    /// Lines of JSON as they come, until the broker ends them; empty ones say nothing.
    pub(super) fn lines(&self, path: &str, mut each: impl FnMut(&Value)) -> Result<(), Failure> {
        let lost = |error: std::io::Error| {
            let remedy = "look whether the broker still runs, and try again";
            Failure::no_answer(format!("the broker has gone silent: {error}"), remedy)
        };
        let mut socket = self.door.open(&self.tls)?;
        socket.write_all(self.request("GET", path, None).as_bytes()).map_err(lost)?;
        let mut input = BufReader::new(socket);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
            if (&mut input).take(LINE_BYTES_MAX).read_until(b'\n', &mut head).map_err(lost)? == 0 {
                break;
            }
        }
        if status_of(&head) != Some(200) {
            input.take(ANSWER_BYTES_MAX).read_to_end(&mut head).map_err(lost)?;
            let (status, document) = parse(&head).ok_or_else(no_api)?;
            return Err(Failure::problem(status, &document));
        }
        let mut line = Vec::new();
        while (&mut input).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(lost)? > 0 {
            if let Ok(event) = serde_json::from_slice(&line) {
                each(&event);
            }
            line.clear();
        }
        Ok(())
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let mut socket = self.door.open(&self.tls)?;
        let lost = |error: std::io::Error| {
            Failure::no_answer(
                format!("the broker does not answer: {error}"),
                "look at its log, and try again",
            )
        };
        let sent = socket.write_all(self.request(method, path, body).as_bytes());
        let mut answer = Vec::new();
        // Whoever refuses a request may answer before it is whole.
        let read = (&mut socket).take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
        if answer.is_empty() {
            sent.and(read).map_err(lost)?;
            let remedy = "has the broker just ended, or too many connections (admin.connections_max)? Look at its log, and check \
                          --admin: it is not the port for MQTT";
            return Err(Failure::no_answer("the connection has ended without an answer", remedy));
        }
        let (status, document) = parse(&answer).ok_or_else(no_api)?;
        if (200..300).contains(&status) { Ok(document) } else { Err(Failure::problem(status, &document)) }
    }

    /// By HTTP/1.0 the answer ends with the connection, and never comes in chunks.
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> String {
        let mut text = format!(
            "{method} /api/v1{path} HTTP/1.0\r\nHost: {}\r\nAccept: application/json\r\n",
            self.door.host()
        );
        if let Some(token) = &self.token {
            text.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        let body = body.map(Value::to_string);
        if let Some(body) = &body {
            text.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(&body.unwrap_or_default());
        text
    }
}

/// Status and document of an answer.
fn parse(answer: &[u8]) -> Option<(u16, Value)> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((status_of(&answer[..end])?, serde_json::from_slice(&answer[end + 4..]).ok()?))
}

/// That of the head of an answer.
fn status_of(head: &[u8]) -> Option<u16> {
    let mut words = std::str::from_utf8(head).ok()?.lines().next()?.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1.")).and(words.next())?.parse().ok()
}

fn no_api() -> Failure {
    let remedy =
        "check --admin: it is not the port for MQTT, and where admin.address is tls:// it is https://";
    Failure::no_answer("what answers is no admin API of Ferry", remedy)
}

/// A text as it stands in a URL.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_ends_without_an_answer_is_no_other_program() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let admin = format!("http://{}", listener.local_addr().expect("an address"));
        let ended = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("a connection");
            // All of it, so that the connection is ended and not reset.
            let mut request = [0; 4096];
            let mut length = 0;
            while !request[..length].ends_with(b"\r\n\r\n") {
                length += socket.read(&mut request[length..]).expect("a request");
            }
        });
        let door = Door::find(Some(&admin), None).expect("a door");
        let failure = Api::new(door, TlsOptions::default(), None).get("/broker").expect_err("no answer");
        ended.join().expect("it ended");
        assert!(failure.to_string().contains("without an answer"), "{failure}");
    }

    #[test]
    fn answers_are_documents_or_none() {
        let (status, document) =
            parse(b"HTTP/1.0 404 Not Found\r\na: b\r\n\r\n{\"detail\":\"x\"}").expect("an answer");
        assert_eq!((status, document["detail"].as_str()), (404, Some("x")));
        for wrong in [
            &b"\x20\x02\0\0"[..],
            b"HTTP/1.0 200 OK\r\n",
            b"HTTP/1.0 200 OK\r\n\r\n<html>",
            b"SSH-2.0\r\n\r\n{}",
        ] {
            assert!(parse(wrong).is_none(), "{wrong:?}");
        }
        assert_eq!(encoded("a b/\u{e9}+#"), "a%20b%2F%C3%A9%2B%23");
    }
}
