use std::time::Duration;

use clap::{ArgGroup, Args};

use crate::client::{ConnectionArguments, seconds_above_0};
use crate::publish::Source;
use crate::subscribe::FormArguments;

/// Publish a request, and print the answer
///
/// With the options of mosquitto_rr. Subscribes to the response topic, publishes the message with it as its Response Topic,
/// and ends with the first message that comes there.
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    version,
    disable_version_flag = true,
    args_override_self = true,
    after_help = "\
Examples:
  ferry rr -t lamp/1/get -e answers/me -m brightness -W 5
  ferry rr -t lamp/1/get -e answers/me -n -D publish correlation-data 7 -F '%D %p'

Exit codes: 0 there was an answer; 1 it cannot be done, or the server cannot be reached; 2 wrong command line;
27 the time of -W is over; 130 stopped before there was an answer; 1 to 5 (before MQTT 5.0) or 128 and above: the server refused the connection, the message or
the subscription for this reason."
)]
#[command(group = ArgGroup::new("source").required(true).args(["message", "file", "null_message", "stdin_file"]))]
pub(crate) struct RequestArguments {
    /// Publish the request on this topic
    #[arg(short, long, value_name = "TOPIC", required_unless_present = "url", allow_hyphen_values = true)]
    pub(super) topic: Option<String>,

    /// The topic on which the answer comes
    #[arg(short = 'e', value_name = "TOPIC", required = true, allow_hyphen_values = true)]
    pub(super) response_topic: String,

    #[command(flatten)]
    pub(super) source: Source,

    /// The QoS of the request, and the highest of the answer
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(super) qos: u8,

    /// Wait so many seconds for the answer; then the exit code is 27
    #[arg(short = 'W', value_name = "SECONDS", value_parser = seconds_above_0)]
    pub(super) timeout: Option<Duration>,

    /// Do not take a retained message for the answer
    #[arg(short = 'R')]
    pub(super) no_retained: bool,

    #[command(flatten)]
    pub(super) form: FormArguments,

    #[command(flatten)]
    pub(super) connection: ConnectionArguments,
}
