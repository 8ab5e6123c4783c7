//! A hook of Python's standard library, with and without TLS, and clients that others wrote.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ferry_tests::ferry::{Certificates, Ferry, ScratchDirectory, Transport};
use libtest_mimic::Trial;

/// Lets `ada` in with her password and the secret of the broker, asks others to be judged by the next; `broken` breaks it.
const SERVER: &str = r#"
import http.server, json, ssl, sys
class Hook(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *_):
        pass
    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        user, password = question['user_name'], question['password']
        if user == 'ada':
            right = password == 'one' and self.headers['X-Secret'] == '3nf8'
            answer = {'result': 'allow'} if right else {'result': 'deny', 'reason': 'no such pair'}
        else:
            answer = {'result': 'ignore'}
        body = json.dumps(answer).encode()
        if user == 'broken':
            return self.send_error(500)
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Hook)
if len(sys.argv) > 1:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

const PAHO: &str = "
import sys, paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id='paho', protocol=int(sys.argv[2]))
client.username_pw_set(sys.argv[3], sys.argv[4])
def answered(client, userdata, flags, reason, properties):
    print(reason)
    client.disconnect()
client.on_connect = answered
client.on_connect_fail = lambda *_: client.disconnect()
client.connect('127.0.0.1', int(sys.argv[1]))
client.loop_forever(retry_first_connection=False)
";

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| {
        Trial::test(format!("hook::{name}"), move || {
            run();
            Ok(())
        })
    };
    vec![
        trial("mosquitto_pub_and_paho_are_let_in_or_told_why_not", plain),
        trial("its_certificate_is_checked", certificates),
    ]
}

struct Server {
    process: Child,
    port: String,
}

impl Server {
    fn start(arguments: &[&Path]) -> Self {
        let mut command = Command::new(crate::library::python());
        command.args(["-c", SERVER]).args(arguments).stdout(Stdio::piped());
        let mut process = command.spawn().expect("Python");
        let mut port = String::new();
        let output = process.stdout.take().expect("captured");
        BufReader::new(output).read_line(&mut port).expect("its port");
        Self { process, port: port.trim().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn broker(directory: &ScratchDirectory, url: &str, more: &str) -> Ferry {
    let headers: PathBuf = directory.write("headers", "X-Secret: 3nf8\n");
    let ferry = Ferry::start(&format!(
        "[authentication]\nhook_url = \"{url}\"\nhook_header_file = \"{}\"\n{more}",
        headers.display()
    ));
    assert!(ferry.log().contains("(hook, anonymous allowed"), "{}", ferry.log());
    ferry
}

/// What `mosquitto_pub` says.
fn publish(ferry: &Ferry, version: &str, user: &str, password: &str) -> String {
    let port = ferry.port(Transport::Tcp).to_string();
    let mut command = Command::new("mosquitto_pub");
    command.args(["-p", &port, "-V", version, "-t", "t", "-m", "m", "-u", user, "-P", password]);
    let output = command.output().expect("`cargo xtask test-tools` installs it");
    String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned()
}

fn paho(ferry: &Ferry, version: &str, user: &str, password: &str) -> String {
    let port = ferry.port(Transport::Tcp).to_string();
    let mut command = Command::new(crate::library::python());
    let output = command.args(["-c", PAHO, &port, version, user, password]).output();
    let output = output.expect("`cargo xtask test-tools` installs paho-mqtt");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn plain() {
    let directory = ScratchDirectory::new();
    let server = Server::start(&[]);
    let ferry = broker(&directory, &format!("http://127.0.0.1:{}/mqtt", server.port), "");
    assert_eq!(publish(&ferry, "5", "ada", "one"), "");
    assert_eq!(publish(&ferry, "311", "ada", "one"), "");
    assert_eq!(publish(&ferry, "5", "ada", "two"), "Connection error: Not authorized");
    let refused = "Connection error: Connection Refused: not authorised.";
    assert_eq!(publish(&ferry, "311", "ada", "two"), refused);
    ferry.wait_for_log("the hook denies it: no such pair");
    // These listeners let in whom nobody has judged.
    assert_eq!(publish(&ferry, "5", "somebody", "x"), "");
    assert_eq!(paho(&ferry, "5", "ada", "one"), "Success");
    assert_eq!(paho(&ferry, "5", "broken", "x"), "Server unavailable");
    assert_eq!(paho(&ferry, "4", "broken", "x"), "Server unavailable");
    ferry.wait_for_log("the hook cannot be asked: it answered 500 Internal Server Error");
    drop(server);
    assert_eq!(paho(&ferry, "5", "ada", "one"), "Server unavailable");
    assert!(!ferry.log().contains("3nf8"), "{}", ferry.log());
    ferry.stop();
}

fn certificates() {
    let directory = ScratchDirectory::new();
    let certificates = Certificates::new(&directory);
    let server = Server::start(&[&certificates.server, &certificates.server_key]);
    let url = format!("https://localhost:{}/mqtt", server.port);
    let ca_file = format!("hook_ca_file = \"{}\"\n", certificates.authority.display());
    let ferry = broker(&directory, &url, &ca_file);
    assert_eq!(publish(&ferry, "5", "ada", "one"), "");
    assert_eq!(publish(&ferry, "5", "ada", "two"), "Connection error: Not authorized");
    ferry.stop();
    // Nobody on this machine trusts the authority of a test.
    let ferry = broker(&directory, &url, "");
    assert_eq!(paho(&ferry, "5", "ada", "one"), "Server unavailable");
    ferry.wait_for_log("the hook cannot be asked: no TLS: invalid peer certificate: UnknownIssuer");
    ferry.stop();
}
