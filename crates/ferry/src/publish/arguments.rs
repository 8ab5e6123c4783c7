use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};

use crate::client::{ConnectionArguments, seconds};
use crate::payload_format::WrittenFormat;

/// Publish messages
///
/// With the options of mosquitto_pub. Ends when the server has taken everything: with QoS 1 and 2, acknowledged it. If the
/// connection is lost meanwhile, it is made again.
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    version,
    disable_version_flag = true,
    args_override_self = true,
    after_help = "\
Examples:
  ferry pub -t house/kitchen/temperature -m 21.5
  ferry pub -t house/kitchen/temperature -m 21.5 -q 1 -r
  ferry pub -t house/kitchen/temperature -r -n            delete what is retained there
  tail -f log | ferry pub -t log -l -q 1                  a message for each line
  ferry pub -t room/{random:1..9} -m '{\"n\":{number},\"t\":{random:18.0..25.0}}' --template --repeat 1000 --rate 20
  ferry pub --json-lines -q 1 < messages.jsonl            topics and all else are on the lines
  ferry pub -t camera/1 --files *.jpg                     a message for each file
  ferry pub -t meter/7 -m '01 03 00 0a ff' --format hex   bytes; also base64, json, and cbor from JSON
  ferry pub -t camera/1 -f picture.jpg -h broker.example --cafile ca.pem -u ada -P secret
  ferry pub -t a -m x -D publish content-type text/plain -D publish user-property unit celsius

Exit codes: 0 the server has everything; 1 it cannot be done, the server cannot be reached, or messages of QoS 0 may be
lost with a lost connection; 2 wrong command line; 7 the server closes each connection and acknowledges nothing;
130 stopped before the server had everything; 1 to 5 (before MQTT 5.0) or 128 and above: the server refused the
connection or a message for this reason."
)]
#[command(group = ArgGroup::new("source").required(true).args(["message", "file", "null_message", "stdin_line", "stdin_file", "json_lines", "files"]))]
pub(crate) struct PublishArguments {
    /// Publish on this topic
    #[arg(short, long, value_name = "TOPIC", required_unless_present_any = ["url", "json_lines"], allow_hyphen_values = true)]
    pub(super) topic: Option<String>,

    #[command(flatten)]
    pub(super) source: Source,

    /// Each line of standard input is a message
    #[arg(short = 'l', long)]
    pub(super) stdin_line: bool,

    /// Each line of standard input is a message as JSON: {"topic":"a","payload":"x","qos":1,"retain":true,"properties":{...}}
    ///
    /// What a line does not have is taken from -t, -q, -r and -D publish. A line that is wrong ends it, with the number of the line.
    #[arg(long)]
    pub(super) json_lines: bool,

    /// With --json-lines: tell of lines that are wrong, and leave them out
    #[arg(long, requires = "json_lines", conflicts_with_all = ["message", "file", "null_message", "stdin_line", "stdin_file", "files"])]
    pub(super) skip_bad_lines: bool,

    /// Each of these files is a message
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(super) files: Vec<PathBuf>,

    /// The message, each line or each file is written in this format, and published as what it stands for
    #[arg(long, value_name = "FORMAT", conflicts_with = "null_message")]
    pub(super) format: Option<WrittenFormat>,

    /// 0: at most once, 1: at least once, 2: exactly once
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(super) qos: u8,

    /// Have the server keep the message for those who subscribe later
    #[arg(short, long)]
    pub(super) retain: bool,

    /// Publish the message so many times; not with lines and --files
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..), conflicts_with_all = ["stdin_line", "json_lines", "files"])]
    pub(super) repeat: u64,

    /// Seconds between one time and the next, such as 0.5
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    pub(super) repeat_delay: Duration,

    /// Publish so many messages per second, such as 0.5
    #[arg(long, value_name = "NUMBER", value_parser = rate, conflicts_with = "repeat_delay")]
    pub(super) rate: Option<f64>,

    /// Fill {number}, {time}, {unix_ms}, {uuid}, {random:1..6} and {random:18.0..25.0} in topic and message, each time anew
    #[arg(long, conflicts_with_all = ["stdin_line", "json_lines", "files"])]
    pub(super) template: bool,

    #[command(flatten)]
    pub(super) connection: ConnectionArguments,
}

/// Where the message comes from.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The message
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) message: Option<OsString>,

    /// The message is all that is in this file
    #[arg(short, long, value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) file: Option<PathBuf>,

    /// The message is empty
    #[arg(short, long)]
    pub(crate) null_message: bool,

    /// The message is all of standard input
    #[arg(short = 's', long)]
    pub(crate) stdin_file: bool,
}

/// Messages per second.
fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| (0.000_001..=10_000_000.0).contains(rate));
    rate.ok_or_else(|| "not a number of messages per second above 0".to_owned())
}
