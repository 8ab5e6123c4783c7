//! What the broker tells a collector of traces: read by the definitions of OpenTelemetry itself, of which every name and type must be
//! one of `ExportTraceServiceRequest`; and taken by Rotel, a collector that others wrote. The publisher is `mosquitto_pub`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use ferry_tests::broker::free_port;
use ferry_tests::ferry::{Certificates, Ferry, ScratchDirectory, Transport};
use libtest_mimic::Trial;

use crate::mosquitto_program::MosquittoProgram;

/// Prints each span as a line: name, trace, parent, client, version. Identifiers are hexadecimal, which is where the JSON of
/// OTLP is not that of protobuf.
const COLLECTOR: &str = r#"
import base64, http.server, json, re, ssl, sys
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
def identifiers(document):
    for resource in document['resourceSpans']:
        for scope in resource['scopeSpans']:
            for span in scope['spans']:
                for name, digits in [('traceId', 32), ('spanId', 16), ('parentSpanId', 16)]:
                    if name in span:
                        assert re.fullmatch('[0-9a-f]{%d}' % digits, span[name]), span
                        span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *_):
        pass
    def do_POST(self):
        assert self.path == '/v1/traces' and self.headers['Content-Type'] == 'application/json'
        document = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        identifiers(document)
        request = json_format.ParseDict(document, ExportTraceServiceRequest())
        for resource in request.resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            assert names['service.name'] == 'bus', names
            for span in resource.scope_spans[0].spans:
                about = {each.key: each.value for each in span.attributes}
                assert about['messaging.system'].string_value == 'mqtt'
                assert about['messaging.message.body.size'].int_value == 5
                assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
                assert span.kind in (2, 4) and span.flags & 1
                print(span.name, span.trace_id.hex(), span.parent_span_id.hex() or '-', about['messaging.client.id'].string_value,
                      about['network.protocol.version'].string_value, flush=True)
        body = json_format.MessageToJson(ExportTraceServiceResponse()).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Collector)
if len(sys.argv) > 1:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

pub(crate) fn trials() -> Vec<Trial> {
    let understood = Trial::test("opentelemetry::the_collector_understands_what_it_is_told", || {
        told(&ScratchDirectory::new());
        Ok(())
    });
    let rotel = rotel();
    let is_missing = rotel.is_none();
    let taken = Trial::test("opentelemetry::a_collector_of_others_takes_it", move || {
        taken_by_rotel(&rotel.expect("it is not ignored"));
        Ok(())
    });
    vec![understood, taken.with_ignored_flag(is_missing)]
}

/// Where `cargo xtask test-tools` puts it, if it can.
fn rotel() -> Option<PathBuf> {
    let versions = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("test-tools/rotel/lib");
    let packages = std::fs::read_dir(versions).ok()?.filter_map(Result::ok);
    packages.map(|version| version.path().join("site-packages/rotel/rotel-agent")).find(|path| path.exists())
}

struct Collector {
    process: Child,
    output: BufReader<ChildStdout>,
    port: String,
}

impl Collector {
    fn start(arguments: &[&Path]) -> Self {
        let mut command = Command::new(crate::library::python());
        command.args(["-c", COLLECTOR]).args(arguments).stdout(Stdio::piped());
        let mut process = command.spawn().expect("Python");
        let mut output = BufReader::new(process.stdout.take().expect("captured"));
        let port = line(&mut output);
        Self { process, output, port }
    }

    /// The words of the next line.
    fn span(&mut self) -> Vec<String> {
        line(&mut self.output).split(' ').map(str::to_owned).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn line(output: &mut impl BufRead) -> String {
    let mut line = String::new();
    output.read_line(&mut line).expect("UTF-8");
    assert!(line.ends_with('\n'), "the collector has ended; it says why on standard error");
    line.trim_end().to_owned()
}

fn publish(ferry: &Ferry, version: &str, client_id: &str, more: &[&str]) {
    let port = ferry.port(Transport::Tcp).to_string();
    let mut command = Command::new("mosquitto_pub");
    command.args(["-p", &port, "-V", version, "-i", client_id, "-q", "1", "-t", "a/b", "-m", "hello"]);
    let status = command.args(more).status().expect("`cargo xtask test-tools` installs it");
    assert!(status.success());
}

fn told(directory: &ScratchDirectory) {
    let certificates = Certificates::new(directory);
    let mut collector = Collector::start(&[&certificates.server, &certificates.server_key]);
    let (port, authority) = (&collector.port, certificates.authority.display());
    let ferry = Ferry::start(&format!(
        "[opentelemetry]\nendpoint = \"https://localhost:{port}\"\nca_file = \"{authority}\"\nservice_name = \"bus\"\n\
         sample_one_in = 1\nbatch_spans_max = 1\n",
    ));
    ferry.wait_for_log("traces     https://localhost:");
    let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
    publish(&ferry, "5", "new", &["-D", "publish", "user-property", "traceparent", &parent]);
    assert_eq!(collector.span(), ["receive", TRACE, "b7ad6b7169203331", "new", "5.0"]);
    let unsampled = parent.replace("-01", "-00");
    publish(&ferry, "5", "new", &["-D", "publish", "user-property", "traceparent", &unsampled]);
    publish(&ferry, "311", "old", &[]);
    let span = collector.span();
    assert_eq!((&*span[0], &*span[2], &*span[3], &*span[4]), ("receive", "-", "old", "3.1.1"));
    assert_ne!(span[1], TRACE);
    ferry.stop();
}

fn taken_by_rotel(program: &Path) {
    let [http, other] = [(); 2].map(|()| free_port().expect("a port"));
    let mut rotel = MosquittoProgram::start(
        Command::new(program)
            .args([
                "start",
                "--exporter",
                "blackhole",
                "--debug-log",
                "traces",
                "--debug-log-verbosity",
                "detailed",
            ])
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{http}")])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{other}")]),
    );
    let ferry = Ferry::start(&format!(
        "[opentelemetry]\nendpoint = \"http://127.0.0.1:{http}\"\nservice_name = \"bus\"\nsample_one_in = 1\n\
         batch_spans_max = 1\n",
    ));
    let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let mut properties = vec!["-D", "publish", "user-property", "traceparent", &parent];
    properties.extend(["-D", "publish", "user-property", "tracestate", "a=1"]);
    publish(&ferry, "5", "new", &properties);
    rotel.expect("     -> service.name", "     -> service.name: Str(bus)");
    rotel.expect("    Trace ID", &format!("    Trace ID       : {TRACE}"));
    rotel.expect("    Parent ID", "    Parent ID      : b7ad6b7169203331");
    rotel.expect("    Name", "    Name           : receive");
    rotel.expect("    Kind", "    Kind           : SPAN_KIND_SERVER");
    rotel.expect("    TraceState", "    TraceState     : a=1");
    rotel.expect("     -> messaging.client.id", "     -> messaging.client.id: Str(new)");
    rotel.expect("     -> messaging.message.body.size", "     -> messaging.message.body.size: Int(5)");
    rotel.expect("     -> mqtt.retain", "     -> mqtt.retain: Bool(false)");
    publish(&ferry, "311", "old", &[]);
    assert!(!rotel.wait_for("    Trace ID").contains(TRACE));
    rotel.expect("    Parent ID", "    Parent ID      : ");
    rotel.expect("     -> messaging.client.id", "     -> messaging.client.id: Str(old)");
    rotel.expect("     -> network.protocol.version", "     -> network.protocol.version: Str(3.1.1)");
    ferry.stop();
}
