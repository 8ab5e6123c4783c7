use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use ferry_client::RetainHandling;

use crate::client::{ConnectionArguments, DefaultVersion, seconds_above_0};
use crate::message_format::{MessageFormat, Pattern};
use crate::payload_format::PayloadFormat;

/// Subscribe, and print the messages that come
///
/// With the options of mosquitto_sub. If the connection is lost, it is made again.
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    version,
    disable_version_flag = true,
    args_override_self = true,
    after_help = "\
Examples:
  ferry sub -t 'house/#'
  ferry sub -t 'house/#' -v                       with topics
  ferry sub -t 'house/#' -F '%I %-30t %p'         time, topic, payload
  ferry sub -t 'house/#' -F %j | jq .payload      as JSON
  ferry sub -t 'spBv1.0/#' -v --format sparkplug  also json, cbor, hex, base64
  ferry sub -t 'camera/#' --save pictures         a file for each message
  ferry sub -t house/kitchen/temperature -C 1     the next message, or the retained one
  ferry sub -t '#' --remove-retained --retained-only -W 10
  ferry sub -t jobs -q 1 -c -i worker-1           go on with a session

%t topic, %p payload, %x payload in hexadecimal, %q QoS, %r retained, %l length, %j JSON, %J JSON with a JSON payload,
%I and %U the time; the others are in the guide. -F does not change what -N does.

Exit codes: 0 done, or stopped; 1 it cannot be done, or the server cannot be reached; 2 wrong command line;
27 the time of -W is over; 1 to 5 (before MQTT 5.0) or 128 and above: the server refused the connection or the
subscription for this reason."
)]
pub(crate) struct SubscribeArguments {
    /// Subscribe to this topic filter; may be given several times
    #[arg(short, long, value_name = "FILTER", required_unless_present_any = ["url", "unsubscribe"], allow_hyphen_values = true)]
    pub(super) topic: Vec<String>,

    /// The highest QoS wanted
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(super) qos: u8,

    /// Unsubscribe from this topic filter, for sessions that last; may be given several times
    #[arg(short = 'U', long, value_name = "FILTER", allow_hyphen_values = true)]
    pub(super) unsubscribe: Vec<String>,

    /// Do not print messages that match this topic filter; may be given several times
    #[arg(short = 'T', long, value_name = "FILTER", allow_hyphen_values = true)]
    pub(super) filter_out: Vec<String>,

    /// End after so many messages
    #[arg(short = 'C', value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,

    /// End when the server has answered to the subscription
    #[arg(short = 'E')]
    pub(super) exit_after_subscribing: bool,

    /// End after so many seconds, with exit code 27
    #[arg(short = 'W', value_name = "SECONDS", value_parser = seconds_above_0)]
    pub(super) timeout: Option<Duration>,

    /// Do not print retained messages
    #[arg(short = 'R', conflicts_with = "retained_only")]
    pub(super) no_retained: bool,

    /// Print retained messages only, and end at the first other one
    #[arg(long)]
    pub(super) retained_only: bool,

    /// Delete the retained messages that come, but those of -T
    #[arg(long)]
    pub(super) remove_retained: bool,

    /// Have messages keep the retain flag that they were published with; MQTT 5.0
    #[arg(long)]
    pub(super) retain_as_published: bool,

    /// When retained messages come: always, only for a new subscription (new), or never; MQTT 5.0
    #[arg(long, value_name = "WHEN", value_parser = PossibleValuesParser::new(["always", "new", "never"]))]
    pub(super) retain_handling: Option<String>,

    /// Print so many per cent of the messages, chosen at random
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(super) random_filter: Option<f64>,

    #[command(flatten)]
    pub(super) form: FormArguments,

    #[command(flatten)]
    pub(super) connection: ConnectionArguments,
}

/// How messages are printed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct FormArguments {
    /// Print the topic before the payload
    #[arg(short, long)]
    verbose: bool,

    /// Print messages in this form, such as '%t %p'
    #[arg(short = 'F', value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<Pattern>,

    /// No line end after each message
    #[arg(short = 'N')]
    pub(crate) no_line_end: bool,

    /// JSON of %j, %J and --format on several lines
    #[arg(long)]
    pub(super) pretty: bool,

    /// Payloads are of this format; print them readable. Of other ones there is an error, and nothing is printed
    #[arg(long = "format", value_name = "FORMAT")]
    pub(super) payload_format: Option<PayloadFormat>,

    /// Print each message as a line of JSON with all that belongs to it, which `ferry pub --json-lines` and `ferry replay` read
    #[arg(long, conflicts_with_all = ["verbose", "format", "no_line_end", "pretty", "payload_format"])]
    pub(super) json_lines: bool,

    /// Save the payload of each message in a file of its own below this directory, and print the name of the file
    #[arg(long, value_name = "DIR", conflicts_with_all = ["verbose", "format", "no_line_end", "json_lines"])]
    pub(super) save: Option<PathBuf>,
}

impl FormArguments {
    pub(crate) fn message_format(&self) -> MessageFormat {
        match &self.format {
            Some(pattern) => MessageFormat::Pattern { pattern: pattern.clone(), pretty: self.pretty },
            None if self.verbose => MessageFormat::Verbose,
            None => MessageFormat::Payload,
        }
    }
}

impl SubscribeArguments {
    /// Only in 5.0 there is all that a line of JSON can say.
    pub(super) fn default_version(&self) -> DefaultVersion {
        if self.form.json_lines { DefaultVersion::Newest } else { DefaultVersion::Oldest }
    }

    /// The option that makes sense in MQTT 5.0 only, if there is one.
    pub(super) fn needs_v5(&self) -> Option<&'static str> {
        if self.retain_as_published {
            Some("--retain-as-published")
        } else {
            self.retain_handling.as_ref().map(|_| "--retain-handling")
        }
    }

    pub(super) fn retain_handling(&self) -> RetainHandling {
        match self.retain_handling.as_deref() {
            Some("new") => RetainHandling::SendIfNew,
            Some("never") => RetainHandling::DoNotSend,
            _ => RetainHandling::SendAtSubscribe,
        }
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.1..=100.0).contains(number));
    number.ok_or_else(|| "not a number from 0.1 to 100".to_owned())
}
